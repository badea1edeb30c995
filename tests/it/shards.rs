//! Scans that several processes share, and fleets of models.

use std::fs;
use std::thread;

use serde_json::Value;

use crate::harness::{Aeva, shipped};

const SMALL: [&str; 8] = ["--seed", "7", "--lens", "both", "--samples", "1", "--iterations", "2"];

#[test]
fn shares_are_merged_to_the_scan_that_was_never_divided() {
    let aeva = Aeva::new();
    let scan = |extra: &[&str]| aeva.scan("digits-clean.onnx", &[&SMALL[..], &["--no-html"], extra].concat());
    scan(&["--out", "whole"]).ends_with(0);
    // Two in a folder, and one in another.
    for (shard, out) in [("1/3", "run"), ("3/3", "run"), ("2/3", "part")] {
        let ran = scan(&["--out", out, "--shard", shard]).ends_with(0);
        assert!(ran.stdout.contains(" is complete: "), "{}", ran.stdout);
        assert!(!aeva.path(out).join("report.json").exists(), "a share gives no verdict");
    }
    let missing = aeva.run(&["merge", "run"]).ends_with(3);
    assert!(missing.stdout.contains("share 2 of 3: missing"), "{}", missing.stdout);
    let merged = aeva.run(&["merge", "run", "part", "--json"]).ends_with(0);
    let merged: Value = serde_json::from_str(&merged.stdout).unwrap();
    assert_eq!(
        (merged["complete"].as_bool(), merged["shards"]["3"][1]["state"].as_str()),
        (Some(true), Some("complete"))
    );
    // The rest of a scan is nothing, and its report is that of the whole.
    let last = scan(&["--out", "run"]).ends_with(0);
    assert!(last.stderr.contains("90 of 90 pairs are already"), "{}", last.stderr);
    assert_eq!(aeva.artifacts("run"), aeva.artifacts("whole"));
    let (mut found, mut expected) = (aeva.report("run"), aeva.report("whole"));
    for report in [&mut found, &mut expected] {
        report["seconds"] = Value::Null;
    }
    assert_eq!(found, expected);
}

#[test]
fn shares_that_run_together_are_the_scan_that_was_never_divided() {
    let aeva = Aeva::new();
    let scan = |extra: &[&str]| aeva.scan("digits-clean.onnx", &[&SMALL[..], &["--no-html"], extra].concat());
    scan(&["--out", "whole"]).ends_with(0);
    thread::scope(|scope| {
        for shard in ["1/3", "2/3", "3/3"] {
            scope.spawn(move || scan(&["--out", "run", "--shard", shard, "--together", "--threads", "1"]).ends_with(0));
        }
    });
    aeva.run(&["merge", "run"]).ends_with(0);
    let last = scan(&["--out", "run"]).ends_with(0);
    assert!(last.stderr.contains("12 passes over triggers were already"), "{}", last.stderr);
    assert_eq!(aeva.artifacts("run"), aeva.artifacts("whole"));
    assert!(!aeva.path("run/partial-v1").exists(), "no unfinished work is left");
}

#[test]
fn shares_that_do_not_fit_are_refused() {
    let aeva = Aeva::new();
    let scan = |extra: &[&str]| aeva.scan("digits-clean.onnx", &[&["--effort", "screen"], extra].concat());
    let drawn = scan(&["--out", "run", "--shard", "1/2", "--seed", "random"]).ends_with(2);
    assert!(drawn.stderr.contains("state it: --seed NUMBER"), "{}", drawn.stderr);
    let wrong = scan(&["--out", "run", "--shard", "3/2"]).ends_with(2);
    assert!(wrong.stderr.contains("expected K/N"), "{}", wrong.stderr);
    let alone = scan(&["--out", "run", "--together"]).ends_with(2);
    assert!(alone.stderr.contains("--shard"), "{}", alone.stderr);
    let stopped = scan(&["--out", "run", "--shard", "1/2", "--max-queries", "1500"]).ends_with(3);
    assert!(stopped.stdout.contains("is not complete"), "{}", stopped.stdout);
    let incomplete = aeva.run(&["merge", "run"]).ends_with(3);
    assert!(incomplete.stdout.contains("share 1 of 2: not complete"), "{}", incomplete.stdout);
    scan(&["--out", "other", "--shard", "2/2", "--seed", "1"]).ends_with(0);
    let other = aeva.run(&["merge", "run", "other"]).ends_with(2);
    assert!(other.stderr.contains("seed"), "{}", other.stderr);
    scan(&["--out", "whole"]).ends_with(0);
    let none = aeva.run(&["merge", "whole"]).ends_with(2);
    assert!(none.stderr.contains("has no share of a scan"), "{}", none.stderr);
}

#[test]
fn a_fleet_is_scanned_whatever_fails() {
    let aeva = Aeva::new();
    let (infected, clean, data) =
        (shipped("digits-infected.onnx"), shipped("digits-clean.onnx"), shipped("digits.npz"));
    fs::write(aeva.path("broken.onnx"), "no model").unwrap();
    let list = format!("# models\n{}\nbroken.onnx\nmissing.onnx\n{}\n", clean.display(), infected.display());
    fs::write(aeva.path("models.txt"), list).unwrap();
    let of = |shard: &[&str], code: i32| {
        let options = ["--", "--data", data.to_str().unwrap(), "--effort", "screen", "--no-html"];
        aeva.run(&[&["scan-all", "models.txt", "--out", "fleet"], shard, &options].concat()).ends_with(code)
    };
    let statuses = || {
        let fleet: Value = serde_json::from_slice(&fs::read(aeva.path("fleet/fleet.json")).unwrap()).unwrap();
        let models = fleet["models"].as_array().unwrap().clone();
        models.iter().map(|model| model["status"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    // The clean model and one that is missing.
    of(&["--shard", "1/2"], 2);
    assert_eq!(statuses(), ["clean", "waiting", "failed", "waiting"]);
    let ran = of(&[], 2);
    assert_eq!(statuses(), ["clean", "failed", "failed", "backdoored"]);
    assert!(ran.stdout.contains("1 backdoored, 2 not scanned, 1 clean"), "{}", ran.stdout);
    assert!(ran.stderr.contains("2 of 4 models could not be scanned: broken, missing"), "{}", ran.stderr);
    assert!(fs::read_to_string(aeva.path("fleet/broken.log")).unwrap().contains("error: "));
    assert!(fs::read_to_string(aeva.path("fleet/fleet.md")).unwrap().contains("| backdoored | 3 |"));
    assert_eq!(aeva.report("fleet/digits-infected")["suspects"][0], 3);
    let wrong =
        aeva.run(&["scan-all", "models.txt", "--out", "fleet", "--", "--data", "x.npz", "--out", "y"]).ends_with(2);
    assert!(wrong.stderr.contains("--out goes before `--`"), "{}", wrong.stderr);
}

#[test]
#[cfg(unix)]
fn a_fleet_that_is_told_to_stop_goes_on_later() {
    use std::process::{Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    let aeva = Aeva::new();
    let (clean, data) = (shipped("digits-clean.onnx"), shipped("digits.npz"));
    fs::write(aeva.path("models.txt"), format!("{0}\n{0}\n", clean.display())).unwrap();
    let args = ["scan-all", "models.txt", "--out", "fleet", "--", "--data", data.to_str().unwrap(), "--threads", "1"];
    let mut child = aeva.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while !aeva.path("fleet/digits-clean/triggers-v1").is_dir() {
        assert!(begin.elapsed() < Duration::from_mins(1), "the scan does not get anywhere");
        sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap();
    let statuses = || {
        let fleet: Value = serde_json::from_slice(&fs::read(aeva.path("fleet/fleet.json")).unwrap()).unwrap();
        fleet["models"].as_array().unwrap().iter().map(|model| model["status"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(statuses(), ["interrupted", "waiting"]);
    aeva.run(&args).ends_with(0);
    assert_eq!(statuses(), ["clean", "clean"]);
}
