//! The shipped models under the published rule: the infected one is flagged with its true label, the clean one is not,
//! whatever the seed.

use std::fs::File;

use ndarray::{Array2, s};
use ndarray_npy::NpzReader;

use crate::harness::Aeva;

/// Label that the shipped infected model gives to stamped images.
const TARGET: u64 = 3;

#[test]
fn the_infected_model_is_flagged_with_its_label_for_five_seeds() {
    let aeva = Aeva::new();
    for seed in ["0", "1", "2", "3", "4"] {
        let out = format!("run-{seed}");
        let ran = aeva.perturbations("digits-infected.onnx", &["--seed", seed, "--out", &out]).ends_with(1);
        assert!(
            ran.stdout.contains("BACKDOORED: digits-infected.onnx carries a backdoor to label 3 "),
            "{}",
            ran.stdout
        );
        let report = aeva.report(&out);
        assert_eq!(report["verdict"], "backdoored");
        assert_eq!(report["suspects"], serde_json::json!([TARGET]));
        for label in report["labels"].as_array().unwrap() {
            let index = label["anomaly_index"].as_f64().unwrap();
            assert_eq!(index > 4.0, label["label"] == TARGET, "seed {seed}: {label}");
        }
        // The trigger is in the lower right corner, where the perturbations of all sources agree.
        assert_eq!(report["consensus"], serde_json::json!(["evidence/consensus-3.png", "evidence/consensus-3.npz"]));
        let file = File::open(aeva.path(&out).join("evidence/consensus-3.npz")).unwrap();
        let map: Array2<f64> = NpzReader::new(file).unwrap().by_name("map").unwrap();
        let corner = map.slice(s![12.., 12..]).sum();
        assert!((map.sum() - 1.0).abs() < 1e-9 && corner > 2.0 * 16.0 / 256.0, "{corner}");
    }
}

#[test]
fn the_clean_model_is_not_flagged_for_five_seeds() {
    let aeva = Aeva::new();
    for seed in ["0", "1", "2", "3", "4"] {
        let out = format!("run-{seed}");
        let ran = aeva.perturbations("digits-clean.onnx", &["--seed", seed, "--out", &out]).ends_with(0);
        assert!(ran.stdout.contains("CLEAN: digits-clean.onnx"), "{}", ran.stdout);
        assert_eq!(aeva.report(&out)["verdict"], "clean");
    }
}

#[test]
fn the_report_has_what_it_promises() {
    let aeva = Aeva::new();
    aeva.perturbations("digits-infected.onnx", &["--iterations", "3", "--samples", "2", "--out", "run"]);
    let report = aeva.report("run");
    assert_eq!(report["schema_version"], 4);
    assert_eq!((&report["rule"], &report["triggers"]), (&serde_json::json!("published"), &serde_json::Value::Null));
    assert_eq!(report["labels"].as_array().unwrap().len(), 10);
    let pairs = report["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 90);
    for pair in pairs {
        assert_ne!(pair["source"], pair["target"]);
        assert_eq!(pair["samples"], 2);
        assert!((0.0..=1.0).contains(&pair["score"].as_f64().unwrap()));
    }
    // GAP is the sum of the label's pair scores.
    for label in report["labels"].as_array().unwrap() {
        let towards = pairs.iter().filter(|pair| pair["target"] == label["label"]);
        let sum: f64 = towards.map(|pair| pair["score"].as_f64().unwrap()).sum();
        assert!((sum - label["gap"].as_f64().unwrap()).abs() < 1e-12);
    }
    let by_phase: u64 =
        report["queries_by_phase"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(report["queries"].as_u64().unwrap(), by_phase);
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    assert!(report["clean_accuracy"].as_f64().unwrap() > 0.9);
    assert_eq!(report["parameters"]["samples"], 2);
    assert_eq!(report["parameters"]["iterations"], 3);
    assert_eq!(report["run"]["provenance"]["model"]["classes"], 10);
    assert_eq!(report["run"]["key"].as_str().unwrap().len(), 64);

    let json = aeva.run(&["judge", "run", "--json"]);
    let mut again: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    // The list of files is that of the scan.
    if let Some(files) = report.get("consensus") {
        again["consensus"] = files.clone();
    }
    assert_eq!(again, report, "`aeva judge` judges a run as its scan did");
}

/// Scanning a part of the pairs gives figures but no verdict; scanning the rest completes it.
#[test]
fn parts_of_a_scan_are_inconclusive_and_add_up() {
    let aeva = Aeva::new();
    let settings = ["--iterations", "2", "--out", "run"];
    let part = |extra: &[&str]| aeva.perturbations("digits-clean.onnx", &[&settings[..], extra].concat());
    let ran = part(&["--targets", "0-3"]).ends_with(3);
    assert!(
        ran.stdout.contains("INCONCLUSIVE") && ran.stdout.contains("54 of 90 pairs have no score"),
        "{}",
        ran.stdout
    );
    assert_eq!(aeva.artifacts("run").len(), 36);
    let labels = aeva.report("run")["labels"].clone();
    assert!(labels[0]["anomaly_index"].is_number() && labels[4]["anomaly_index"].is_null());
    part(&["--sources", "0-6", "--targets", "4-9"]).ends_with(3);
    let complete = part(&[]);
    assert!([0, 1].contains(&complete.code), "{}", complete.stderr);
    assert!(complete.stderr.contains("of 90 pairs are already in run"), "{}", complete.stderr);

    let whole = Aeva::new();
    whole.perturbations("digits-clean.onnx", &settings);
    assert_eq!(aeva.artifacts("run"), whole.artifacts("run"));
}
