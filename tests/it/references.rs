//! Clean models of the user's that a model is compared with.

use std::fs;
use std::path::Path;

use ndarray::{Array1, Array4, Axis};
use serde_json::{Value, json};

use crate::bad_input::save;
use crate::harness::{Aeva, shipped};
use crate::onnx::{digits, two_digits};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_clean_model_joins_those_that_are_built_in() {
    let aeva = Aeva::new();
    let (clean, data) = (text(&shipped("digits-clean.onnx")), text(&shipped("digits.npz")));
    let made = aeva.run(&["calibrate", &clean, "--data", &data, "--out", "own"]).ends_with(0);
    assert!(made.stdout.contains("1 clean models of 10 labels in own:"), "{}", made.stdout);
    // It is finished: nothing is asked again, and nothing changes.
    let files = aeva.files("own/digits-clean.onnx/triggers-v1");
    aeva.run(&["calibrate", &clean, "--data", &data, "--out", "own"]).ends_with(0);
    assert_eq!(aeva.files("own/digits-clean.onnx/triggers-v1"), files);

    let models = |report: &Value| report["triggers"]["null"]["scans"].as_u64().unwrap();
    aeva.scan("digits-infected.onnx", &["--out", "run"]).ends_with(1);
    let built_in = models(&aeva.report("run"));
    aeva.scan("digits-infected.onnx", &["--out", "run", "--reference", "own"]).ends_with(1);
    assert_eq!(models(&aeva.report("run")), built_in + 1);
    let judged = aeva.run(&["judge", "run", "--json", "--reference", "own/digits-clean.onnx"]).ends_with(1);
    assert_eq!(models(&serde_json::from_str(&judged.stdout).unwrap()), built_in + 1);
    // A model says nothing about itself.
    let own = aeva.run(&["judge", "own/digits-clean.onnx", "--json", "--reference", "own"]).ends_with(0);
    assert_eq!(models(&serde_json::from_str(&own.stdout).unwrap()), built_in);
    assert!(own.stderr.contains("one of its own references"), "{}", own.stderr);
}

#[test]
fn what_cannot_be_compared_with_is_named() {
    let aeva = Aeva::new();
    fs::create_dir(aeva.path("empty")).unwrap();
    let clean = text(&shipped("digits-clean.onnx"));
    let refused = aeva.scan("digits-infected.onnx", &["--reference", "empty"]).ends_with(2);
    assert!(refused.stderr.contains("empty has no run folders in it"), "{}", refused.stderr);
    assert!(refused.stderr.contains("aeva calibrate"), "{}", refused.stderr);
    aeva.scan("digits-clean.onnx", &["--lens", "trigger", "--max-queries", "20000", "--out", "part"]).ends_with(3);
    let unfinished = aeva.scan("digits-infected.onnx", &["--reference", "part"]).ends_with(2);
    assert!(unfinished.stderr.contains("was not finished"), "{}", unfinished.stderr);
    let model = aeva.run(&["judge", "part", "--reference", &clean]).ends_with(2);
    assert!(model.stderr.contains("a model cannot be scanned here"), "{}", model.stderr);
}

/// With two labels, one is always easier to reach, so nobody else's models can say whether that is much. Nineteen of the
/// user's own can.
#[test]
fn two_labels_can_be_judged_with_nineteen_models_of_the_task() {
    let aeva = Aeva::new();
    let (images, labels) = digits();
    let two: Vec<usize> = (0..labels.len()).filter(|&at| labels[at] < 2).collect();
    let images: Array4<u8> = images.select(Axis(0), &two);
    let labels: Array1<i64> = labels.select(Axis(0), &two);
    save(&aeva.path("two.npz"), &images, Some(&labels));
    fs::create_dir(aeva.path("clean")).unwrap();
    let mut models: Vec<String> = Vec::new();
    for number in 0..20_u8 {
        let name = format!("clean/{number:02}.onnx");
        fs::write(aeva.path(&name), two_digits(0.0, 0.2 * (f32::from(number) - 10.0))).unwrap();
        models.push(name);
    }
    fs::write(aeva.path("infected.onnx"), two_digits(60.0, 0.0)).unwrap();
    let alone = aeva.run(&["scan", "infected.onnx", "--data", "two.npz", "--out", "alone"]).ends_with(2);
    assert!(alone.stderr.contains("at least 3 are needed"), "{}", alone.stderr);

    let mut command = vec!["calibrate"];
    command.extend(models[..19].iter().map(String::as_str));
    command.extend(["--data", "two.npz", "--out", "own", "--threads", "1"]);
    let made = aeva.run(&command).ends_with(0);
    assert!(made.stdout.contains("19 clean models of 2 labels in own"), "{}", made.stdout);
    assert!(made.stdout.contains("the smallest p-value is 0.050"), "{}", made.stdout);
    let scan = |model: &str, out: &str| {
        aeva.run(&["scan", model, "--data", "two.npz", "--out", out, "--reference", "own", "--threads", "1"])
    };
    let infected = scan("infected.onnx", "run").ends_with(1);
    assert!(infected.stdout.contains("infected.onnx carries a backdoor to label 1 (p = 0.050"), "{}", infected.stdout);
    let report = aeva.report("run");
    assert_eq!((&report["triggers"]["null"]["scans"], &report["suspects"]), (&json!(19), &json!([1])));
    scan("clean/19.onnx", "clean-run").ends_with(0);
}
