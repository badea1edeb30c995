//! The trigger lens, as users run it.

use std::fs::{self, File};

use aeva_attack::classify_all;
use aeva_model::{Device, ModelFile, OnnxOptions, OnnxOracle, Preprocessing, Runtime};
use ndarray::{Array1, Array4, Axis};
use ndarray_npy::NpzReader;
use serde_json::{Value, json};

use crate::bad_input::save;
use crate::harness::{Aeva, shipped};
use crate::onnx::digits;

#[test]
fn the_infected_model_is_flagged_with_its_label_and_its_trigger_for_five_seeds() {
    let aeva = Aeva::new();
    for seed in ["0", "1", "2", "3", "4"] {
        let out = format!("run-{seed}");
        let ran = aeva.scan("digits-infected.onnx", &["--seed", seed, "--out", &out]).ends_with(1);
        assert!(
            ran.stdout.contains("BACKDOORED: digits-infected.onnx carries a backdoor to label 3 "),
            "{}",
            ran.stdout
        );
        assert!(ran.stdout.contains("hold-out images"), "{}", ran.stdout);
        let report = aeva.report(&out);
        assert_eq!((&report["verdict"], &report["rule"]), (&json!("backdoored"), &json!("combined")));
        assert_eq!(report["suspects"], json!([3]));
        assert!(report["p_value"].as_f64().unwrap() <= 0.05 && report["score"].as_f64().unwrap() > 1.3);
        let found = &report["triggers"]["found"][0];
        let (hits, trials) = (found["hits"].as_f64().unwrap(), found["trials"].as_f64().unwrap());
        assert!(hits / trials > 0.8 && trials >= 100.0, "{found}");
        assert_eq!(report["attack"], json!({"kind": "all_to_one", "targets": [3], "source": null}));
        assert_eq!(found["target_map"], json!({"kind": "all_to_one", "target": 3}));
        let interval: Vec<f64> = found["interval"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert!(interval[0] <= hits / trials && hits / trials <= interval[1]);
        for file in found["files"].as_array().unwrap() {
            assert!(aeva.path(&out).join(file.as_str().unwrap()).is_file(), "{file}");
        }
        assert!(report["queries"].as_u64().unwrap() < 500_000);
    }
}

#[test]
fn the_clean_model_is_clean_for_five_seeds() {
    let aeva = Aeva::new();
    for seed in ["0", "1", "2", "3", "4"] {
        let out = format!("run-{seed}");
        let ran = aeva.scan("digits-clean.onnx", &["--seed", seed, "--out", &out]).ends_with(0);
        assert!(ran.stdout.contains("CLEAN: nothing in digits-clean.onnx stands out"), "{}", ran.stdout);
        assert_eq!(aeva.report(&out)["suspects"], json!([]));
    }
}

/// Batch size, threads and interruptions change nothing; a damaged pass runs again.
#[test]
fn the_same_scan_gives_the_same_triggers() {
    let aeva = Aeva::new();
    let scan = |out: &str, extra: &[&str]| {
        aeva.scan(
            "digits-infected.onnx",
            &[&["--lens", "trigger", "--effort", "exhaustive", "--out", out], extra].concat(),
        )
    };
    let run = |out: &str, extra: &[&str]| {
        scan(out, extra).ends_with(1);
        aeva.files(&format!("{out}/triggers-v1"))
    };
    let reference = run("a", &[]);
    assert_eq!(
        reference.len(),
        19,
        "twelve exploring passes, and seven refining ones: some sizes of patches are the same on 16 x 16 pixels"
    );
    assert_eq!(reference, run("b", &["--threads", "1", "--batch-size", "7"]));
    fs::write(aeva.path("b/triggers-v1/overlay-16.aeva"), b"AEVA").unwrap();
    let again = scan("b", &[]).ends_with(1);
    assert!(again.stderr.contains("18 passes over triggers were already in b"), "{}", again.stderr);
    assert!(again.stderr.contains("overlay-16.aeva") && again.stderr.contains("computed again"), "{}", again.stderr);
    assert_eq!(reference, aeva.files("b/triggers-v1"));
    fs::remove_file(aeva.path("b/triggers-v1/patch-06-again.aeva")).unwrap();
    assert!(scan("b", &[]).ends_with(1).stderr.contains("18 passes over triggers were already in b"));
    assert_eq!(reference, aeva.files("b/triggers-v1"));
    let other = run("c", &["--seed", "1"]);
    assert!(reference.iter().all(|(name, bytes)| *bytes != other[name]));
}

/// Passes end as soon as the verdict is clear; a model is cleared only after all of them.
#[test]
fn a_scan_runs_the_passes_it_needs() {
    let aeva = Aeva::new();
    aeva.scan("digits-infected.onnx", &["--out", "infected"]).ends_with(1);
    let (short, report) = (aeva.files("infected/triggers-v1"), aeva.report("infected"));
    assert!(short.len() < 12, "{} passes", short.len());
    assert!(report["queries"].as_u64().unwrap() < 80_000);
    aeva.scan("digits-infected.onnx", &["--out", "infected", "--effort", "exhaustive"]).ends_with(1);
    let all = aeva.files("infected/triggers-v1");
    assert!(all.len() == 19 && short.iter().all(|(name, bytes)| all[name] == *bytes));

    aeva.scan("digits-clean.onnx", &["--out", "clean"]).ends_with(0);
    fs::remove_file(aeva.path("clean/triggers-v1/overlay-16.aeva")).unwrap();
    let judged = aeva.run(&["judge", "clean"]).ends_with(3);
    assert!(judged.stdout.contains("the scan ended after 10 passes of the trigger search"), "{}", judged.stdout);
}

#[test]
fn a_run_is_judged_again_as_its_scan_did() {
    let aeva = Aeva::new();
    aeva.scan("digits-infected.onnx", &["--out", "run"]).ends_with(1);
    let mut report = aeva.report("run");
    let judged = aeva.run(&["judge", "run", "--json"]).ends_with(1);
    let mut again: Value = serde_json::from_str(&judged.stdout).unwrap();
    // The list of files is that of the scan.
    for report in [&mut report, &mut again] {
        report["triggers"]["found"][0]["files"] = json!([]);
    }
    assert_eq!(again, report);
    assert!(aeva.run(&["inspect", "run"]).ends_with(0).stdout.contains("over triggers"));
    let squares = aeva.run(&["inspect", "run/triggers-v1/corners-04.aeva"]).ends_with(0).stdout;
    assert!(squares.contains("triggers of pass corners-04") && squares.contains("label 3"), "{squares}");
    assert!(squares.contains("most hits by all random triggers together"), "{squares}");
    assert!(squares.lines().any(|line| line.ends_with("of 320")), "{squares}");
    // No pairs were searched, so the published rule cannot decide.
    aeva.run(&["judge", "run", "--rule", "published"]).ends_with(3);
}

/// Anyone can check a trigger: stamped on all images, it has the reported effect.
#[test]
fn a_stamped_data_set_goes_to_the_target_label() {
    let aeva = Aeva::new();
    aeva.scan("digits-infected.onnx", &["--out", "run"]).ends_with(1);
    let data = shipped("digits.npz");
    let stamp = ["stamp", "run", "--data", data.to_str().unwrap()];
    aeva.run(&[&stamp[..], &["--label", "3", "--out", "stamped.npz"]].concat()).ends_with(0);
    let mut npz = NpzReader::new(File::open(aeva.path("stamped.npz")).unwrap()).unwrap();
    let (x, y): (Array4<u8>, Array1<i64>) = (npz.by_name("x").unwrap(), npz.by_name("y").unwrap());
    let options = OnnxOptions {
        device: Device::Cpu,
        image_shape: [16, 16, 1],
        layout: None,
        preprocessing: Preprocessing::default(),
        output: None,
        classes: None,
        threshold: None,
        transfer: None,
        answer_timeout: OnnxOptions::ANSWER_TIMEOUT,
    };
    let file = ModelFile::read(&shipped("digits-infected.onnx")).unwrap();
    let mut oracle = OnnxOracle::load(&Runtime::load(Device::Cpu).unwrap(), &file, &options).unwrap();
    let labels = classify_all(&mut oracle, x.mapv(|v| f32::from(v) / 255.0).view(), 64).unwrap();
    let others: Vec<u32> = labels.iter().zip(&y).filter(|(_, y)| **y != 3).map(|(label, _)| *label).collect();
    let hits = others.iter().filter(|&&label| label == 3).count();
    assert!(hits * 10 > others.len() * 8, "{hits} of {}", others.len());

    aeva.run(&[&stamp[..], &["--label", "3", "--out", "pictures"]].concat()).ends_with(0);
    assert_eq!(fs::read_dir(aeva.path("pictures")).unwrap().count(), 10, "a folder a label");
    let folder = aeva.path("pictures");
    let again = aeva.run(&["stamp", "run", "--data", folder.to_str().unwrap(), "--label", "3", "--out", "twice.npz"]);
    again.ends_with(0);
    let missing = aeva.run(&[&stamp[..], &["--label", "30", "--out", "none.npz"]].concat()).ends_with(2);
    assert!(
        missing.stderr.contains("has no trigger for label 30") && missing.stderr.contains("hint: "),
        "{}",
        missing.stderr
    );
}

#[test]
fn conflicting_options_are_refused() {
    let aeva = Aeva::new();
    let refused = |extra: &[&str], expected: &str| {
        let ran = aeva.scan("digits-clean.onnx", &[extra, &["--out", "run"]].concat()).ends_with(2);
        assert!(ran.stderr.contains(expected) && ran.stderr.contains("hint: "), "{}", ran.stderr);
        assert!(!aeva.path("run").exists());
    };
    refused(&["--sources", "1"], "name pairs of labels");
    refused(&["--lens", "trigger", "--rule", "published"], "does not use triggers");
}

/// The shipped images, at most `most` of each label.
fn some(aeva: &Aeva, most: impl Fn(i64) -> usize) -> String {
    let (images, labels) = digits();
    let mut seen = [0; 10];
    let chosen: Vec<usize> = (0..labels.len())
        .filter(|&index| {
            let label = usize::try_from(labels[index]).unwrap();
            seen[label] += 1;
            seen[label] <= most(labels[index])
        })
        .collect();
    let path = aeva.path("some.npz");
    save(&path, &images.select(Axis(0), &chosen), Some(&labels.select(Axis(0), &chosen)));
    path.to_str().unwrap().to_owned()
}

/// With too few images to measure a trigger on, triggers decide nothing, and perturbations are searched.
#[test]
fn too_few_images_show_nothing() {
    let aeva = Aeva::new();
    let (model, data) = (shipped("digits-infected.onnx"), some(&aeva, |_| 3));
    let args = ["scan", model.to_str().unwrap(), "--data", &data, "--out", "run"];
    let alone = aeva.run(&[&args[..], &["--lens", "trigger"]].concat()).ends_with(3);
    assert!(
        alone.stdout.contains("INCONCLUSIVE") && alone.stdout.contains("to measure a trigger on"),
        "{}",
        alone.stdout
    );
    assert_eq!(aeva.report("run")["queries_by_phase"]["triggers"], 0, "known before the search");
    let both = aeva.run(&args);
    assert!([1, 3].contains(&both.code), "an alarm or nothing, never clean: {}", both.stdout);
    assert!(both.stderr.contains("triggers are not searched"), "{}", both.stderr);
    let report = aeva.report("run");
    assert_eq!(report["labels"].as_array().unwrap().len(), 10);
    assert!(report["p_value"].is_number() && report["queries_by_phase"]["gradient"].as_u64().unwrap() > 0);
}

/// Triggers do not need images of every label. Perturbations do, and a report of both says that they were left out.
#[test]
fn a_label_without_images_leaves_triggers() {
    let aeva = Aeva::new();
    let (model, data) = (shipped("digits-infected.onnx"), some(&aeva, |label| if label == 4 { 0 } else { 40 }));
    let args = ["scan", model.to_str().unwrap(), "--data", &data, "--lens", "both", "--out", "run"];
    let ran = aeva.run(&args).ends_with(1);
    assert!(ran.stdout.contains("perturbations are left out") && ran.stdout.contains("to label 3 "), "{}", ran.stdout);
    assert_eq!(aeva.report("run")["suspects"], json!([3]));
}

/// Perturbations of many labels take too long; the report says that they were left out.
#[test]
fn perturbations_that_would_take_too_long_are_left_out() {
    let aeva = Aeva::new();
    let args = ["--out", "run", "--lens", "both", "--perturbation-budget", "1000"];
    let ran = aeva.scan("digits-clean.onnx", &args).ends_with(0);
    assert!(
        ran.stdout.contains("perturbations are left out") && ran.stdout.contains("1000 are allowed"),
        "{}",
        ran.stdout
    );
    assert_eq!(aeva.report("run")["pairs"], json!([]));
}

/// Other parameters of the perturbations do not make it another scan: no trigger is searched again, and both sets of
/// perturbations are kept.
#[test]
fn other_perturbations_leave_the_triggers_of_a_run() {
    let aeva = Aeva::new();
    aeva.scan("digits-infected.onnx", &["--out", "run", "--iterations", "3"]).ends_with(1);
    let triggers = aeva.files("run/triggers-v1");
    let again = aeva.scan("digits-infected.onnx", &["--out", "run", "--iterations", "5"]).ends_with(1);
    assert!(again.stderr.contains("over triggers was already in run"), "{}", again.stderr);
    assert_eq!(aeva.files("run/triggers-v1"), triggers);

    let parts = ["--out", "run", "--sources", "0", "--targets", "1"];
    let first = aeva.perturbations("digits-infected.onnx", &[&parts[..], &["--iterations", "3"]].concat());
    first.ends_with(3);
    let pairs = aeva.files("run/pairs-v1");
    let other = aeva.perturbations("digits-infected.onnx", &[&parts[..], &["--iterations", "5"]].concat());
    other.ends_with(3);
    assert_eq!(aeva.files("run/pairs-v1"), pairs);
    let names: Vec<String> = fs::read_dir(aeva.path("run"))
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_prefix("pairs-v1-").map(str::to_owned)
        })
        .collect();
    let [key] = &names[..] else { panic!("{names:?}") };
    let of = |extra: &[&str]| {
        let judged = aeva.run(&[&["judge", "run", "--json", "--rule", "published"], extra].concat()).ends_with(3);
        serde_json::from_str::<Value>(&judged.stdout).unwrap()["parameters"]["iterations"].clone()
    };
    assert_eq!((of(&[]), of(&["--perturbations", key])), (json!(3), json!(5)));
    let wrong = aeva.run(&["judge", "run", "--perturbations", "0123"]).ends_with(2);
    assert!(wrong.stderr.contains(key.as_str()) && wrong.stderr.contains("hint: "), "{}", wrong.stderr);
}
