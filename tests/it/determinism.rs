//! The same scan gives the same bytes, whatever the batch size, the threads and the interruptions.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Aeva, ran, shipped};

const SETTINGS: [&str; 4] = ["--iterations", "4", "--samples", "2"];

#[test]
fn batch_size_and_threads_change_nothing() {
    let aeva = Aeva::new();
    let run = |out: &str, extra: &[&str]| {
        aeva.perturbations("digits-infected.onnx", &[&SETTINGS[..], &["--out", out], extra].concat());
        aeva.artifacts(out)
    };
    let reference = run("a", &[]);
    assert_eq!(reference.len(), 90);
    assert_eq!(reference, run("b", &[]), "the same scan twice");
    assert_eq!(reference, run("c", &["--batch-size", "1", "--threads", "1"]));
    assert_eq!(reference, run("d", &["--batch-size", "37", "--threads", "3"]));
    assert_eq!(reference, run("e", &["--batch-size", "500"]));
    let other_seed = run("f", &["--seed", "1"]);
    assert!(reference.iter().all(|(name, bytes)| *bytes != other_seed[name]), "another seed must give other noise");
}

/// A scan that is interrupted with Ctrl-C after its first pairs ends with 130, keeps them, and continues to the same
/// bytes.
#[cfg(unix)]
#[test]
fn an_interrupted_scan_continues_where_it_was() {
    let aeva = Aeva::new();
    let settings = ["--iterations", "20", "--threads", "1"];
    let mut child = aeva
        .command()
        .arg("scan")
        .arg(shipped("digits-infected.onnx"))
        .arg("--data")
        .arg(shipped("digits.npz"))
        .args(settings)
        .args(["--lens", "perturbation", "--out", "run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pairs = aeva.path("run").join("pairs-v1");
    let finished = || {
        std::fs::read_dir(&pairs).map_or(0, |entries| {
            entries.filter(|e| e.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == "aeva"))).count()
        })
    };
    let begin = Instant::now();
    while finished() < 3 && begin.elapsed() < Duration::from_mins(1) {
        thread::sleep(Duration::from_millis(5));
    }
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let ran = {
        child.wait().unwrap();
        ran(child.wait_with_output().unwrap())
    }
    .ends_with(130);
    assert!(ran.stderr.contains("start the same command again to continue"), "{}", ran.stderr);
    let kept = aeva.artifacts("run");
    assert!(kept.len() >= 3 && kept.len() < 90, "{} pairs", kept.len());
    assert_eq!(aeva.report("run")["verdict"], "inconclusive");

    let again = aeva.perturbations("digits-infected.onnx", &[&settings[..], &["--out", "run"]].concat());
    assert!(again.stderr.contains(&format!("{} of 90 pairs are already in run", kept.len())), "{}", again.stderr);
    aeva.perturbations("digits-infected.onnx", &[&settings[..], &["--out", "whole"]].concat());
    assert_eq!(aeva.artifacts("run"), aeva.artifacts("whole"));
}

/// A drawn seed is in the report, and repeats and continues the scan.
#[test]
fn a_drawn_seed_is_named() {
    let aeva = Aeva::new();
    let part = ["--sources", "0", "--targets", "1", "--iterations", "1", "--out", "run"];
    let scan = |seed: &str| aeva.perturbations("digits-clean.onnx", &[&part[..], &["--seed", seed]].concat());
    scan("random").ends_with(3);
    let report = aeva.report("run");
    let seed = report["parameters"]["seed"].as_u64().unwrap();
    assert_eq!(report["run"]["provenance"]["seed"], seed);
    let again = scan(&seed.to_string()).ends_with(3);
    assert!(again.stderr.contains("1 of 1 pairs are already in run"), "{}", again.stderr);
    // Another one is drawn, and the run does not take it.
    let other = scan("random").ends_with(2);
    assert!(other.stderr.contains("seed"), "{}", other.stderr);
    let wrong = scan("0.5").ends_with(2);
    assert!(wrong.stderr.contains("`random`"), "{}", wrong.stderr);
}

/// A damaged artifact is computed again; a foreign one is never used.
#[test]
fn damaged_artifacts_are_computed_again() {
    let aeva = Aeva::new();
    let scan = || aeva.perturbations("digits-clean.onnx", &["--iterations", "2", "--out", "run"]);
    scan();
    let whole = aeva.artifacts("run");
    let pair = |name: &str| aeva.path("run").join("pairs-v1").join(name);
    let bytes = &whole["0000-0001.aeva"];
    std::fs::write(pair("0000-0001.aeva"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(pair("0003-0004.aeva"), bytes).unwrap();
    let judged = aeva.run(&["judge", "run"]).ends_with(2);
    assert!(judged.stderr.contains("0000-0001.aeva") && judged.stderr.contains("hint:"), "{}", judged.stderr);
    let again = scan();
    assert!(again.stderr.contains("88 of 90 pairs are already in run"), "{}", again.stderr);
    assert_eq!(aeva.artifacts("run"), whole);
}
