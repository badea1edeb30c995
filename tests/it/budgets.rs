//! Limits of a scan, and the estimate of its cost.

use crate::harness::Aeva;

const TRIGGERS: [&str; 4] = ["--lens", "trigger", "--threads", "1"];

fn queries(aeva: &Aeva, run: &str) -> u64 {
    aeva.report(run)["queries"].as_u64().unwrap()
}

#[test]
fn a_scan_ends_at_its_limit_and_goes_on_with_a_higher_one() {
    let aeva = Aeva::new();
    aeva.scan("digits-clean.onnx", &[&TRIGGERS[..], &["--out", "whole"]].concat()).ends_with(0);
    let whole = queries(&aeva, "whole");
    for limit in [600, 20_000, whole / 2] {
        let ran = aeva.scan(
            "digits-clean.onnx",
            &[&TRIGGERS[..], &["--out", "run", "--max-queries", &limit.to_string()]].concat(),
        );
        let ran = ran.ends_with(3);
        assert!(ran.stdout.contains("INCONCLUSIVE") && ran.stdout.contains("--max-queries"), "{}", ran.stdout);
        assert!(queries(&aeva, "run") <= limit, "{} of {limit}", queries(&aeva, "run"));
    }
    aeva.scan("digits-clean.onnx", &[&TRIGGERS[..], &["--out", "run", "--max-queries", &whole.to_string()]].concat());
    aeva.scan("digits-clean.onnx", &[&TRIGGERS[..], &["--out", "run"]].concat()).ends_with(0);
    assert_eq!(aeva.files("run/triggers-v1"), aeva.files("whole/triggers-v1"));
    assert_eq!(queries(&aeva, "run"), whole);
    // A clear verdict before the limit counts.
    let ran =
        aeva.scan("digits-infected.onnx", &[&TRIGGERS[..], &["--out", "infected", "--max-queries", "60000"]].concat());
    ran.ends_with(1);
}

#[test]
fn a_scan_ends_when_its_time_is_over() {
    let aeva = Aeva::new();
    for lens in ["trigger", "perturbation"] {
        let args = ["--lens", lens, "--iterations", "40", "--out", lens, "--max-time", "0.3s", "--threads", "1"];
        let ran = aeva.scan("digits-clean.onnx", &args).ends_with(3);
        assert!(ran.stdout.contains("--max-time"), "{}", ran.stdout);
    }
}

#[test]
fn a_dry_run_searches_and_writes_nothing() {
    let aeva = Aeva::new();
    let ran = aeva.scan("digits-infected.onnx", &["--dry-run", "--out", "run"]).ends_with(0);
    for part in [
        "nothing was searched",
        "passes over triggers: 12",
        "queries: about",
        "time: about",
        "memory: at most",
        "--effort screen: about",
        "in the evaluation it called",
    ] {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    assert!(!aeva.path("run").exists() && !aeva.path("runs").exists());
    let json = aeva.scan("digits-infected.onnx", &["--dry-run", "--json"]).ends_with(0);
    let estimate: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let (least, most) = (estimate["queries"][0].as_u64().unwrap(), estimate["queries"][1].as_u64().unwrap());
    let efforts = estimate["efforts"].as_array().unwrap();
    let named: Vec<&str> = efforts.iter().map(|effort| effort["effort"].as_str().unwrap()).collect();
    assert_eq!(named, ["screen", "standard", "exhaustive"]);
    assert_eq!(efforts[1]["queries"], estimate["queries"]);
    // A clean model takes about as many queries as estimated.
    aeva.scan("digits-clean.onnx", &["--out", "run"]).ends_with(0);
    let taken = queries(&aeva, "run");
    assert!(2 * taken > least && taken < most, "{taken} of {least} to {most}");
    // A screen takes far fewer, and says how little it sees. Its passes are a part of the others.
    let screen = aeva.scan("digits-clean.onnx", &["--out", "screen", "--effort", "screen"]).ends_with(0);
    assert!(screen.stdout.contains("a screen is a first answer: in the evaluation"), "{}", screen.stdout);
    aeva.run(&["judge", "screen", "--effort", "screen"]).ends_with(0);
    aeva.run(&["judge", "screen"]).ends_with(3);
    assert!(queries(&aeva, "screen") < 25_000 && taken > 3 * queries(&aeva, "screen"));
    let (all, some) = (aeva.files("run/triggers-v1"), aeva.files("screen/triggers-v1"));
    assert!(some.len() == 6 && some.iter().all(|(name, bytes)| all[name] == *bytes));
}
