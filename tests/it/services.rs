//! What services do to images and answers, and the forms that they take.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::endpoints::{KSERVE, Service, scan};
use crate::harness::{Aeva, shipped};

/// The notes of a report as one text.
fn notes(aeva: &Aeva, run: &str) -> String {
    aeva.report(run)["run"]["notes"].to_string()
}

#[test]
fn what_a_service_does_to_images_is_told() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, "", 0);
    for (model, told) in [
        ("rounds", "rounds pixels to 8 bits"),
        ("cuts", "does not see the outer 2 pixels"),
        ("wobbles", "each is asked about"),
    ] {
        let url = service.url(&format!("v2/models/{model}"));
        let args = [&KSERVE[..], &["--out", model, "--connections", "1"]].concat();
        scan(&aeva, &url, &args[..]).ends_with(3);
        assert!(notes(&aeva, model).contains(told), "{model}: {}", notes(&aeva, model));
    }
    let url = service.url("v2/models/rounds");
    let refused = scan(&aeva, &url, &[&KSERVE[..], &["--lens", "perturbation"]].concat()).ends_with(2);
    assert!(refused.stderr.contains("sees pixels in steps of 1/255"), "{}", refused.stderr);
    let diced = scan(&aeva, &service.url("v2/models/dices"), &[&KSERVE[..], &["--out", "dices"]].concat());
    assert!(diced.stderr.contains("at chance level") || diced.stderr.contains("inconclusive"), "{}", diced.stderr);
    assert!(!aeva.path("dices").exists());
}

#[test]
fn a_model_that_changes_or_mixes_up_its_answers_is_told_and_its_folder_refused() {
    let aeva = Aeva::new();
    for model in ["changes", "mixes"] {
        let service = Service::start(&aeva, 0, "", 0);
        let url = service.url(&format!("v2/models/{model}"));
        let args = [&KSERVE[..], &["--out", model]].concat();
        let ran = scan(&aeva, &url, &args).ends_with(2);
        let is_told = ran.stderr.contains("answers differently") || ran.stderr.contains("same image");
        assert!(is_told, "{model}: {}", ran.stderr);
        // A service that mixes up its answers may be noticed before there is a folder.
        if aeva.path(model).exists() {
            let honest = Service::start(&aeva, 0, "", 0);
            let again = scan(&aeva, &honest.url(&format!("v2/models/{model}")), &args).ends_with(2);
            assert!(again.stderr.contains("is not to be used"), "{}", again.stderr);
        }
    }
    assert!(aeva.path("changes/refused.txt").is_file());
}

#[test]
fn other_forms_are_understood() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, "", 0);
    let names = r#"names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]"#;
    let file = |name: &str, text: String| fs::write(aeva.path(name), text).unwrap();
    file("picture.toml", format!("[request]\nform = \"raw\"\nimage = \"png\"\n[answer]\n{names}\n"));
    file(
        "form.toml",
        format!(
            "[request]\nform = \"multipart\"\nimage = \"png\"\nfield = \"image\"\n[answer]\npointer = \"/results/0/label\"\n{names}\n"
        ),
    );
    file(
        "base64.toml",
        "[request]\nform = \"json\"\nimage = \"png\"\njson = '{\"images\": \"$IMAGES\"}'\n[answer]\npointer = \"/answers\"\neach = \"/scores\"\n"
            .to_owned(),
    );
    let of = |path: &str, out: &str, args: &[&str]| {
        let args = [args, &["--out", out]].concat();
        scan(&aeva, &service.url(path), &args).ends_with(3);
        let report = aeva.report(out);
        assert!(!report["triggers"]["passes"].as_array().unwrap().is_empty());
        report["triggers"]["passes"].clone()
    };
    let json = of("v2/models/centres", "json", &KSERVE);
    assert_eq!(of("v2/models/centres", "binary", &["--protocol", "kserve-v2-binary"]), json);
    // A picture a request takes this service long, so the clean images are enough.
    for (protocol, path) in
        [("template", "picture"), ("template", "form"), ("template", "base64"), ("torchserve", "picture")]
    {
        let template = format!("{path}.toml");
        let args = ["--protocol", protocol, "--template", &template, "--dry-run"];
        let ran = scan(&aeva, &service.url(path), &args).ends_with(0);
        let is_the_same = ran.stderr.contains("takes pixels of 8 bits") && ran.stderr.contains("clean accuracy 84.5 %");
        assert!(is_the_same, "{}", ran.stderr);
    }

    let refused = scan(
        &aeva,
        &service.url("picture"),
        &["--protocol", "torchserve", "--template", "picture.toml", "--value-range", "0..1"],
    )
    .ends_with(2);
    assert!(refused.stderr.contains("--value-range is for numbers"), "{}", refused.stderr);
}

#[test]
fn requests_have_a_limit_and_go_on_from_there() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, "", 0);
    let url = service.url("v2/models/centres");
    let limited = [&KSERVE[..], &["--max-requests", "90", "--out", "run"]].concat();
    let ran = scan(&aeva, &url, &limited).ends_with(3);
    assert!(ran.stdout.contains("--max-requests"), "{}", ran.stdout);
    assert!(service.count().0 <= 90, "{:?}", service.count());
    let none = scan(&aeva, &url, &[&KSERVE[..], &["--max-requests", "2", "--out", "none"]].concat()).ends_with(2);
    assert!(none.stderr.contains("2 times, the limit") && none.stderr.contains("hint:"), "{}", none.stderr);
    scan(&aeva, &url, &[&KSERVE[..], &["--out", "run"]].concat()).ends_with(3);
    scan(&aeva, &url, &[&KSERVE[..], &["--out", "whole"]].concat()).ends_with(3);
    assert_eq!(aeva.files("run/triggers-v1"), aeva.files("whole/triggers-v1"));
}

#[test]
fn a_killed_scan_pays_for_no_image_twice() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, "", 0);
    let url = service.url("v2/models/centres");
    let args = |out: &str| [&KSERVE[..], &["--connections", "2", "--out", out]].concat().join(" ");
    scan(&aeva, &url, &args("whole").split(' ').collect::<Vec<_>>()).ends_with(3);
    let (_, whole) = service.count();
    // What is asked before the search.
    let dry = [&args("dry")[..], "--dry-run"].join(" ");
    scan(&aeva, &url, &dry.split(' ').collect::<Vec<_>>()).ends_with(0);
    let begin = service.count().1;
    let start = begin - whole;

    let mut command = aeva.command();
    let data = shipped("digits.npz");
    command.args(["scan", &url, "--data", data.to_str().unwrap(), "--effort", "screen", "--max-queries", "8000"]);
    let mut child = command.args(args("run").split(' ')).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while service.count().1 < begin + start + 2500 && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
    // The process that scans is a child of the one that was started: both end.
    let _ = Command::new("pkill").args(["-KILL", "-P", &child.id().to_string()]).status().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut said = String::new();
    let _ = child.stderr.take().unwrap().read_to_string(&mut said);
    thread::sleep(Duration::from_millis(500));
    let killed = service.count().1 - begin;
    assert!(killed < whole, "it was killed in mid-scan: {said}");
    scan(&aeva, &url, &args("run").split(' ').collect::<Vec<_>>()).ends_with(3);
    let both = service.count().1 - begin;
    assert_eq!(aeva.files("run/triggers-v1"), aeva.files("whole/triggers-v1"));
    // Two requests under way, the probes among the images, and a part of the start, to see that the model is the same.
    let most = whole + start / 8 + 2 * 64 + whole / 64;
    assert!(both <= most, "{both} images for both, {whole} for a whole scan, {start} for a start");
    assert!(aeva.path("run/partial-v1/start.answers").is_file(), "it has not ended");
    // Another model is there now: what was answered before does not hide it.
    let other = service.url("v2/models/cuts");
    let ran = scan(&aeva, &other, &args("run").split(' ').collect::<Vec<_>>()).ends_with(2);
    assert!(ran.stderr.contains("answers differently than before"), "{}", ran.stderr);
    assert!(ran.stderr.contains("run"), "{}", ran.stderr);
}

#[test]
fn the_form_of_a_service_is_found_by_trying() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, "", 0);
    let data = shipped("digits.npz");
    let probe = |path: &str| aeva.run(&["probe", &service.url(path), "--data", data.to_str().unwrap()]);
    for (path, protocol) in
        [("v2/models/centres", "kserve-v2"), ("v1/models/centres", "tf-serving"), ("invocations", "mlflow")]
    {
        let ran = probe(path).ends_with(0);
        assert!(ran.stdout.contains(&format!("--protocol {protocol} ")), "{}{}", ran.stdout, ran.stderr);
    }
    assert!(probe("labels").ends_with(0).stdout.contains("--classes N"));
    for (path, expected) in [("picture", "form = \"raw\""), ("form", "field = \"image\"")] {
        let ran = probe(path).ends_with(0);
        assert!(ran.stdout.contains(expected) && ran.stdout.contains("names = []"), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("status 4"), "{}", ran.stderr);
    }
    let nothing = probe("nothing").ends_with(2);
    assert!(nothing.stderr.contains("understands none of the known forms"), "{}", nothing.stderr);
}
