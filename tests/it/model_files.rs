//! Model files: weights in other files, and models that hang, claim too much or confuse the runtime.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Aeva, Ran, ran, shipped};
use crate::onnx::{
    Attribute, SCORES, endless, extended, external, floats, graph, integers, linear, model, node, value, weights,
};

fn scan_in(aeva: &Aeva, folder: &Path, model: &Path, out: &str) -> Ran {
    let output = aeva
        .command()
        .current_dir(folder)
        .args(["scan", model.to_str().unwrap(), "--data", shipped("digits.npz").to_str().unwrap(), "-q", "--out"])
        .arg(aeva.path(out))
        .output()
        .unwrap();
    ran(output)
}

fn raw(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Two folders with the same `model.onnx`, whose weights differ.
fn twins(aeva: &Aeva) -> [PathBuf; 2] {
    ["good", "bad"].map(|name| {
        let folder = aeva.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("model.onnx"), linear(external("weights", &[256, 10], "model.onnx.data"), 0)).unwrap();
        fs::write(folder.join("model.onnx.data"), raw(&weights(name == "bad"))).unwrap();
        folder
    })
}

fn digest(aeva: &Aeva, run: &str) -> String {
    let info: serde_json::Value = serde_json::from_slice(&fs::read(aeva.path(run).join("run.json")).unwrap()).unwrap();
    info["provenance"]["model"]["sha256"].as_str().unwrap().to_owned()
}

/// The weights are those beside the model, whatever is in the working folder, and the digest includes them.
#[test]
fn weights_in_another_file_belong_to_the_model() {
    let aeva = Aeva::new();
    let [good, bad] = twins(&aeva);
    for (place, from) in [("good", &good), ("bad", &bad)] {
        let out = |name: &str| format!("{name}-from-{place}");
        scan_in(&aeva, from, &good.join("model.onnx"), &out("good")).ends_with(0);
        let infected = scan_in(&aeva, from, &bad.join("model.onnx"), &out("bad")).ends_with(1);
        assert!(infected.stdout.contains("backdoor to label 3"), "{}", infected.stdout);
    }
    scan_in(&aeva, &bad, Path::new("model.onnx"), "bad-relative").ends_with(1);
    assert_eq!(digest(&aeva, "bad-from-good"), digest(&aeva, "bad-from-bad"));
    assert_eq!(digest(&aeva, "bad-from-good"), digest(&aeva, "bad-relative"));
    assert_ne!(digest(&aeva, "bad-from-good"), digest(&aeva, "good-from-good"));
    // A run with one set of weights is not continued with the other.
    fs::copy(bad.join("model.onnx.data"), good.join("model.onnx.data")).unwrap();
    let ran = scan_in(&aeva, &good, Path::new("model.onnx"), "good-from-good").ends_with(2);
    assert!(ran.stderr.contains("model.sha256"), "{}", ran.stderr);
    // The result does not depend on where the weights are stored: one file gives the same.
    let whole = aeva.path("whole.onnx");
    fs::write(&whole, linear(floats("weights", &[256, 10], &weights(true)), 0)).unwrap();
    scan_in(&aeva, &good, &whole, "whole").ends_with(1);
    assert_eq!(aeva.files("whole/triggers-v1").len(), aeva.files("bad-from-good/triggers-v1").len());
    assert_eq!(aeva.report("whole")["p_value"], aeva.report("bad-from-good")["p_value"]);
}

/// The same holds for tensors in inner graphs.
#[test]
fn weights_of_inner_graphs_are_found() {
    let aeva = Aeva::new();
    let folder = aeva.path("model");
    fs::create_dir(&folder).unwrap();
    let inner = graph(
        &[node("Add", &[SCORES, "inner"], "o", &[])],
        &[external("inner", &[10], "inner.data")],
        &[],
        &[value("o", 1, &[0, 10])],
    );
    let branches = [("then_branch", Attribute::Graph(inner.clone())), ("else_branch", Attribute::Graph(inner))];
    let compare = node("GreaterOrEqual", &["one", "one"], "yes", &[]);
    let nodes = [compare, node("Squeeze", &["yes"], "flag", &[]), node("If", &["flag"], "y", &branches)];
    let path = folder.join("m.onnx");
    fs::write(&path, extended(&nodes, &[integers("one", &[1], &[1])])).unwrap();
    let scan = |out: &str| {
        let args = ["scan", path.to_str().unwrap(), "--data", shipped("digits.npz").to_str().unwrap(), "--output", "y"]
            .map(str::to_owned);
        ran(aeva
            .command()
            .args(args)
            .args(["-q", "--lens", "perturbation", "--iterations", "1", "--samples", "1", "--out", out])
            .output()
            .unwrap())
    };
    let missing = scan("a").ends_with(2);
    assert!(missing.stderr.contains("inner.data") && missing.stderr.contains("one folder"), "{}", missing.stderr);
    let mut digests = Vec::new();
    for (out, last) in [("a", 0.0), ("b", 0.5)] {
        fs::write(folder.join("inner.data"), raw(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, last])).unwrap();
        let ran = scan(out);
        assert!([0, 1, 3].contains(&ran.code), "{}", ran.stderr);
        digests.push(digest(&aeva, out));
    }
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn weights_elsewhere_are_refused() {
    let aeva = Aeva::new();
    let folder = aeva.path("model");
    fs::create_dir(&folder).unwrap();
    fs::write(aeva.path("outside.data"), raw(&weights(false))).unwrap();
    let absolute = aeva.path("outside.data");
    for location in
        ["../outside.data", absolute.to_str().unwrap(), "", "missing.data", ".", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"]
    {
        fs::write(folder.join("m.onnx"), linear(external("weights", &[256, 10], location), 0)).unwrap();
        let ran = scan_in(&aeva, aeva.folder.path(), &folder.join("m.onnx"), "run").ends_with(2);
        assert!(ran.stderr.contains("m.onnx keeps weights in"), "{location}: {}", ran.stderr);
        assert!(!aeva.path("run").exists());
    }
}

#[test]
fn a_model_that_never_answers_is_given_up() {
    let aeva = Aeva::new();
    let (loop_node, tensors) = endless(i64::MAX);
    let path = aeva.path("endless.onnx");
    fs::write(&path, extended(&[loop_node], &tensors)).unwrap();
    let data = shipped("digits.npz");
    let args =
        ["scan", path.to_str().unwrap(), "--data", data.to_str().unwrap(), "--output", "y", "--answer-timeout", "0.5"];
    let ran = aeva.run(&args).ends_with(2);
    assert!(
        ran.stderr.contains("did not answer 1 image(s)") && ran.stderr.contains("--answer-timeout"),
        "{}",
        ran.stderr
    );
}

#[test]
fn models_that_claim_too_much_are_refused() {
    let aeva = Aeva::new();
    let path = aeva.path("m.onnx");
    let scan = || scan_in(&aeva, aeva.folder.path(), &path, "run").ends_with(2).stderr;
    for rows in [4097, 10_000_000, 1 << 40, 1 << 62] {
        fs::write(&path, linear(floats("weights", &[256, 10], &weights(false)), rows)).unwrap();
        let error = scan();
        assert!(error.contains("rows in its fixed batch") || error.contains("cannot load"), "{rows}: {error}");
    }
    let wide = |classes: i64| {
        let flat = node("Flatten", &["input"], "flat", &[("axis", Attribute::Int(1))]);
        let most = node("ReduceMax", &["flat"], "most", &[("axes", Attribute::Ints(vec![1]))]);
        let nodes = [flat, most, node("Expand", &["most", "shape"], "y", &[])];
        let shape = integers("shape", &[2], &[1, classes]);
        model(&graph(&nodes, &[shape], &[value("input", 1, &[0, 16, 16, 1])], &[value("y", 1, &[0, 0])]))
    };
    fs::write(&path, wide(100_001)).unwrap();
    assert!(scan().contains("100001 labels, at most 100000"));
    // A size beyond any memory: ONNX Runtime reports an error, or its bindings give up. Both count as an error of the
    // model.
    fs::write(&path, wide(1 << 62)).unwrap();
    let error = scan();
    assert!(error.contains("m.onnx") && !error.contains("panicked"), "{error}");
}
