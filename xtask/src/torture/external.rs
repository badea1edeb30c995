//! Weights in other files: found only beside the model, part of its digest, and nowhere else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::context::{Context, SHORTEST};
use super::findings::Findings;
use super::folder;
use super::models::{WEIGHTS, linear_digits, nearest_means};
use super::npz::Digits;
use super::onnx::{self, Attribute, BOOL, FLOAT, Graph, Node, external, scores, tensor};
use super::run::{Call, Ended};
use super::trace::{Tracer, file_of, succeeded};

/// Size of the weights in bytes.
const SIZE: &str = "10240";

/// Makes a model from weights.
type Maker<'place> = &'place dyn Fn(Vec<u8>) -> Vec<u8>;

/// Where the models and weights are.
struct Place<'context> {
    context: &'context Context,
    tracer: Option<Tracer>,
    /// The folder of the model, two levels below the scratch folder.
    home: PathBuf,
    /// The working folder.
    elsewhere: PathBuf,
    /// Weights that no model may reach.
    secret: PathBuf,
    weights: Vec<u8>,
    bias: Vec<u8>,
}

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let digits = Digits::read(&context.data())?;
    let (weights, bias) = nearest_means(&digits, 0.0);
    let (home, elsewhere) = (context.folder("model/deep")?, context.folder("elsewhere")?);
    let secret = context.scratch.join("secret.bin");
    fs::create_dir_all(home.join("sub"))?;
    for file in [&secret, &home.join("beside.bin"), &home.join("sub/below.bin"), &elsewhere.join("here.bin")] {
        fs::write(file, &weights)?;
    }
    symlink(&secret, home.join("link.bin"))?;
    symlink(&context.scratch, home.join("out"))?;
    symlink("/dev/zero", home.join("zero.bin"))?;
    Call::new("mkfifo").arg(home.join("pipe.bin")).run()?;
    let place = Place { context, tracer: Tracer::find(), home, elsewhere, secret, weights, bias };
    locations(&place, findings)?;
    offsets(&place, findings)?;
    other_places(&place, findings)?;
    digests(&place, findings, &digits)
}

impl Place<'_> {
    fn entries<'text>(location: &'text str, offset: &'text str, length: &'text str) -> [(&'text str, &'text str); 3] {
        [("location", location), ("offset", offset), ("length", length)]
    }

    /// Scans a model from the other folder; also returns whether a forbidden file was opened.
    fn scan(&self, model: &[u8]) -> anyhow::Result<(Ended, bool)> {
        let path = self.home.join("m.onnx");
        fs::write(&path, model)?;
        let out = self.context.nothing("out")?;
        let call =
            self.context.scan(&path, &self.context.data(), &out).args(SHORTEST).folder(&self.elsewhere).limit(30);
        let Some(tracer) = &self.tracer else {
            return Ok((call.run()?, false));
        };
        let trace = self.context.scratch.join("trace");
        let (ended, lines) = tracer.watch(call, "open,openat,openat2", &trace)?;
        let out_of_reach = |path: &Path| {
            let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            path == self.secret
                || path == Path::new("/etc/passwd")
                || path.ends_with("here.bin")
                || path.ends_with("zero")
        };
        let opened =
            lines.iter().filter(|line| succeeded(line) && !line.contains("O_PATH")).filter_map(|line| file_of(line));
        let reached = opened.map(|path| self.elsewhere.join(path)).any(|path| out_of_reach(&path));
        Ok((ended, reached))
    }

    fn refused(&self, findings: &mut Findings, what: &str, model: &[u8]) -> anyhow::Result<()> {
        let (ended, reached) = self.scan(model)?;
        findings.check(ended.refused(), || format!("weights in another file, {what}: {}", ended.line()));
        findings.check(!reached, || format!("weights in another file, {what}: the file was opened"));
        Ok(())
    }

    fn accepted(&self, findings: &mut Findings, what: &str, model: &[u8]) -> anyhow::Result<()> {
        let (ended, _) = self.scan(model)?;
        findings.check(ended.exited(3), || format!("{what}: {}", ended.line()));
        Ok(())
    }

    fn with_location(&self, location: &str) -> Vec<u8> {
        linear_digits(external("w", &WEIGHTS, &Self::entries(location, "0", SIZE)), &self.bias).model()
    }
}

fn locations(place: &Place, findings: &mut Findings) -> anyhow::Result<()> {
    place.accepted(
        findings,
        "weights in the model",
        &linear_digits(tensor("w", FLOAT, &WEIGHTS, &place.weights), &place.bias).model(),
    )?;
    for (what, location) in [("beside the model", "beside.bin"), ("in a sub-folder", "sub/below.bin")] {
        place.accepted(findings, &format!("weights {what}"), &place.with_location(location))?;
    }
    let far = format!("{}etc/passwd", "../".repeat(20));
    let long = "a/".repeat(3000);
    for (what, location) in [
        ("in the working folder", "here.bin"),
        ("nowhere", "nowhere.bin"),
        ("one folder up and back", "../deep/beside.bin"),
        ("two folders up", "../../secret.bin"),
        ("far up", &far),
        ("down and far up", "sub/../../../secret.bin"),
        ("absolute", &place.secret.to_string_lossy()),
        ("/etc/passwd", "/etc/passwd"),
        ("a link that leads out", "link.bin"),
        ("a folder that leads out", "out/secret.bin"),
        ("a link to a device", "zero.bin"),
        ("/dev/zero", "/dev/zero"),
        ("/proc/self/environ", "/proc/self/environ"),
        ("a pipe", "pipe.bin"),
        ("a URL", "http://localhost/x"),
        ("a file URL", "file:///etc/passwd"),
        ("memory", "*/_ORT_MEM_ADDR_/*"),
        ("no name", ""),
        ("a folder", "."),
        ("a sub-folder itself", "sub"),
        ("a name with a zero byte", "beside.bin\0x"),
        ("a very long name", &long),
    ] {
        place.refused(findings, what, &place.with_location(location))?;
    }
    // A file that could be read as weights, but the tensor names no location.
    let none = external("w", &WEIGHTS, &[("offset", "0"), ("length", SIZE)]);
    place.refused(findings, "no location", &linear_digits(none, &place.bias).model())?;
    let twice = [("location", "beside.bin"), ("location", "../../secret.bin")];
    place.refused(findings, "two locations", &linear_digits(external("w", &WEIGHTS, &twice), &place.bias).model())
}

fn offsets(place: &Place, findings: &mut Findings) -> anyhow::Result<()> {
    for (offset, length) in
        [("1099511627776", SIZE), ("-1", SIZE), ("4", SIZE), ("0", "4"), ("18446744073709551615", SIZE), ("x", SIZE)]
    {
        for location in ["beside.bin", "*/_ORT_MEM_ADDR_/*"] {
            let weights = external("w", &WEIGHTS, &Place::entries(location, offset, length));
            let what = format!("{location} from {offset}, {length} bytes");
            place.refused(findings, &what, &linear_digits(weights, &place.bias).model())?;
        }
    }
    Ok(())
}

/// Tensors that are not initialisers of the main graph: tensors of nodes, of graphs in nodes, and of functions.
fn other_places(place: &Place, findings: &mut Findings) -> anyhow::Result<()> {
    let inline = || tensor("w", FLOAT, &WEIGHTS, &place.weights);
    let outside = |location: &str| external("w", &WEIGHTS, &Place::entries(location, "0", SIZE));
    let constant = |weights: Vec<u8>| Node::new("Constant", &[], &["w"]).with("value", Attribute::Tensor(weights));
    let rest = || {
        let graph =
            Graph::new("g").input("x", FLOAT, &onnx::digits()).initializer(tensor("b", FLOAT, &[10], &place.bias));
        graph.output("y", FLOAT, &scores(10))
    };
    let classify = |graph: Graph| {
        graph.node(onnx::flatten()).node(Node::new("MatMul", &["flat", "w"], &["scores"])).node(Node::new(
            "Add",
            &["scores", "b"],
            &["y"],
        ))
    };
    let attribute = |weights| classify(rest().node(constant(weights))).model();
    let subgraph = |weights: Vec<u8>| {
        let branch = |weights: Vec<u8>| {
            let graph = Graph::new("branch").initializer(weights).output("result", FLOAT, &scores(10));
            Attribute::Graph(graph.node(Node::new("MatMul", &["flat", "w"], &["result"])).message())
        };
        let choice = Node::new("If", &["true"], &["scores"]);
        let choice = choice.with("then_branch", branch(weights.clone())).with("else_branch", branch(weights));
        let graph = rest().initializer(tensor("true", BOOL, &[], &[1])).node(onnx::flatten()).node(choice);
        graph.node(Node::new("Add", &["scores", "b"], &["y"])).model()
    };
    let function = |weights: Vec<u8>| {
        let call = Node::new("Weights", &[], &["w"]).domain("local");
        let mut model = classify(rest().node(call)).model_of(17, &["local"]);
        model.extend(onnx::function("local", "Weights", "w", constant(weights)));
        model
    };
    let makers: [(&str, Maker); 3] =
        [("a constant", &attribute), ("a sub-graph", &subgraph), ("a function", &function)];
    for (what, make) in makers {
        // The same model with its own weights must be scanned, so that the refusals below are due to their location.
        place.accepted(findings, &format!("{what} with its own weights"), &make(inline()))?;
        for location in ["../../secret.bin", "link.bin", "here.bin", &place.secret.to_string_lossy()] {
            place.refused(findings, &format!("{what}, {location}"), &make(outside(location)))?;
        }
    }
    Ok(())
}

/// The other file's content belongs to the model; the working folder does not.
fn digests(place: &Place, findings: &mut Findings, digits: &Digits) -> anyhow::Result<()> {
    let context = place.context;
    let (infected, _) = nearest_means(digits, 60.0);
    let model = place.with_location("model.onnx.data");
    let mut seen = Vec::new();
    for (name, weights) in [("good", &place.weights), ("evil", &infected)] {
        let home = context.folder(name)?;
        let path = home.join("model.onnx");
        fs::write(&path, &model)?;
        fs::write(home.join("model.onnx.data"), weights)?;
        for from in [&context.scratch, &place.elsewhere, &home] {
            let out = context.nothing("digests")?;
            let ended = context.scan(&path, &context.data(), &out).folder(from).run()?;
            let digest = folder::json(&out.join("run.json"))["provenance"]["model"]["sha256"].to_string();
            seen.push((ended.end, digest));
            let wanted: &[i32] = if name == "good" { &[0, 3] } else { &[1] };
            findings.check(ended.exited_in(wanted), || format!("the {name} weights: {}", ended.line()));
        }
    }
    // Bait in the working folder, under the name of the other file.
    fs::write(place.elsewhere.join("model.onnx.data"), &infected)?;
    let out = context.nothing("digests")?;
    let good = context.scratch.join("good/model.onnx");
    let ended = context.scan(&good, &context.data(), &out).folder(&place.elsewhere).run()?;
    seen.insert(3, (ended.end, folder::json(&out.join("run.json"))["provenance"]["model"]["sha256"].to_string()));
    let same = |part: &[(super::run::End, String)]| part.windows(2).all(|two| two[0] == two[1]);
    findings.check(same(&seen[..4]) && same(&seen[4..]), || "the working folder changes verdict or digest".to_owned());
    let digests_differ = seen[0].1 != seen[4].1 && seen[0].1 != "null" && seen[4].1 != "null";
    findings.check(digests_differ, || "other weights in the other file, but the model has the same digest".to_owned());
    Ok(())
}
