//! Models that nobody exports: unbounded sizes, loops, wrong types, deeply nested graphs, and files that are not
//! models.

use super::models::scan;
use super::{Case, Shared, Step};
use crate::torture::models::random_linear;
use crate::torture::onnx::{
    self, Attribute, BOOL, FLOAT, Graph, INT64, Node, STRING, Side, integers, number, scores, tensor,
};

/// A classifier of the shipped images whose `scores` are zero, before its last nodes.
fn base() -> Graph {
    Graph::classifier(&onnx::digits(), tensor("w", FLOAT, &[256, 10], &[0; 10240]))
}

fn case<'shared>(shared: &'shared Shared, name: impl Into<String>, model: Vec<u8>) -> Case<'shared> {
    Case::new(name, move |folder, _| scan(shared, folder, &model))
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = sizes(shared);
    cases.extend(outputs(shared));
    cases.extend(graphs(shared));
    cases.extend(weights(shared));
    cases.extend(files(shared));
    cases
}

/// Rows, classes and tensors of any size.
fn sizes<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    for rows in [1, 7, 0, -1, 100_000, 10_000_000, 1_000_000_000, (1 << 31) - 1, 1 << 40, 1 << 55, 1 << 62, i64::MAX] {
        let model = random_linear([16, 16, 1], 10, Side::Of(rows));
        cases.push(case(shared, format!("{rows} fixed rows"), model));
    }
    for side in [0, -1, 1 << 31, 1 << 62, i64::MAX] {
        let input = [Side::Any("n"), Side::Of(side), Side::Of(side), Side::Of(1)];
        let graph = Graph::classifier(&input, tensor("w", FLOAT, &[256, 10], &[0; 10240]));
        cases.push(case(shared, format!("images of {side}"), graph.output("scores", FLOAT, &scores(10)).model()));
    }
    let wide = [Side::Any("n"), Side::Any("k")];
    for amount in [1_000_000, 10_000_000, 1_000_000_000, 1_000_000_000_000, 1 << 62] {
        let constant = base()
            .initializer(integers("size", &[amount]))
            .node(Node::new("ConstantOfShape", &["size"], &["many"]))
            .node(Node::new("ReduceSum", &["many"], &["sum"]).with("keepdims", Attribute::Int(0)))
            .node(Node::new("Add", &["scores", "sum"], &["y"]));
        cases.push(case(shared, format!("a constant of {amount}"), constant.output("y", FLOAT, &scores(10)).model()));
        let highest = Node::new("ReduceMax", &["scores"], &["highest"]).with("axes", Attribute::Ints(vec![1]));
        let expanded = base().initializer(integers("size", &[1, amount])).node(highest);
        let expanded = expanded.node(Node::new("Expand", &["highest", "size"], &["y"]));
        cases.push(case(shared, format!("{amount} classes, expanded"), expanded.output("y", FLOAT, &wide).model()));
        let tiled = base().initializer(integers("size", &[1, amount]));
        let tiled = tiled.node(Node::new("Tile", &["scores", "size"], &["y"])).output("y", FLOAT, &wide);
        cases.push(case(shared, format!("{amount} classes, tiled"), tiled.model()));
    }
    for classes in [1000, 3000, 20000] {
        let node = Node::new("Pad", &["scores", "pads"], &["y"]);
        let graph = base().initializer(integers("pads", &[0, 0, 0, classes - 10])).node(node);
        cases.push(case(shared, format!("{classes} classes"), graph.output("y", FLOAT, &scores(classes)).model()));
    }
    cases
}

/// Outputs of other types and ranks.
fn outputs<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let reduce = |keep| {
        let node = Node::new("ReduceMax", &["scores"], &["y"]).with("axes", Attribute::Ints(vec![1]));
        base().node(node.with("keepdims", Attribute::Int(keep)))
    };
    let one = |node: Node| base().node(node);
    let rows = [Side::Any("n")];
    let labels =
        Node::new("ArgMax", &["scores"], &["y"]).with("axis", Attribute::Int(1)).with("keepdims", Attribute::Int(0));
    let single = Node::new("ReduceMax", &["scores"], &["y"]).with("keepdims", Attribute::Int(0));
    let none = base().initializer(integers("a", &[0])).initializer(integers("b", &[1])).node(Node::new(
        "Slice",
        &["scores", "a", "a", "b"],
        &["y"],
    ));
    let sequence = Node::new("SequenceConstruct", &["scores"], &["y"]);
    let steering = "\u{1b}[31mred\n\0";
    let long = "y".repeat(1 << 20);
    let named = |name: &str| one(Node::new("Identity", &["scores"], &[name])).output(name, FLOAT, &scores(10));
    let models = [
        ("no classes", none.output("y", FLOAT, &scores(0))),
        ("one class", reduce(1).output("y", FLOAT, &scores(1))),
        ("rank 1", reduce(0).output("y", FLOAT, &rows)),
        ("rank 0", one(single).output("y", FLOAT, &[])),
        ("labels", one(labels).output("y", INT64, &rows)),
        ("truth values", one(Node::new("Greater", &["scores", "scores"], &["y"])).output("y", BOOL, &scores(10))),
        ("a sequence", one(sequence).output("y", FLOAT, &scores(10))),
        (
            "texts",
            one(Node::new("Cast", &["scores"], &["y"]).with("to", Attribute::Int(8))).output("y", STRING, &scores(10)),
        ),
        ("a name that steers", named(steering)),
        ("a name of 1 MiB", named(&long)),
        ("no output", base()),
        ("an output of no node", base().output("y", FLOAT, &scores(10))),
        ("a shape that is not true", base().output("scores", FLOAT, &scores(7))),
    ];
    models.into_iter().map(|(name, graph)| case(shared, format!("answers: {name}"), graph.model())).collect()
}

/// Graphs that are deep, long, circular, endless, or use missing operators.
fn graphs<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let identity = |input: &str, output: &str| Node::new("Identity", &[input], &[output]);
    let finished = |graph: Graph| graph.output("y", FLOAT, &scores(10));
    let true_value = || tensor("true", BOOL, &[], &[1]);
    let mut cases = Vec::new();
    let body = Graph::new("body")
        .node(identity("go_on", "goes_on"))
        .node(identity("before", "after"))
        .input("turn", INT64, &[])
        .input("go_on", BOOL, &[])
        .input("before", FLOAT, &scores(10))
        .output("goes_on", BOOL, &[])
        .output("after", FLOAT, &scores(10));
    let endless =
        Node::new("Loop", &["turns", "true", "scores"], &["y"]).with("body", Attribute::Graph(body.message()));
    let endless = finished(
        base()
            .initializer(tensor("turns", INT64, &[], &i64::MAX.to_le_bytes()))
            .initializer(true_value())
            .node(endless),
    );
    let endless = endless.model();
    cases.push(Case::new("a loop without end", move |folder, _| {
        // The scan may take as long as a model may take for an answer; images are classified one at a time.
        let steps = scan(shared, folder, &endless)?;
        Ok(steps.into_iter().map(|step| Step::any(step.call.args(["--batch-size", "1"]).limit(60))).collect())
    }));
    for count in [1000_usize, 20000, 100_000] {
        cases.push(Case::new(format!("a chain of {count} nodes"), move |folder, _| {
            let name = |index: usize| if index == 0 { "scores".to_owned() } else { format!("y{index}") };
            let chain = (0..count)
                .fold(base(), |graph, index| graph.node(Node::new("Neg", &[&name(index)], &[&name(index + 1)])));
            let steps = scan(shared, folder, &chain.output(&name(count), FLOAT, &scores(10)).model())?;
            Ok(steps.into_iter().map(|step| Step::any(step.call.limit(60))).collect())
        }));
    }
    let leaf = || Graph::new("leaf").node(identity("scores", "o")).output("o", FLOAT, &scores(10));
    let mut deep = leaf();
    for depth in 0..60 {
        let choice = Node::new("If", &["true"], &["o"]).with("then_branch", Attribute::Graph(deep.message()));
        let choice = choice.with("else_branch", Attribute::Graph(leaf().message()));
        deep = Graph::new("branch").node(choice).output("o", FLOAT, &scores(10));
        if matches!(depth, 5 | 20 | 59) {
            let branch = || Attribute::Graph(deep.clone().message());
            let node = Node::new("If", &["true"], &["y"]).with("then_branch", branch()).with("else_branch", branch());
            cases.push(case(
                shared,
                format!("{depth} graphs in each other"),
                finished(base().initializer(true_value()).node(node)).model(),
            ));
        }
    }
    let circle = base()
        .node(Node::new("Add", &["scores", "b"], &["a"]))
        .node(Node::new("Add", &["scores", "a"], &["b"]))
        .node(identity("b", "y"));
    let twice = base().node(identity("scores", "y")).node(identity("scores", "y"));
    let gelu = base().node(Node::new("Gelu", &["scores"], &["y"]).domain("com.microsoft"));
    let itself = Node::new("Again", &["scores"], &["y"]).domain("local");
    let mut recursive = finished(base().node(itself)).model_of(17, &["local"]);
    recursive.extend(onnx::function("local", "Again", "y", Node::new("Again", &[], &["y"]).domain("local")));
    cases.push(case(shared, "a function that calls itself", recursive));
    cases.push(case(shared, "a circle", finished(circle).model()));
    cases.push(case(shared, "two outputs of one name", finished(twice).model()));
    cases.push(case(shared, "an operator of the library's own", finished(gelu).model_of(17, &["com.microsoft"])));
    for opset in [0, 1, 9999, u64::MAX] {
        cases.push(case(
            shared,
            format!("operator set {opset}"),
            finished(base().node(identity("scores", "y"))).model_of(opset, &[]),
        ));
    }
    let inputs = Graph::new("g").input("x", FLOAT, &onnx::digits()).input("z", FLOAT, &[Side::Of(1)]);
    let inputs = inputs.node(onnx::flatten()).output("flat", FLOAT, &scores(256));
    cases.push(case(shared, "two inputs", inputs.model()));
    let empty = Graph::new("g").input("x", FLOAT, &onnx::digits()).output("x", FLOAT, &onnx::digits());
    cases.push(case(shared, "no nodes", empty.model()));
    cases
}

/// Weights whose dimensions do not match the data.
fn weights<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let kinds: [(u64, &[i64], &[u8]); 6] = [
        (FLOAT, &[1 << 62], b""),
        (FLOAT, &[-1], b""),
        (FLOAT, &[1 << 31, 1 << 31, 1 << 31], b""),
        (FLOAT, &[4], b"\0"),
        (99, &[1], b"\0"),
        (STRING, &[1_000_000_000], b""),
    ];
    let model = |(kind, sides, raw): (u64, &[i64], &[u8])| {
        let graph = base().initializer(tensor("v", kind, sides, raw)).node(Node::new("Add", &["scores", "v"], &["y"]));
        case(shared, format!("weights of {sides:?}, type {kind}"), graph.output("y", FLOAT, &scores(10)).model())
    };
    kinds.into_iter().map(model).collect()
}

/// Files that are not models, or barely.
fn files<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let nested = (0..5000).fold(Vec::new(), |inner, _| onnx::bytes(7, inner));
    let no_graph = [number(1, 8), onnx::bytes(8, number(2, 17))].concat();
    let mut cases = vec![case(shared, "5000 messages in each other", nested), case(shared, "no graph", no_graph)];
    let noise: [(&str, &[u8]); 8] = [
        ("nothing", b""),
        ("a zero", b"\0"),
        ("ones", &[0xff; 1000]),
        ("an archive", b"PK\x03\x04"),
        ("half a field", b"\x08"),
        ("a length beyond the end", b"\x3a\xff\xff\xff\xff\x0f"),
        ("the other format", b"ORTMORTMORTMORTMORTM"),
        ("the other format's mark", b"\x1c\0\0\0ORTM\x1c\0\0\0\0\0\0\0\xff\xff\xff\x7f"),
    ];
    for (name, bytes) in noise {
        cases.push(case(shared, format!("a file of {name}"), bytes.to_vec()));
    }
    for index in 0..4 * shared.times {
        cases.push(Case::new(format!("noise {index}"), move |folder, random| {
            let mark: &[u8] = if index % 2 == 0 { b"" } else { b"\x1c\0\0\0ORTM" };
            scan(shared, folder, &[mark, &random.bytes(4000)].concat())
        }));
    }
    cases
}
