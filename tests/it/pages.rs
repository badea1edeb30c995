//! The report for people and pipelines: the page, its pictures, names of labels, and the other formats.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Aeva, shipped};

const NAMES: &str =
    "zero\none\ntwo\n<script>alert(1)</script>\nfour\"><img src=x>\nfive\nsix\nseven\neight\nn\u{202e}ine\n";

/// Scans the infected model under a hostile file name, with hostile names of labels.
pub(crate) fn scanned(aeva: &Aeva, extra: &[&str]) -> String {
    let model = aeva.path("a'<b>.onnx");
    fs::copy(shipped("digits-infected.onnx"), &model).unwrap();
    fs::write(aeva.path("names.txt"), NAMES).unwrap();
    let args = ["scan", model.to_str().unwrap(), "--data", "digits.npz", "--out", "run", "--class-names", "names.txt"];
    fs::copy(shipped("digits.npz"), aeva.path("digits.npz")).unwrap();
    aeva.run(&[&args[..], extra].concat()).ends_with(1).stdout
}

fn page(aeva: &Aeva) -> String {
    fs::read_to_string(aeva.path("run/report.html")).unwrap()
}

#[test]
fn a_page_shows_what_a_trigger_does_to_images() {
    let aeva = Aeva::new();
    let printed = scanned(&aeva, &[]);
    assert!(printed.contains("to label 3 (<script>alert(1)</script>)"), "{printed}");
    assert!(printed.contains("n\\u{202e}ine"), "hidden characters are visible: {printed}");
    let page = page(&aeva);
    assert!(
        page.contains("a&#39;&lt;b&gt;.onnx carries a backdoor to label 3 (&lt;script&gt;alert(1)&lt;/script&gt;)")
    );
    // Names are text wherever they are; the report as data is the only element of this kind, and the page loads nothing.
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script type=\"application/json\" id=\"report\">"));
    assert!(!page.contains("<img src=x") && !page.contains('\u{202e}'));
    assert!(page.contains("default-src 'none'") && !page.contains("http://") && !page.contains("https://"));
    for section in ["triggers", "labels", "comparison", "limits", "repeat"] {
        assert!(page.contains(&format!("id=\"{section}\"")), "{section}");
    }
    // Four images, each as it is, with the trigger, and what has changed.
    assert_eq!(page.matches("<img src=\"data:image/png;base64,").count(), 12);
    assert_eq!(page.matches("and with the trigger <b>3 (").count(), 4);
    let data = page.split("id=\"report\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data, aeva.report("run"));
    assert_eq!(data["queries_by_phase"]["examples"], 4);
}

#[test]
fn a_page_is_made_again_without_the_model() {
    let aeva = Aeva::new();
    scanned(&aeva, &[]);
    let (before, report) = (page(&aeva), aeva.report("run"));
    fs::remove_file(aeva.path("run/report.html")).unwrap();
    assert!(aeva.run(&["report", "run"]).ends_with(0).stdout.trim().ends_with("report.html"));
    assert!(page(&aeva) == before && aeva.report("run") == report, "the same bytes");
    let judged = aeva.run(&["judge", "run", "--format", "html"]).ends_with(1).stdout;
    let body = |page: &str| page.split("<script").next().unwrap().to_owned();
    assert!(body(&judged) == body(&before));
    // The same scan again asks nothing and changes nothing.
    scanned(&aeva, &[]);
    assert!(page(&aeva) == before);
    // What is not the program's own is left out.
    let examples = aeva.path("run/examples.json");
    let text = fs::read_to_string(&examples).unwrap();
    fs::write(&examples, text.replace("\"before\":\"", "\"before\":\"\\\" onerror=alert(1) x=\\\"")).unwrap();
    aeva.run(&["report", "run"]).ends_with(0);
    assert!(!page(&aeva).contains("onerror"));
    fs::write(&examples, "{").unwrap();
    aeva.run(&["report", "run"]).ends_with(0);
    assert!(page(&aeva).contains("The scan kept no images"));
}

#[test]
fn a_page_never_replaces_another_verdict() {
    let aeva = Aeva::new();
    aeva.scan("digits-clean.onnx", &["--effort", "screen", "--out", "run"]).ends_with(0);
    let before = aeva.report("run");
    let ran = aeva.run(&["report", "run"]).ends_with(2);
    assert!(ran.stderr.contains("says clean, and these options say inconclusive"), "{}", ran.stderr);
    assert!(aeva.report("run") == before, "nothing is overwritten");
    aeva.run(&["report", "run", "--effort", "screen"]).ends_with(0);
}

#[test]
fn a_page_can_be_left_out() {
    let aeva = Aeva::new();
    scanned(&aeva, &["--no-html"]);
    assert!(!aeva.path("run/report.html").exists() && !aeva.path("run/examples.json").exists());
    assert_eq!(aeva.report("run")["queries_by_phase"]["examples"], 0);
}

#[test]
fn class_names_that_do_not_fit_are_refused_before_the_search() {
    let aeva = Aeva::new();
    fs::write(aeva.path("names.txt"), "zero\none\n").unwrap();
    let ran = aeva.scan("digits-clean.onnx", &["--out", "run", "--class-names", "names.txt"]).ends_with(2);
    assert!(ran.stderr.contains("it has 2 lines, and the model has 10 labels"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: write one name a line") && !aeva.path("run/report.json").exists());
}

#[test]
fn pipelines_get_their_formats() {
    let aeva = Aeva::new();
    let sarif = scanned(&aeva, &["--format", "sarif"]);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!((&sarif["version"], &run["tool"]["driver"]["name"]), (&"2.1.0".into(), &"aeva".into()));
    assert_eq!((&run["results"][0]["ruleId"], &run["results"][0]["level"]), (&"AEVA001".into(), &"error".into()));
    let place = &run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "a%27%3Cb%3E.onnx");

    let judged = |format: &str, code| aeva.run(&["judge", "run", "--format", format]).ends_with(code).stdout;
    let junit = judged("junit", 1);
    assert!(junit.contains("failures=\"1\" errors=\"0\"") && junit.contains("<failure type=\"backdoored\""), "{junit}");
    let check = "import sys, xml.dom.minidom; xml.dom.minidom.parseString(sys.argv[1].encode())";
    let parsed = Command::new("python3").args(["-I", "-c", check, &junit]).status().unwrap();
    assert!(parsed.success(), "{junit}");
    let markdown = judged("markdown", 1);
    assert!(
        markdown.starts_with("## BACKDOORED: a'&lt;b>.onnx carries a backdoor to label 3 (&lt;script>"),
        "{markdown}"
    );
    assert!(markdown.contains("| label 3 |"), "{markdown}");
}

#[test]
fn a_gate_may_let_inconclusive_scans_pass() {
    let aeva = Aeva::new();
    let limited = ["--max-queries", "3000", "--out", "run"];
    aeva.scan("digits-clean.onnx", &limited).ends_with(3);
    let ran = aeva.scan("digits-clean.onnx", &[&limited[..], &["--fail-on", "backdoored"]].concat()).ends_with(0);
    assert!(ran.stdout.contains("INCONCLUSIVE"), "{}", ran.stdout);
    let junit = aeva.run(&["judge", "run", "--format", "junit", "--fail-on", "backdoored"]).ends_with(0).stdout;
    assert!(junit.contains("errors=\"1\""), "{junit}");
    let sarif = aeva.run(&["judge", "run", "--format", "sarif"]).ends_with(3).stdout;
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "AEVA002");
    aeva.scan("digits-infected.onnx", &["--out", "other", "--fail-on", "backdoored"]).ends_with(1);
}

#[test]
fn a_delivery_is_compared_with_the_one_before() {
    let aeva = Aeva::new();
    aeva.scan("digits-clean.onnx", &["--out", "clean", "--no-html"]).ends_with(0);
    aeva.scan("digits-infected.onnx", &["--out", "infected", "--no-html"]).ends_with(1);
    let worse = aeva.run(&["diff", "clean", "infected"]).ends_with(1).stdout;
    assert!(worse.contains("new suspects: 3") && worse.contains("another model, the same data"), "{worse}");
    assert!(worse.trim_end().ends_with("WORSE: clean -> backdoored"), "{worse}");
    assert!(worse.contains("evidence of triggers: -") && worse.contains(" -> 5."), "{worse}");
    let better = aeva.run(&["diff", "infected", "clean", "--json"]).ends_with(0).stdout;
    let better: Value = serde_json::from_str(&better).unwrap();
    assert_eq!((&better["is_worse"], &better["gone_suspects"][0]), (&false.into(), &3.into()));
    let same = aeva.run(&["diff", "infected", "infected"]).ends_with(0).stdout;
    assert!(
        same.contains("the same model") && same.trim_end().ends_with("NOT WORSE: backdoored -> backdoored"),
        "{same}"
    );
}

#[test]
fn an_installation_can_be_tried() {
    let aeva = Aeva::new();
    let ran = aeva.run(&["selftest"]).ends_with(0);
    assert!(ran.stdout.contains("ok: digits-infected.onnx is backdoored, label 3 ("), "{}", ran.stdout);
    assert!(ran.stdout.contains("ok: digits-clean.onnx is clean ("), "{}", ran.stdout);
    let missing = aeva.command().args(["selftest"]).env("ORT_DYLIB_PATH", "missing.so").output().unwrap();
    let missing = crate::harness::ran(missing).ends_with(2);
    assert!(missing.stderr.contains("gave no report") && missing.stderr.contains("missing.so"), "{}", missing.stderr);
}

#[test]
fn shells_and_man_know_the_commands() {
    let aeva = Aeva::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = aeva.run(&["completions", shell]).ends_with(0).stdout;
        assert!(script.contains("calibrate") && script.contains("false-positive-rate"), "{shell}");
    }
    aeva.run(&["man", "man1"]).ends_with(0);
    let page = fs::read_to_string(aeva.path("man1/aeva-scan.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("max\\-queries"), "{page}");
    assert!(aeva.path("man1/aeva.1").is_file() && !aeva.path("man1/aeva-cli.1").exists());
}
