//! Models behind a program: images over a pipe, labels back.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::harness::{Aeva, Ran, root, shipped};
use crate::onnx::digits;

/// A file with the centres of the ten classes of the shipped digits.
pub(crate) fn centres(aeva: &Aeva) -> PathBuf {
    let (images, labels) = digits();
    let mut centres = vec![vec![0.0_f32; 256]; 10];
    for (image, &label) in images.outer_iter().zip(&labels) {
        let count = labels.iter().filter(|&&other| other == label).count() as f32;
        for (sum, value) in centres[label as usize].iter_mut().zip(&image) {
            *sum += f32::from(*value) / 255.0 / count;
        }
    }
    let path = aeva.path("the centres.json");
    fs::write(&path, serde_json::to_vec(&centres).unwrap()).unwrap();
    path
}

/// The command of the test program.
fn program(aeva: &Aeva, way: &str) -> String {
    let path = centres(aeva);
    let script = root().join("tests").join("data").join("program.py");
    format!("program:python3 \"{}\" '{}' {way}", script.display(), path.display())
}

fn scan(aeva: &Aeva, way: &str, extra: &[&str]) -> Ran {
    let (model, data) = (program(aeva, way), shipped("digits.npz"));
    aeva.run(
        &[&["scan", &model, "--data", data.to_str().unwrap(), "--effort", "screen", "--max-queries", "6000"], extra]
            .concat(),
    )
}

#[test]
fn a_program_is_scanned_like_a_file() {
    let aeva = Aeva::new();
    let first = scan(&aeva, "right", &["--out", "one"]).ends_with(3);
    assert!(first.stdout.contains("the model is known by its answers alone"), "{}", first.stdout);
    assert!(first.stderr.contains("centres/1: 10 classes"), "{}", first.stderr);
    let report = aeva.report("one");
    assert_eq!(report["model"].as_str().or(report["run"]["model_name"].as_str()), Some("centres/1"), "{report}");
    scan(&aeva, "right", &["--out", "two", "--batch-size", "7"]).ends_with(3);
    assert_eq!(aeva.files("one/triggers-v1"), aeva.files("two/triggers-v1"));
    // The same program continues the run; its name becomes the name of a folder.
    scan(&aeva, "right", &["--out", "one"]).ends_with(3);
    scan(&aeva, "right", &[]).ends_with(3);
    let runs: Vec<_> = fs::read_dir(aeva.path("runs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(runs.len() == 1 && runs[0].to_str().unwrap().starts_with("centres-1-"), "{runs:?}");
}

#[test]
fn what_a_program_does_wrong_is_named() {
    let aeva = Aeva::new();
    for (way, message) in [
        ("noisy", "answered `loading the model`, expected its number of labels"),
        ("one", "answered 1 classes, expected 2 to"),
        ("short", "labels, one for each image"),
        ("beyond", "answered the label 10, expected labels from 0 to 9"),
        ("fails", "centres/1 reports: out of memory"),
        ("ends", "centres/1 ended without an answer (exit status: 7)"),
    ] {
        let ran = scan(&aeva, way, &["--out", way]).ends_with(2);
        assert!(ran.stderr.contains(message) && ran.stderr.contains("hint:"), "{way}: {}", ran.stderr);
        assert!(!aeva.path(way).exists(), "{way}");
    }
}

#[test]
fn a_program_that_hangs_is_ended() {
    let (aeva, begin) = (Aeva::new(), Instant::now());
    let ran = scan(&aeva, "hangs", &["--answer-timeout", "0.01"]).ends_with(2);
    assert!(ran.stderr.contains("gave no answer within 2 s to a batch of 256 images"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--answer-timeout"), "{}", ran.stderr);
    assert!(begin.elapsed() < Duration::from_secs(90), "the program was waited for");
}

#[test]
fn options_of_files_and_missing_programs_are_refused() {
    let aeva = Aeva::new();
    let ran = scan(&aeva, "right", &["--value-range", "0..255"]).ends_with(2);
    assert!(ran.stderr.contains("--value-range says how images go into a model file"), "{}", ran.stderr);
    let data = shipped("digits.npz");
    let scan = |model: &str| aeva.run(&["scan", model, "--data", data.to_str().unwrap()]).ends_with(2).stderr;
    assert!(scan("program:no-such-program").contains("cannot start `no-such-program`"));
    assert!(scan("program:'x").contains("a quotation mark has no end"));
    let silent = scan("-");
    assert!(silent.contains("the program that asked for the scan ended without an answer"), "{silent}");
}
