//! Nobody learns about a scan: it writes no file outside its folder, looks up no name, opens no socket and starts no
//! other program.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Aeva, ran, say, shipped};

fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(entry.path().display().to_string());
        }
    }
}

/// Arguments of a scan of some seconds: telemetry is sent some time after the start.
fn scan(out: &str) -> Vec<String> {
    let (model, data) = (shipped("digits-clean.onnx"), shipped("digits.npz"));
    let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "-q", "--out", out];
    args.map(str::to_owned).to_vec()
}

/// The library that the tests use, given by path: an empty home has none.
fn library() -> std::path::PathBuf {
    aeva_model::library_folder(aeva_model::Build::Cpu).unwrap().join(aeva_model::library_file_name())
}

#[test]
fn an_empty_home_stays_empty() {
    let aeva = Aeva::new();
    let home = aeva.path("home");
    fs::create_dir(&home).unwrap();
    let output = aeva
        .command()
        // As for a user: only the program itself switches telemetry off.
        .env_remove(aeva_model::TELEMETRY_SWITCH)
        .env("HOME", &home)
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_DATA_HOME")
        .env("ORT_DYLIB_PATH", library())
        .args(scan("run"))
        .output()
        .unwrap();
    ran(output).ends_with(0);
    let mut left = Vec::new();
    files(&home, &mut left);
    assert!(left.is_empty(), "{left:?}");
}

/// Requires strace, which some machines lack or forbid.
#[test]
fn a_scan_talks_to_nobody() {
    let allowed = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        say("SKIPPED: a_scan_talks_to_nobody: strace is missing or not allowed");
        return;
    }
    let aeva = Aeva::new();
    let trace = aeva.path("trace");
    let out = aeva.path("run");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=socket,connect,sendto,execve,openat,open,creat", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_aeva"))
        .args(scan(out.to_str().unwrap()))
        .current_dir(aeva.folder.path())
        .env_remove(aeva_model::TELEMETRY_SWITCH)
        .output()
        .unwrap();
    ran(output).ends_with(0);
    let calls = fs::read_to_string(&trace).unwrap();
    let failed = |line: &&str| !line.contains(" = -1");
    let network: Vec<&str> = calls
        .lines()
        .filter(|line| ["socket(", "connect(", "sendto("].iter().any(|call| line.contains(call)))
        .collect();
    assert!(network.is_empty(), "{network:?}");
    let programs: Vec<&str> = calls.lines().filter(|line| line.contains("execve(")).filter(failed).collect();
    assert_eq!(programs.len(), 1, "only itself: {programs:?}");
    let writes = |line: &&str| ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag));
    let own = |line: &&str| {
        line.contains(out.to_str().unwrap()) || line.contains("\"/dev/null\"") || line.contains("\"/dev/tty\"")
    };
    let elsewhere: Vec<&str> = calls.lines().filter(writes).filter(failed).filter(|line| !own(line)).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// A library crate cannot change the environment safely, so it refuses to load the runtime instead.
#[test]
fn the_library_refuses_to_report() {
    let error = aeva_model::RuntimeError::Telemetry {
        variable: aeva_model::TELEMETRY_SWITCH,
        value: aeva_model::TELEMETRY_OFF,
    };
    assert!(error.to_string().contains("ORT_DISABLE_TELEMETRY=1"));
}
