//! `aeva doctor` and `aeva convert`: what is here, before a scan.

use std::fs;

use crate::harness::{Aeva, shipped};

#[test]
fn the_doctor_looks_at_runtime_model_and_data() {
    let aeva = Aeva::new();
    let alone = aeva.run(&["doctor"]).ends_with(0);
    assert!(alone.stdout.contains("ok      ONNX Runtime 1."), "{}", alone.stdout);
    let data = shipped("digits.npz");
    let model = shipped("digits-clean.onnx");
    let args = ["doctor", model.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let both = aeva.run(&args).ends_with(0);
    for part in [
        "497 images of 16 x 16 x 1 in 10 classes, 46 to 57 of each",
        "digits-clean.onnx: 10 labels; input 16x16x1 nhwc",
        "97.4 % of the 497 images are classified correctly",
        "nothing was searched",
        "--effort screen: about",
    ] {
        assert!(both.stdout.contains(part), "{part} is not in\n{}", both.stdout);
    }
    assert!(!both.stdout.contains("warning"), "{}", both.stdout);
    assert!(!aeva.path("runs").exists(), "nothing is written");
}

#[test]
fn what_cannot_be_converted_here_says_where() {
    let aeva = Aeva::new();
    fs::write(aeva.path("model.h5"), b"").unwrap();
    let ran = aeva.run(&["convert", "model.h5", "--out", "model.onnx"]).ends_with(2);
    assert!(ran.stderr.contains("the Python package `aeva`") && ran.stderr.contains("hint:"), "{}", ran.stderr);
    assert!(!aeva.path("model.onnx").exists());
}
