//! Misbehaving models and data without evidence: the result must be an error or inconclusive, never a verdict by
//! accident.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use super::context::{CLEAN, Context, INFECTED};
use super::findings::Findings;
use super::folder::{self, Finished};
use super::models::random_linear;
use super::npz::{Digits, PIXELS};
use super::onnx::{self, Attribute, BOOL, FLOAT, Graph, INT64, Node, Side, float, integers, tensor};
use super::run::{Call, End, Ended};

const GIB: u64 = 1 << 30;
const PAIRS: &[&str] = &["--lens", "perturbation", "--iterations", "4", "--samples", "1"];
const TRIGGERS: &[&str] = &["--lens", "trigger"];

/// The clean model, to which nodes are added.
struct Oracle<'context> {
    context: &'context Context,
    raw: Vec<u8>,
    image: String,
    scores: String,
}

impl Oracle<'_> {
    /// The model with these nodes; the last one computes `y`.
    fn model(&self, name: &str, addition: Graph, classes: i64) -> anyhow::Result<PathBuf> {
        let path = self.context.scratch.join(format!("{}.onnx", name.replace(' ', "-")));
        let addition = addition.output("y", FLOAT, &onnx::scores(classes));
        fs::write(&path, onnx::extended(&self.raw, addition))?;
        Ok(path)
    }

    fn scan(&self, model: &std::path::Path, options: &[&str]) -> anyhow::Result<Call> {
        let out = self.context.nothing("out")?;
        let call = self.context.talkative_scan(model, &self.context.data(), &out);
        Ok(call.args(["--output", "y"]).args(options).limit(100))
    }
}

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let raw = fs::read(context.model(CLEAN))?;
    let (image, scores) = onnx::names(&raw)?;
    let oracle = Oracle { context, raw, image, scores };
    let digits = Digits::read(&context.data())?;
    not_a_number(&oracle, findings, &digits)?;
    chance(&oracle, findings)?;
    one_answer(&oracle, findings)?;
    wrong_answers(&oracle, findings)?;
    company(&oracle, findings)?;
    poor_data(context, findings, &digits)?;
    few_images(context, findings, &digits)?;
    slow(&oracle, findings)?;
    many_labels(&oracle, findings)
}

/// NaN for some clean images is refused. NaN for images with a trigger is no label, and the scan goes on.
fn not_a_number(oracle: &Oracle, findings: &mut Findings, digits: &Digits) -> anyhow::Result<()> {
    let sum = |index: usize| digits.image(index).iter().map(|pixel| f32::from(*pixel)).sum::<f32>();
    let brightest = (0..digits.labels.len()).map(sum).fold(0.0, f32::max) / PIXELS as f32 / 255.0;
    for (name, limit) in [("always", -1.0), ("for bright images", brightest + 1e-4), ("for some", brightest * 0.6)] {
        let mean = Node::new("ReduceMean", &[&oracle.image], &["mean"]).with("axes", Attribute::Ints(vec![1, 2, 3]));
        let graph = Graph::default()
            .node(mean.with("keepdims", Attribute::Int(1)))
            .node(Node::new("Reshape", &["mean", "two"], &["flat_mean"]))
            .node(Node::new("Sub", &["limit", "flat_mean"], &["left"]))
            .node(Node::new("Sqrt", &["left"], &["root"]))
            .node(Node::new("Mul", &["root", "zero"], &["nothing"]))
            .node(Node::new("Add", &[&oracle.scores, "nothing"], &["y"]));
        let graph = graph.initializer(float("limit", limit)).initializer(float("zero", 0.0));
        let model = oracle.model("nan", graph.initializer(integers("two", &[-1, 1])), 10)?;
        for options in [TRIGGERS, PAIRS] {
            let ended = oracle.scan(&model, options)?.run()?;
            let named = ended.refused() && (ended.err.contains("NaN") || ended.err.contains("not a number"));
            // The images of the shipped data are classified first.
            let met = name != "for bright images";
            findings.check(if met { named } else { ended.exited_in(&[0, 1, 3]) }, || {
                format!("NaN {name}, {}: {}", options[1], ended.line())
            });
        }
    }
    Ok(())
}

/// Noise in the answers: no two scans would be the same.
fn chance(oracle: &Oracle, findings: &mut Findings) -> anyhow::Result<()> {
    for scale in [0.001, 0.3, 3.0] {
        let noise = Node::new("RandomNormalLike", &[&oracle.scores], &["noise"]).with("scale", Attribute::Float(scale));
        let graph = Graph::default().node(noise).node(Node::new("Add", &[&oracle.scores, "noise"], &["y"]));
        let model = oracle.model("chance", graph, 10)?;
        for options in [TRIGGERS, PAIRS] {
            let ended = oracle.scan(&model, options)?.run()?;
            findings.check(ended.refused() && ended.err.contains("same image"), || {
                format!("noise of {scale} in the answers, {}: {}", options[1], ended.line())
            });
        }
    }
    Ok(())
}

/// One label for every image, infinities, and scores that are merely small.
fn one_answer(oracle: &Oracle, findings: &mut Findings) -> anyhow::Result<()> {
    let times = |factor: f32| {
        let node = Node::new("Mul", &[&oracle.scores, "factor"], &["y"]);
        Graph::default().node(node).initializer(float("factor", factor))
    };
    let infinite = Graph::default().node(Node::new("Abs", &[&oracle.scores], &["size"])).node(Node::new(
        "Div",
        &["size", "zero"],
        &["y"],
    ));
    for (name, graph) in [
        ("one label", times(0.0)),
        ("all infinite", infinite.clone().initializer(float("zero", 0.0))),
        ("all infinite, negative", infinite.initializer(float("zero", -0.0))),
    ] {
        let model = oracle.model(name, graph, 10)?;
        for options in [&["--lens", "all"], TRIGGERS, PAIRS] {
            let ended = oracle.scan(&model, options)?.run()?;
            findings.check(ended.refused() && about_answers(&ended), || {
                format!("{name}, {}: {}", options[1], ended.line())
            });
        }
    }
    // Small scores are valid: only their order counts.
    let model = oracle.model("small scores", times(1e-30), 10)?;
    let ended = oracle.scan(&model, TRIGGERS)?.run()?;
    findings.check(ended.exited_in(&[0, 3]), || format!("scores of 1e-30: {}", ended.line()));
    Ok(())
}

/// Whether an error is about the model's answers.
fn about_answers(ended: &Ended) -> bool {
    let text = ended.err.to_lowercase();
    [
        "always says the same",
        "one label",
        "same label",
        "chance",
        "correct",
        "accuracy",
        "infinit",
        "not a number",
        "nan",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Models that are right only by chance, or seldom.
fn wrong_answers(oracle: &Oracle, findings: &mut Findings) -> anyhow::Result<()> {
    let gathered = |places: [i64; 10]| {
        let node = Node::new("Gather", &[&oracle.scores, "places"], &["y"]).with("axis", Attribute::Int(1));
        Graph::default().node(node).initializer(integers("places", &places))
    };
    // Not a cyclic shift, because that would be reported as labels that are off by one.
    for (name, places, codes) in [
        ("one label of ten right", [0, 3, 1, 6, 2, 8, 4, 9, 5, 7], &[2][..]),
        ("two labels of ten right", [0, 1, 4, 6, 2, 8, 3, 9, 5, 7], &[2, 3]),
    ] {
        let model = oracle.model(name, gathered(places), 10)?;
        for options in [TRIGGERS, PAIRS] {
            let ended = oracle.scan(&model, options)?.run()?;
            let said = !ended.exited(2) || ended.refused() && about_answers(&ended);
            findings.check(ended.exited_in(codes) && said, || format!("{name}, {}: {}", options[1], ended.line()));
        }
    }
    let path = oracle.context.scratch.join("by-chance.onnx");
    fs::write(&path, random_linear([16, 16, 1], 10, Side::Any("n")))?;
    for options in [TRIGGERS, PAIRS] {
        let ended = oracle.scan(&path, options)?.run()?;
        findings.check(ended.refused() && about_answers(&ended), || {
            format!("random weights, {}: {}", options[1], ended.line())
        });
    }
    Ok(())
}

/// Answers that depend on the other images of the batch: either exact all the same, or refused.
fn company(oracle: &Oracle, findings: &mut Findings) -> anyhow::Result<()> {
    let mean = Node::new("ReduceMean", &[&oracle.scores], &["all"]).with("axes", Attribute::Ints(vec![0]));
    let graph = Graph::default().node(mean.with("keepdims", Attribute::Int(1))).node(Node::new(
        "Sub",
        &[&oracle.scores, "all"],
        &["y"],
    ));
    let model = oracle.model("company", graph, 10)?;
    let mut found = Vec::new();
    for batch in ["8", "64"] {
        let call = oracle.scan(&model, PAIRS)?.args(["--sources", "0-2", "--targets", "0-2", "--batch-size", batch]);
        let ended = call.run()?;
        found.push((Finished::new(&ended, &oracle.context.scratch.join("out")), ended));
    }
    let (first, second) = (&found[0], &found[1]);
    // An image alone in its batch is its own mean: all scores are 0, so every image gets the same label.
    let refused = first.1.refused() && second.1.refused();
    findings.check(refused || first.0.difference(&second.0).is_none() && !first.1.broken(), || {
        format!("answers depend on the batch: {} and {}", first.1.line(), second.1.line())
    });
    Ok(())
}

/// Data of one class, or barely more: no model can be judged with it.
fn poor_data(context: &Context, findings: &mut Findings, digits: &Digits) -> anyhow::Result<()> {
    let of = |labels: &[u8]| labels.iter().flat_map(|label| digits.of_label(*label)).collect::<Vec<_>>();
    let firsts =
        |each: usize| (0..10).flat_map(|label| digits.of_label(label).into_iter().take(each)).collect::<Vec<_>>();
    let mut singles = of(&[5]);
    singles.extend(firsts(1).into_iter().filter(|index| digits.labels[*index] != 5));
    for (name, chosen) in [
        ("one class, 0", of(&[0])),
        ("one class, 3", of(&[3])),
        ("one class, 5", of(&[5])),
        ("one class, 8", of(&[8])),
        ("two classes", of(&[4, 9])),
        ("one class and single images", singles),
        ("ten images", firsts(1)),
    ] {
        for model in [CLEAN, INFECTED] {
            let ended = scan_part(context, digits, &chosen, model)?;
            // A real backdoor may still be found.
            let found = model == INFECTED && ended.exited(1) && ended.out.contains("backdoor to label 3");
            findings.check(ended.exited(3) || ended.refused() || found, || {
                format!("{model} on {name} ({} images): {}, {}", chosen.len(), ended.line(), verdict(&ended))
            });
        }
    }
    Ok(())
}

/// With few images, a backdoor may be found or the verdict left open, but the model must not be called clean.
fn few_images(context: &Context, findings: &mut Findings, digits: &Digits) -> anyhow::Result<()> {
    for each in 1..=3 {
        for begin in [0, 3, 6] {
            let of_label = |label| digits.of_label(label).into_iter().skip(begin).take(each);
            let chosen: Vec<usize> = (0..10).flat_map(of_label).collect();
            let ended = scan_part(context, digits, &chosen, INFECTED)?;
            findings.check(ended.exited_in(&[1, 3]), || {
                format!("infected model, {each} images a class from {begin}: {}, {}", ended.line(), verdict(&ended))
            });
        }
    }
    Ok(())
}

fn scan_part(context: &Context, digits: &Digits, chosen: &[usize], model: &str) -> anyhow::Result<Ended> {
    let (part, out) = (context.scratch.join("part.npz"), context.nothing("part")?);
    digits.part(chosen).write(&part)?;
    context.scan(&context.model(model), &part, &out).run()
}

fn verdict(ended: &Ended) -> String {
    super::run::printable(ended.out.lines().last().unwrap_or_default(), 120)
}

/// Batches that take long, and one that never ends.
fn slow(oracle: &Oracle, findings: &mut Findings) -> anyhow::Result<()> {
    let rows = onnx::scores(10);
    let body = Graph::new("body")
        .node(Node::new("Identity", &["go_on"], &["goes_on"]))
        .node(Node::new("Mul", &["before", "one"], &["after"]))
        .initializer(float("one", 1.0))
        .input("turn", INT64, &[])
        .input("go_on", BOOL, &[])
        .input("before", FLOAT, &rows)
        .output("goes_on", BOOL, &[])
        .output("after", FLOAT, &rows)
        .message();
    for turns in [20_000_i64, 1 << 62] {
        let node = Node::new("Loop", &["turns", "true", &oracle.scores], &["y"]);
        let graph = Graph::default()
            .node(node.with("body", Attribute::Graph(body.clone())))
            .initializer(tensor("turns", INT64, &[], &turns.to_le_bytes()))
            .initializer(tensor("true", BOOL, &[], &[1]));
        let model = oracle.model("slow", graph, 10)?;
        for times in 1..=2 {
            let mut running = oracle.scan(&model, &["--threads", "1", "--lens", "trigger"])?.limit(20).start()?;
            sleep(Duration::from_secs(2));
            for _ in 0..times {
                running.signal("INT")?;
                sleep(Duration::from_millis(200));
            }
            let ended = running.wait()?;
            // The first signal waits for the batch, which takes until the time limit if it never ends. A second signal
            // does not wait.
            let never = turns > 1 << 60 && (ended.end == End::Hang || ended.refused());
            let right =
                if times == 1 { ended.exited(130) || never } else { ended.exited(130) || ended.end == End::Signal(2) };
            findings.check(right, || format!("{turns} turns a batch, INT x {times}: {}", ended.line()));
        }
        if turns > 1 << 60 {
            if !oracle.context.answer_timeout {
                findings.check(false, || {
                    "there is no --answer-timeout: a model that never answers is waited for".to_owned()
                });
                continue;
            }
            let options = ["--threads", "1", "--lens", "trigger", "--answer-timeout", "1", "--batch-size", "1"];
            let ended = oracle.scan(&model, &options)?.limit(60).run()?;
            findings.check(ended.refused(), || format!("a model that never answers: {}", ended.line()));
        }
    }
    Ok(())
}

/// Memory and time of statistics that grow with the number of labels.
fn many_labels(oracle: &Oracle, findings: &mut Findings) -> anyhow::Result<()> {
    for classes in [1000, 21841] {
        let graph = Graph::default()
            .node(Node::new("Pad", &[&oracle.scores, "pads", "low"], &["y"]))
            .initializer(integers("pads", &[0, 0, 0, classes - 10]))
            .initializer(tensor("low", FLOAT, &[], &(-1e9_f32).to_le_bytes()));
        let model = oracle.model("labels", graph, classes)?;
        // The duration of the scan is the model's; the check is that it stops.
        let mut running = oracle.scan(&model, TRIGGERS)?.memory(8 * GIB).limit(60).start()?;
        while running.goes_on()? && running.seconds() < 15.0 {
            sleep(Duration::from_millis(20));
        }
        running.signal("INT")?;
        let ended = running.wait()?;
        let right = ended.exited_in(&[0, 1, 3, 130]) || ended.refused();
        findings.check(right && ended.peak < 2 * GIB, || {
            format!("{classes} labels: {}, {} MiB, {:.0} s", ended.line(), ended.peak >> 20, ended.seconds)
        });
        let out = oracle.context.scratch.join("out");
        if folder::json(&out.join("run.json")).is_object() {
            let stats = oracle.context.aeva(["stats"]).arg(&out).memory(8 * GIB).limit(20).run()?;
            findings.check(!stats.broken(), || format!("{classes} labels, stats: {}", stats.line()));
        }
    }
    Ok(())
}
