//! Models behind a prediction service on loopback.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::{Aeva, Ran, root, shipped};
use crate::programs::centres;

const TOKEN: &str = "geheim-4711";

/// The service of `tests/data/service.py`. It ends with its input, so with this.
pub(crate) struct Service {
    child: Child,
    port: String,
}

impl Service {
    pub(crate) fn start(aeva: &Aeva, faults: u32, token: &str, last: u32) -> Self {
        let script = root().join("tests").join("data").join("service.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg(centres(aeva))
            .args([&faults.to_string(), token, &last.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Requests and images that it was asked about.
    pub(crate) fn count(&self) -> (u64, u64) {
        let mut line = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        line.write_all(b"GET /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        let count: Value = serde_json::from_str(answer.rsplit("\r\n").next().unwrap()).unwrap();
        (count["requests"].as_u64().unwrap(), count["images"].as_u64().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn scan(aeva: &Aeva, url: &str, extra: &[&str]) -> Ran {
    let data = shipped("digits.npz");
    let args = ["scan", url, "--data", data.to_str().unwrap(), "--effort", "screen", "--max-queries", "8000"];
    aeva.run(&[&args[..], extra].concat())
}

pub(crate) const KSERVE: [&str; 2] = ["--protocol", "kserve-v2"];

#[test]
fn every_protocol_gives_the_same_triggers() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, "", 0);
    let mut seen: Vec<Value> = Vec::new();
    for (protocol, path, extra) in [
        ("kserve-v2", "v2/models/centres", &["--connections", "1"][..]),
        ("tf-serving", "v1/models/centres", &["--request-images", "7"]),
        ("mlflow", "invocations", &[]),
        ("mlflow", "labels", &["--classes", "10", "--value-range", "0..1"]),
    ] {
        let out = format!("{protocol}-{}", seen.len());
        let args = [&["--protocol", protocol, "--out", &out][..], extra].concat();
        let ran = scan(&aeva, &service.url(path), &args).ends_with(3);
        assert!(ran.stdout.contains("the model is known by its answers alone"), "{}", ran.stdout);
        seen.push(aeva.report(&out));
    }
    assert_eq!(seen[0]["run"]["model_name"], "centres");
    assert!(!seen[0]["triggers"]["passes"].as_array().unwrap().is_empty());
    for other in &seen[1..] {
        assert_eq!(other["triggers"]["passes"], seen[0]["triggers"]["passes"]);
        assert_eq!(other["run"]["clean_answers"], seen[0]["run"]["clean_answers"]);
        assert_eq!(other["run"]["provenance"]["model"]["sha256"], seen[0]["run"]["provenance"]["model"]["sha256"]);
    }
}

#[test]
fn faults_of_a_service_change_nothing_and_lose_nothing() {
    let aeva = Aeva::new();
    let (good, bad) = (Service::start(&aeva, 0, "", 0), Service::start(&aeva, 3, "", 0));
    for (service, out) in [(&good, "good"), (&bad, "bad")] {
        scan(
            &aeva,
            &service.url("v2/models/centres"),
            &[&KSERVE[..], &["--out", out, "--request-images", "16"]].concat(),
        )
        .ends_with(3);
    }
    assert_eq!(aeva.files("good/triggers-v1"), aeva.files("bad/triggers-v1"));
    let [good_report, bad_report] = ["good", "bad"].map(|out| aeva.report(out));
    assert_eq!(good_report["queries_by_phase"]["triggers"], bad_report["queries_by_phase"]["triggers"]);
    let ((plain, images), (with_faults, again)) = (good.count(), bad.count());
    assert!(with_faults - plain >= plain / 3, "{with_faults} requests beside {plain}");
    // Each of the four connections sends a known image with every 63 others, so their number depends on who asked what.
    assert!(images.abs_diff(again) <= 4, "images answered twice or left out: {again} beside {images}");
}

#[test]
fn a_service_that_ends_loses_nothing_that_was_answered() {
    let aeva = Aeva::new();
    let whole = Service::start(&aeva, 0, "", 0);
    let calm = ["--connections", "1", "--request-images", "64"];
    let args = [&KSERVE[..], &calm, &["--request-tries", "1", "--out", "run"]].concat();
    scan(&aeva, &whole.url("v2/models/centres"), &[&KSERVE[..], &calm, &["--out", "whole"]].concat()).ends_with(3);
    let (_, images) = whole.count();
    let short = Service::start(&aeva, 0, "", 150);
    let ended = scan(&aeva, &short.url("v2/models/centres"), &args).ends_with(2);
    assert!(
        ended.stderr.contains("cannot be reached after 1 tries") && ended.stderr.contains("hint:"),
        "{}",
        ended.stderr
    );
    let before = whole.count().1;
    assert!(aeva.path("run/triggers-v1").is_dir(), "{}", ended.stderr);
    scan(&aeva, &whole.url("v2/models/centres"), &args).ends_with(3);
    let rest = whole.count().1 - before;
    assert!(rest < images, "{rest} images for the rest, {images} for all");
    assert_eq!(aeva.files("run/triggers-v1"), aeva.files("whole/triggers-v1"));
}

#[test]
fn a_token_is_sent_and_in_no_file_and_no_message() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, TOKEN, 0);
    let url = service.url("v2/models/centres");
    let with = |token: &str, extra: &[&str]| {
        let data = shipped("digits.npz");
        let mut command = aeva.command();
        command.args([
            "-vv",
            "scan",
            &url,
            "--data",
            data.to_str().unwrap(),
            "--effort",
            "screen",
            "--max-queries",
            "3000",
        ]);
        command.args(KSERVE).args(extra).env("SERVICE_TOKEN", token);
        crate::harness::ran(command.output().unwrap())
    };
    let without = with("", &["--out", "none"]).ends_with(2);
    assert!(without.stderr.contains("status 401") && without.stderr.contains("--token-env"), "{}", without.stderr);
    let wrong = with("falsch", &["--out", "none", "--token-env", "SERVICE_TOKEN"]).ends_with(2);
    assert!(wrong.stderr.contains("not Bearer ***"), "{}", wrong.stderr);
    let right = with(TOKEN, &["--out", "run", "--token-env", "SERVICE_TOKEN"]).ends_with(3);
    fs::write(aeva.path("token"), format!("{TOKEN}\n")).unwrap();
    let of_file = with("", &["--out", "run", "--token-file", "token"]).ends_with(3);
    fs::remove_file(aeva.path("token")).unwrap();
    for printed in [&right.stdout, &right.stderr, &of_file.stdout, &of_file.stderr] {
        assert!(!printed.contains(TOKEN), "{printed}");
    }
    let mut folders = vec![aeva.path("run")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{}", entry.path().display());
            files += 1;
        }
    }
    assert!(files > 2);
}

#[test]
fn what_is_no_service_is_refused() {
    let aeva = Aeva::new();
    let service = Service::start(&aeva, 0, "", 0);
    let error = |url: &str, extra: &[&str]| {
        let ran = scan(&aeva, url, extra).ends_with(2);
        assert!(ran.stderr.contains("hint:"), "{}", ran.stderr);
        ran.stderr
    };
    let url = service.url("v2/models/centres");
    assert!(error(&url, &[]).contains("the protocol of the service is not stated"));
    assert!(error(&url, &[&KSERVE[..], &["--output", "x"]].concat()).contains("--output is for model files"));
    assert!(error(&service.url("v1/models/other"), &["--protocol", "tf-serving"]).contains("status 404"));
    assert!(error(&service.url("labels"), &["--protocol", "mlflow"]).contains("--classes"));
    assert!(error("http://me:geheim@127.0.0.1/x", &KSERVE).contains("a password"));
    let gone = error("http://127.0.0.1:9/v2/models/x", &[&KSERVE[..], &["--request-tries", "1"]].concat());
    assert!(gone.contains("cannot be reached after 1 tries"), "{gone}");
    assert!(!aeva.path("runs").exists());
}
