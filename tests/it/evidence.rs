//! No alarm and no clearance without evidence: models that carry no information, and data that can show nothing.

use std::path::Path;

use ndarray::Axis;

use crate::bad_input::save;
use crate::harness::{Aeva, Ran, shipped};
use crate::onnx::{Attribute, SCORES, digits, extended, floats, node};

/// Scans a model with the given images.
fn scan(aeva: &Aeva, model: &Path, data: &Path, extra: &[&str]) -> Ran {
    scan_into(aeva, model, data, "run", extra)
}

fn scan_into(aeva: &Aeva, model: &Path, data: &Path, out: &str, extra: &[&str]) -> Ran {
    let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--out", out];
    aeva.run(&[&args[..], extra].concat())
}

/// The shipped images, selected by label and rank in their class.
fn some(aeva: &Aeva, chosen: impl Fn(i64, usize) -> bool) -> std::path::PathBuf {
    let (images, labels) = digits();
    let mut ranks = [0; 10];
    let mut wanted = Vec::new();
    for (index, &label) in labels.iter().enumerate() {
        if chosen(label, ranks[label as usize]) {
            wanted.push(index);
        }
        ranks[label as usize] += 1;
    }
    let path = aeva.path("some.npz");
    save(&path, &images.select(Axis(0), &wanted), Some(&labels.select(Axis(0), &wanted)));
    path
}

#[track_caller]
fn is_inconclusive(ran: Ran, why: &str) {
    let ran = ran.ends_with(3);
    assert!(ran.stdout.contains("INCONCLUSIVE") && ran.stdout.contains(why), "{}", ran.stdout);
    assert!(!ran.stdout.contains("found:"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("0 % of 0"), "{}", ran.stdout);
}

#[test]
fn a_model_with_constant_answers_is_refused() {
    let aeva = Aeva::new();
    let path = aeva.path("constant.onnx");
    std::fs::write(&path, extended(&[node("Mul", &[SCORES, "zero"], "y", &[])], &[floats("zero", &[1], &[0.0])]))
        .unwrap();
    for lens in ["all", "trigger", "perturbation"] {
        let ran = scan(&aeva, &path, &shipped("digits.npz"), &["--output", "y", "--lens", lens]).ends_with(2);
        assert!(ran.stderr.contains("gives label 0 to all 497 clean images"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint:") && ran.stdout.is_empty());
    }
    assert!(!aeva.path("run").exists(), "known before the search");
}

#[test]
fn a_model_at_chance_is_refused() {
    let aeva = Aeva::new();
    let (images, labels) = digits();
    let path = aeva.path("shuffled.npz");
    // Labels that are unrelated to the images, in no order that could explain them.
    let other: ndarray::Array1<i64> =
        (0_i64..).take(labels.len()).map(|index| (index * index * 7 + index / 3) % 10).collect();
    save(&path, &images, Some(&other));
    let ran = scan(&aeva, &shipped("digits-clean.onnx"), &path, &[]).ends_with(2);
    assert!(ran.stderr.contains("is at chance level") && ran.stderr.contains("Cohen's kappa"), "{}", ran.stderr);
    assert!(!aeva.path("run").exists());
}

#[test]
fn images_of_too_few_classes_show_nothing() {
    let clean = shipped("digits-clean.onnx");
    for class in [0, 3, 5, 8] {
        let aeva = Aeva::new();
        let data = some(&aeva, |label, _| label == class);
        let ran = scan(&aeva, &clean, &data, &[]).ends_with(2);
        assert!(ran.stderr.contains("has images of only 1 class; at least 3 are needed"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("clean accuracy"), "known before the model is asked: {}", ran.stderr);
    }
    let aeva = Aeva::new();
    let ran = scan(&aeva, &clean, &some(&aeva, |label, _| [4, 9].contains(&label)), &[]).ends_with(2);
    assert!(ran.stderr.contains("has images of only 2 classes"), "{}", ran.stderr);
    // One class has images to measure on, all others have a single image.
    let aeva = Aeva::new();
    let data = some(&aeva, |label, rank| label == 5 || rank == 0);
    is_inconclusive(scan(&aeva, &clean, &data, &[]), "only 1 class has images");
    assert_eq!(aeva.report("run")["queries_by_phase"]["triggers"], 0, "known before the search");
    // Enough images for an alarm, too few for a clearance.
    let aeva = Aeva::new();
    let data = some(&aeva, |label, _| label < 4);
    is_inconclusive(
        scan(&aeva, &clean, &data, &[]),
        "only 4 classes have images to measure a trigger on, 5 are needed",
    );
    let aeva = Aeva::new();
    let data = some(&aeva, |label, _| label < 4);
    scan(&aeva, &shipped("digits-infected.onnx"), &data, &[]).ends_with(1);
}

#[test]
fn few_images_never_clear_a_model() {
    for each in 1..=3 {
        let aeva = Aeva::new();
        let data = some(&aeva, |_, rank| rank < each);
        for model in ["digits-infected.onnx", "digits-clean.onnx"] {
            let ran = scan_into(&aeva, &shipped(model), &data, model, &[]);
            assert!(ran.code == 3 || ran.code == 1 && model.contains("infected"), "{model}, {each}: {}", ran.stdout);
            assert!(ran.stderr.contains("triggers are not searched"), "{}", ran.stderr);
        }
    }
}

#[test]
fn perturbations_alone_clear_no_model() {
    let aeva = Aeva::new();
    let args = ["--lens", "perturbation", "--rule", "combined", "--iterations", "4", "--samples", "1"];
    is_inconclusive(
        scan(&aeva, &shipped("digits-clean.onnx"), &shipped("digits.npz"), &args),
        "triggers were not searched",
    );
}

#[test]
fn a_model_that_answers_by_chance_is_refused() {
    let aeva = Aeva::new();
    let path = aeva.path("chance.onnx");
    for sigma in [0.001, 3.0] {
        let noise = node("RandomNormalLike", &[SCORES], "noise", &[("scale", Attribute::Float(sigma))]);
        std::fs::write(&path, extended(&[noise, node("Add", &[SCORES, "noise"], "y", &[])], &[])).unwrap();
        let ran = scan(&aeva, &path, &shipped("digits.npz"), &["--output", "y"]).ends_with(2);
        assert!(ran.stderr.contains("does not answer the same image the same way twice"), "{}", ran.stderr);
    }
}

/// A run is not continued with a model that answers differently, even if all its names are the same.
#[test]
fn a_run_remembers_the_answers_of_its_model() {
    let aeva = Aeva::new();
    let args = ["--lens", "perturbation", "--iterations", "2", "--samples", "1", "--out", "run"];
    aeva.scan("digits-clean.onnx", &args);
    let file = aeva.path("run").join("run.json");
    let text = std::fs::read_to_string(&file).unwrap();
    for (from, to) in [
        ("clean_accuracy\": 0.97", "clean_accuracy\": 0.96"),
        ("\"checksum\": \"", "\"checksum\": \"0"),
        ("\"seed\": 0", "\"seed\": 1"),
    ] {
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
        for command in [["judge", "run"], ["inspect", "run"]] {
            let ran = aeva.run(&command).ends_with(2);
            assert!(ran.stderr.contains("run.json") && !ran.stderr.contains("remove"), "{}", ran.stderr);
        }
        assert!(aeva.scan("digits-clean.onnx", &args).ends_with(2).stderr.contains("run.json"));
    }
}
