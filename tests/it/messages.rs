//! Messages: what the program says, where, and what it must never do.

use std::fs;

use crate::harness::{Aeva, ran, root, shipped};
use crate::onnx::{SCORES, extended, node};

#[cfg(target_os = "linux")]
#[test]
fn an_error_that_cannot_be_printed_is_no_panic() {
    let aeva = Aeva::new();
    for args in [&["judge", "nowhere"][..], &["inspect", "nowhere"], &["scan", "nowhere", "--data", "nowhere"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = aeva.command().args(args).stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn names_do_not_steer_the_terminal() {
    let aeva = Aeva::new();
    let name = "\u{1b}]0;title\u{7}\u{1b}[2Jx";
    let path = aeva.path("evil.onnx");
    fs::write(&path, extended(&[node("Identity", &[SCORES], "y", &[]), node("Identity", &["y"], name, &[])], &[]))
        .unwrap();
    let data = shipped("digits.npz");
    let args = ["scan", path.to_str().unwrap(), "--data", data.to_str().unwrap(), "--output", "\u{1b}[31mnope"];
    let ran = aeva.run(&args).ends_with(2);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
    assert!(ran.stderr.contains("\\u{1b}[31mnope"), "{:?}", ran.stderr);
    // File names, too.
    let model = aeva.path("\u{1b}[31mred.onnx");
    fs::copy(shipped("digits-clean.onnx"), &model).unwrap();
    let args =
        ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--value-range", "0..1", "--out", "run"];
    let short = ["--lens", "perturbation", "--sources", "0", "--targets", "1", "--iterations", "1", "--samples", "1"];
    let ran = aeva.run(&[&args[..], &short].concat()).ends_with(3);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{:?} {:?}", ran.stdout, ran.stderr);
    let ran = aeva.run(&["inspect", "run"]).ends_with(0);
    assert!(!ran.stdout.contains('\u{1b}'));
}

#[test]
fn a_damaged_run_is_an_error_and_a_sound_file_is_never_to_be_removed() {
    let aeva = Aeva::new();
    aeva.scan("digits-infected.onnx", &["--out", "run"]).ends_with(1);
    let inspect = |path: &str| aeva.run(&["inspect", path]);
    inspect("run").ends_with(0);
    let artifact = aeva.path("run/triggers-v1/corners-04.aeva");
    let sound = fs::read(&artifact).unwrap();
    fs::write(&artifact, &sound[..sound.len() - 3]).unwrap();
    let ran = inspect("run").ends_with(2);
    assert!(ran.stdout.contains("damaged:") && ran.stderr.contains("1 file of run cannot be used"), "{}", ran.stderr);
    fs::write(&artifact, &sound).unwrap();
    let model = root().join("models/digits-clean.onnx");
    let export = ["export", artifact.to_str().unwrap(), "--out", "x.npy"];
    for ran in [inspect(model.to_str().unwrap()), aeva.run(&export)] {
        let ran = ran.ends_with(2);
        assert!(ran.stderr.contains("hint:") && !ran.stderr.contains("remove"), "{}", ran.stderr);
    }
}

/// A `pip.py` in the working folder, for example from an unpacked archive, is not run.
#[cfg(unix)]
#[test]
fn setup_runs_no_code_of_the_working_folder() {
    use std::os::unix::fs::PermissionsExt;
    let aeva = Aeva::new();
    let bin = aeva.path("bin");
    fs::create_dir(&bin).unwrap();
    // A Python that reports how it was called, and downloads nothing.
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n{ pwd; echo \"$@\"; } >> \"$TOLD\"\nexit 1\n";
    fs::write(bin.join("python3"), script).unwrap();
    fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let output = aeva
        .command()
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("TOLD", aeva.path("told"))
        .env("AEVA_CACHE_DIR", aeva.path("cache"))
        .arg("setup")
        .output()
        .unwrap();
    ran(output).ends_with(2);
    let told = fs::read_to_string(aeva.path("told")).unwrap();
    let (folder, args) = told.split_once('\n').unwrap();
    assert!(args.starts_with("-I -m pip download"), "{told}");
    assert!(folder.contains(".setup-"), "{told}");
}

/// A single changed byte of a library is detected, and a scan reports it instead of running the library.
#[test]
fn a_changed_library_is_not_loaded() {
    let aeva = Aeva::new();
    let installed = aeva_model::library_folder(aeva_model::Build::Cpu).unwrap();
    let cache = aeva.path("cache");
    let folder = cache.join(installed.file_name().unwrap());
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(&installed).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let scan = || {
        let (model, data) = (shipped("digits-infected.onnx"), shipped("digits.npz"));
        let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--out", "run", "-q"];
        ran(aeva.command().env("AEVA_CACHE_DIR", &cache).env_remove("ORT_DYLIB_PATH").args(args).output().unwrap())
    };
    scan().ends_with(1);
    let library = folder.join(aeva_model::library_file_name());
    let mut bytes = fs::read(&library).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&library, &bytes).unwrap();
    let refused = scan().ends_with(2);
    assert!(
        refused.stderr.contains("it was damaged or replaced") && refused.stderr.contains("aeva setup"),
        "{}",
        refused.stderr
    );
    fs::write(&library, &bytes[..middle]).unwrap();
    scan().ends_with(2);
}

/// Old names of options and commands still work.
#[test]
fn old_names_are_understood() {
    let aeva = Aeva::new();
    let args =
        ["--lens", "aeva", "--iterations", "1", "--samples", "1", "--sources", "0", "--targets", "1", "--out", "run"];
    aeva.scan("digits-clean.onnx", &args).ends_with(3);
    aeva.run(&["stats", "run"]).ends_with(3);
    let patch = aeva.scan("digits-clean.onnx", &["--lens", "patch", "--dry-run"]).ends_with(0);
    assert!(!patch.stdout.contains("perturbations"), "{}", patch.stdout);
}
