//! Missing devices, and one that exists.

use crate::harness::{Aeva, Ran, say, shipped};

fn scan(aeva: &Aeva, device: &str, out: &str, change: impl FnOnce(&mut std::process::Command)) -> Ran {
    let mut command = aeva.command();
    command.arg("scan").arg(shipped("digits-infected.onnx")).arg("--data").arg(shipped("digits.npz"));
    command.args(["--lens", "perturbation", "--device", device, "--out", out, "--iterations", "2", "--samples", "1"]);
    change(&mut command);
    crate::harness::ran(command.output().unwrap())
}

/// Each device that is not installed is an error that says how to install it, and nothing is written.
#[test]
fn an_absent_device_is_an_error_with_a_hint() {
    let aeva = Aeva::new();
    let cases = [
        ("cuda", "aeva setup --device cuda"),
        ("cuda:1", "aeva setup --device cuda"),
        ("tensorrt", "aeva setup --device tensorrt"),
        ("openvino", "aeva setup --device openvino"),
        ("openvino:gpu", "aeva setup --device openvino"),
        ("directml", "aeva setup --device directml"),
    ];
    for (device, hint) in cases {
        // An empty cache, as on a machine without an installation.
        let ran = scan(&aeva, device, "run", |command| {
            command.env("AEVA_CACHE_DIR", aeva.path("empty")).env_remove("ORT_DYLIB_PATH");
        })
        .ends_with(2);
        let name = device.split(':').next().unwrap();
        assert!(ran.stderr.contains(&format!("ONNX Runtime for {name}")), "{device}:\n{}", ran.stderr);
        assert!(ran.stderr.contains("hint: ") && ran.stderr.contains(hint), "{device}:\n{}", ran.stderr);
        assert!(!aeva.path("run").exists(), "{device}");
    }
}

/// A build of ONNX Runtime without the provider is distinguished from a missing build.
#[test]
fn a_build_without_the_provider_is_an_error_with_a_hint() {
    let library = aeva_model::library_folder(aeva_model::Build::Cpu).unwrap().join(aeva_model::library_file_name());
    let aeva = Aeva::new();
    // Core ML exists on macOS.
    let devices: &[&str] = if cfg!(target_os = "macos") {
        &["cuda", "openvino"]
    } else {
        &["cuda", "tensorrt", "openvino", "coreml", "directml"]
    };
    for device in devices {
        let ran = scan(&aeva, device, "run", |command| {
            command.env("ORT_DYLIB_PATH", &library);
        })
        .ends_with(2);
        assert!(ran.stderr.contains("was asked for but is not available"), "{device}:\n{}", ran.stderr);
        assert!(ran.stderr.contains("hint: ") && ran.stderr.contains("--device"), "{device}:\n{}", ran.stderr);
        assert!(!aeva.path("run").exists(), "{device}");
    }
}

#[test]
fn no_device_of_that_name() {
    let ran = scan(&Aeva::new(), "gpu", "run", |_| {}).ends_with(2);
    assert!(ran.stderr.contains("`gpu` is not a device") && ran.stderr.contains("tensorrt"), "{}", ran.stderr);
}

/// The decisions of another provider on probes are compared with the CPU's before a scan, and the report has the
/// figure. In bf16 (if the processor has it), the same provider decides at random and is refused with its figure.
#[test]
fn a_device_is_compared_with_the_cpu_before_a_scan() {
    let installed = aeva_model::library_folder(aeva_model::Build::OpenVino).is_some_and(|folder| folder.is_dir());
    if !installed {
        say("SKIPPED: OpenVINO is not installed (aeva setup --device openvino)");
        return;
    }
    let aeva = Aeva::new();
    let figure = |text: &str| -> f64 {
        let (before, _) = text.split_once(" % of 768 probes").unwrap_or_else(|| panic!("no figure in {text}"));
        before.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let exact = scan(&aeva, "openvino", "run", |_| {});
    assert!([0, 1, 3].contains(&exact.code), "{}", exact.stderr);
    let report = aeva.report("run");
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.starts_with("openvino:cpu and the CPU decide ") && figure(note) > 99.0, "{note}");
    assert!(report["run"]["provenance"]["provider"].as_str().unwrap().ends_with("openvino-cpu"));

    let coarse = scan(&aeva, "openvino:bf16", "coarse", |_| {});
    say(&coarse.stderr);
    if coarse.code == 2 {
        assert!(figure(&coarse.stderr) < 95.0 && coarse.stderr.contains("too coarsely"), "{}", coarse.stderr);
        assert!(coarse.stderr.contains("hint: use --device openvino:cpu"), "{}", coarse.stderr);
        assert!(!aeva.path("coarse").exists());
    } else {
        // Without such instructions, OpenVINO always computes in f32.
        assert!(figure(&coarse.stderr) > 99.0, "{}", coarse.stderr);
    }
}
