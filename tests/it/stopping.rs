//! Stop signals: a scan stops within one batch, with a message, and without losing answers.
#![cfg(unix)]

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::{Aeva, shipped};

/// Searches through both lenses that take some seconds.
const LENSES: [&[&str]; 2] =
    [&["--lens", "trigger"], &["--lens", "perturbation", "--samples", "2", "--iterations", "14"]];

fn start(aeva: &Aeva, out: &str, extra: &[&str]) -> Child {
    let (model, data) = (shipped("digits-clean.onnx"), shipped("digits.npz"));
    let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--out", out, "--threads", "1"];
    aeva.command().args(args).args(extra).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until a scan has results, so that it is stopped in the middle.
fn wait_for_results(aeva: &Aeva, out: &str, count: usize) {
    let begin = Instant::now();
    let there = || {
        let folders = ["triggers-v1", "pairs-v1"].map(|name| aeva.path(out).join(name));
        folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).map(Iterator::count).sum::<usize>()
    };
    while there() < count {
        assert!(begin.elapsed() < Duration::from_mins(1), "the scan does not get anywhere");
        sleep(Duration::from_millis(2));
    }
    // Long enough to be in the next piece of work.
    sleep(Duration::from_millis(60));
}

fn end(mut child: Child) -> (std::process::ExitStatus, String) {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (child.wait().unwrap(), text)
}

#[test]
fn each_signal_stops_a_scan_that_can_be_resumed() {
    let mut in_the_middle = 0;
    for (lens, extra) in LENSES.iter().enumerate() {
        let aeva = Aeva::new();
        let (status, _) = end(start(&aeva, "whole", extra));
        let code = status.code();
        let folder = if lens == 0 { "triggers-v1" } else { "pairs-v1" };
        for (signal, ends, wait) in [("-INT", None, 2), ("-TERM", Some(15), 4), ("-HUP", Some(1), 1)] {
            let out = format!("stopped{signal}");
            let child = start(&aeva, &out, extra);
            wait_for_results(&aeva, &out, wait);
            let begin = Instant::now();
            send(&child, signal);
            let (status, text) = end(child);
            assert!(begin.elapsed() < Duration::from_secs(5), "{signal}: {:?}", begin.elapsed());
            match ends {
                None => assert_eq!(status.code(), Some(130), "{signal}: {text}"),
                Some(number) => assert_eq!(status.signal(), Some(number), "{signal}: {status} {text}"),
            }
            assert!(text.contains("stopping after the current batch"), "{text}");
            assert!(text.contains("the same command again"), "{text}");
            // The answers to the current work are stored and reused. There are none if a pass had just ended.
            let partial = aeva.path(&out).join("partial-v1");
            let kept = std::fs::read_dir(&partial).map_or(0, Iterator::count);
            assert!(kept <= 1, "{signal}: {kept} pieces of work");
            in_the_middle += kept;
            let (status, text) = end(start(&aeva, &out, extra));
            assert_eq!(status.code(), code, "{text}");
            assert_eq!(text.contains("continuing"), kept == 1, "{text}");
            assert!(!partial.exists());
            assert_eq!(aeva.files(&format!("{out}/{folder}")), aeva.files(&format!("whole/{folder}")));
            for figure in ["verdict", "p_value", "queries", "labels", "clean_accuracy"] {
                assert_eq!(aeva.report(&out)[figure], aeva.report("whole")[figure], "{figure}");
            }
        }
    }
    assert!(in_the_middle >= 2, "{in_the_middle} of six stops were in the middle of something");
}

#[test]
fn a_second_signal_ends_a_scan_at_once() {
    let aeva = Aeva::new();
    let (endless, tensors) = crate::onnx::endless(i64::MAX);
    let path = aeva.path("endless.onnx");
    std::fs::write(&path, crate::onnx::extended(&[endless], &tensors)).unwrap();
    let data = shipped("digits.npz");
    let args =
        ["scan", path.to_str().unwrap(), "--data", data.to_str().unwrap(), "--output", "y", "--answer-timeout", "600"];
    let child = aeva.command().args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    sleep(Duration::from_millis(1500));
    let begin = Instant::now();
    send(&child, "-INT");
    sleep(Duration::from_millis(300));
    send(&child, "-INT");
    let (status, text) = end(child);
    assert_eq!(status.code(), Some(130), "{text}");
    assert!(begin.elapsed() < Duration::from_secs(3) && !text.contains("error"), "{text}");
}

/// The supervising process reports what killed the process that runs the model.
#[test]
fn a_crash_is_reported() {
    let aeva = Aeva::new();
    let child = start(&aeva, "run", LENSES[0]);
    wait_for_results(&aeva, "run", 1);
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    let Some(worker) = children.split_whitespace().next() else {
        crate::harness::say("SKIPPED: a_crash_is_reported: this system does not list the children of a process");
        send(&child, "-KILL");
        end(child);
        return;
    };
    assert!(Command::new("kill").args(["-ILL", worker]).status().unwrap().success());
    let (status, text) = end(child);
    assert_eq!(status.code(), Some(2), "{text}");
    assert!(
        text.contains("error: the process that runs the model crashed (SIGILL)") && text.contains("hint:"),
        "{text}"
    );
    let (status, _) = end(start(&aeva, "run", LENSES[0]));
    assert_eq!(status.code(), Some(0));
}
