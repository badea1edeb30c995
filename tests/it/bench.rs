//! `aeva bench`, and the script that measures a device: the tests check their output, not the speed.

use serde_json::Value;

use crate::harness::{Aeva, root, say, shipped};

fn bench(aeva: &Aeva, extra: &[&str]) -> Value {
    let model = shipped("digits-infected.onnx");
    let args = ["bench", model.to_str().unwrap(), "--rounds", "3", "--seconds", "0.05", "--json"];
    let ran = aeva.run(&[&args[..], extra].concat()).ends_with(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn figures_fit_together() {
    let aeva = Aeva::new();
    let data = shipped("digits.npz");
    for (extra, noted) in [(&[][..], true), (&["--data", data.to_str().unwrap(), "--threads", "1"], false)] {
        let figures = bench(&aeva, extra);
        let number = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("{key} in {figures}"));
        assert_eq!(figures["schema_version"], 1);
        assert_eq!(figures["image_shape"], serde_json::json!([16, 16, 1]));
        let rounds = figures["rounds"].as_array().unwrap();
        assert_eq!(rounds.len(), 3);
        let mut ratios = Vec::new();
        for round in rounds {
            let [raw, scan, ratio] = ["raw_images_per_second", "scan_queries_per_second", "ratio"]
                .map(|key| round[key].as_f64().filter(|&value| value > 0.0).unwrap());
            assert!((ratio - scan / raw).abs() < 1e-9);
            ratios.push(ratio);
        }
        ratios.sort_by(f64::total_cmp);
        assert!((number("scan_to_raw_ratio") - ratios[1]).abs() < 1e-12, "the median of the rounds");
        let share = number("scan_time_in_model");
        assert!(share > 0.0 && share <= 1.0, "{share}");
        for key in ["nanoseconds_per_value", "microseconds_per_image", "search_microseconds_per_query"] {
            assert!(figures["noise"][key].as_f64().unwrap() > 0.0, "{key}");
        }
        let workers = figures["workers"].as_u64().unwrap();
        let raw = figures["raw"].as_array().unwrap();
        assert_eq!(raw.len(), if workers > 1 { 8 } else { 4 });
        assert!(raw.iter().all(|figure| figure["images_per_second"].as_f64().unwrap() > 0.0));
        assert_eq!(!figures["notes"].as_array().unwrap().is_empty(), noted, "generated images are noted");
        assert!(figures["agreement"].is_null(), "the CPU is the reference");
    }
}

#[test]
fn the_table_says_the_same() {
    let aeva = Aeva::new();
    let model = shipped("digits-clean.onnx");
    let ran = aeva.run(&["bench", model.to_str().unwrap(), "--rounds", "1", "--seconds", "0.05"]).ends_with(0);
    for part in ["digits-clean.onnx: 16x16x1, 10 classes", "scan beside raw throughput", "median", "published setting"]
    {
        assert!(ran.stdout.contains(part), "{part} in:\n{}", ran.stdout);
    }
    assert!(std::fs::read_dir(aeva.folder.path()).unwrap().next().is_none(), "a measurement leaves nothing behind");
}

#[test]
fn unusable_inputs_are_reported() {
    let aeva = Aeva::new();
    let model = |name: &str| root().join("tests/data/models").join(name).to_str().unwrap().to_owned();
    let cases = [
        (vec![model("ties.onnx")], "the same label", "--data"),
        (vec![model("dynamic.onnx")], "[?, ?, ?, ?]", "--layout"),
        (vec![model("missing.onnx")], "missing.onnx", "path of the model"),
        (vec![model("nhwc.onnx"), "--seconds".to_owned(), "0".to_owned()], "0.01 to 3600", ""),
    ];
    for (args, found, hint) in cases {
        let args: Vec<&str> = std::iter::once("bench").chain(args.iter().map(String::as_str)).collect();
        let ran = aeva.run(&args).ends_with(2);
        assert!(ran.stderr.contains(found) && ran.stderr.contains(hint), "{args:?}:\n{}", ran.stderr);
    }
}

/// The script for machines that have nothing but a device, tried on the CPU.
#[cfg(unix)]
#[test]
fn the_device_script_measures_everything_in_one_go() {
    let aeva = Aeva::new();
    let script = root().join("xtask").join("measure-device.sh");
    let run = || {
        let output = std::process::Command::new("bash")
            .arg(&script)
            .arg(env!("CARGO_BIN_EXE_aeva"))
            .args([shipped("digits-infected.onnx"), shipped("digits.npz"), aeva.path("out")])
            .arg("cpu")
            .current_dir(aeva.folder.path())
            .env("AEVA_SCAN_OPTIONS", "--lens perturbation --samples 1 --iterations 20")
            .env("AEVA_BENCH_OPTIONS", "--rounds 1 --seconds 0.05")
            .env_remove("RUST_LOG")
            .output()
            .unwrap();
        crate::harness::ran(output).ends_with(0)
    };
    let ran = run();
    say(&ran.stdout);
    let json =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(aeva.path("out").join(name)).unwrap()).unwrap() };
    assert!(json("bench.json")["scan_to_raw_ratio"].as_f64().unwrap() > 0.0);
    assert_eq!(json("scan.json")["verdict"], "backdoored");
    assert!(std::fs::read_to_string(aeva.path("out/versions.txt")).unwrap().starts_with("aeva "));
    // A second run resumes, and has nothing left to do.
    let pairs = aeva.artifacts("out/run");
    assert!(run().stderr.contains("90 of 90 pairs are already in"));
    assert_eq!(aeva.artifacts("out/run"), pairs);
    let usage = std::process::Command::new("bash").arg(&script).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&usage.stderr).contains("measure-device.sh AEVA MODEL.onnx"));
}
