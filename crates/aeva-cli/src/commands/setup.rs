//! `aeva setup`: ONNX Runtime from the Python package of its makers, by name through pip, checked against a pinned SHA-256.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use aeva_artifact::sha256_hex;
use aeva_model::{Build, library_file_name, library_folder};
use anyhow::Context;
use zip::ZipArchive;

use crate::args::SetupArgs;
use crate::exit::Ending;
use crate::hint::Hinted;

/// A wheel that can be installed: the libraries in it depend on the platform only, not on the Python that runs pip.
struct Wheel {
    build: Build,
    os: &'static str,
    arch: &'static str,
    package: &'static str,
    platform: &'static str,
    sha256: &'static str,
}

const WHEELS: [Wheel; 7] = [
    Wheel {
        build: Build::Cpu,
        os: "linux",
        arch: "x86_64",
        package: "onnxruntime",
        platform: "manylinux_2_28_x86_64",
        sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    },
    Wheel {
        build: Build::Cpu,
        os: "linux",
        arch: "aarch64",
        package: "onnxruntime",
        platform: "manylinux_2_28_aarch64",
        sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
    },
    Wheel {
        build: Build::Cpu,
        os: "macos",
        arch: "aarch64",
        package: "onnxruntime",
        platform: "macosx_14_0_arm64",
        sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
    },
    Wheel {
        build: Build::Cpu,
        os: "windows",
        arch: "x86_64",
        package: "onnxruntime",
        platform: "win_amd64",
        sha256: "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130",
    },
    Wheel {
        build: Build::Cuda,
        os: "linux",
        arch: "x86_64",
        package: "onnxruntime-gpu",
        platform: "manylinux_2_28_x86_64",
        sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
    },
    // On Windows the package needs another one with OpenVINO itself; on Linux it is in it.
    Wheel {
        build: Build::OpenVino,
        os: "linux",
        arch: "x86_64",
        package: "onnxruntime-openvino",
        platform: "manylinux_2_28_x86_64",
        sha256: "d617fac2f59a6ab5ea59a788c3e1592240a129642519aaeaa774761dfe35150e",
    },
    Wheel {
        build: Build::DirectMl,
        os: "windows",
        arch: "x86_64",
        package: "onnxruntime-directml",
        platform: "win_amd64",
        sha256: "f2ecb68b7b7b259d2ef3112ae760149f9b5a1e7c0fbb73d539da6250a648a614",
    },
];

pub(crate) fn run(args: &SetupArgs) -> anyhow::Result<Ending> {
    let build = if args.cuda { Build::Cuda } else { args.device.build() };
    let version = build.version();
    let folder = library_folder(build).ok_or_else(|| {
        Hinted::error(
            "there is no cache folder: neither AEVA_CACHE_DIR nor a home is set",
            "set AEVA_CACHE_DIR to a folder",
        )
    })?;
    if folder.join(library_file_name()).is_file() {
        tracing::info!("ONNX Runtime {version} is already in {}", folder.display());
        return Ok(Ending::Success);
    }
    let wheel = wheel_for(build)?;
    let parent = folder.parent().map_or_else(PathBuf::new, Path::to_owned);
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    // Beside its final place, so that it can be moved there in one step.
    let work = tempfile::Builder::new()
        .prefix(".setup-")
        .tempdir_in(&parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    tracing::info!("installing {} {version} into {}", wheel.package, folder.display());
    let file = download(wheel, work.path())?;
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let found = sha256_hex(&bytes);
    if found != wheel.sha256 {
        return Err(Hinted::error(
            format!("{} has SHA-256 {found}, expected {}", file.display(), wheel.sha256),
            "the package that pip delivered is not the one this program was made for; nothing was installed",
        ));
    }
    let staged = work.path().join("libraries");
    fs::create_dir(&staged).with_context(|| format!("cannot create {}", staged.display()))?;
    unpack(&bytes, version, &staged)?;
    if let Err(error) = fs::rename(&staged, &folder) {
        // Another setup may have been faster; what counts is that the library is there.
        if !folder.join(library_file_name()).is_file() {
            return Err(error).with_context(|| format!("cannot move the libraries to {}", folder.display()));
        }
    }
    tracing::info!("ONNX Runtime {version} is ready");
    Ok(Ending::Success)
}

fn wheel_for(build: Build) -> anyhow::Result<&'static Wheel> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    WHEELS.iter().find(|wheel| wheel.build == build && (wheel.os, wheel.arch) == (os, arch)).ok_or_else(|| {
        let there = WHEELS.iter().filter(|wheel| wheel.build == build);
        let systems: Vec<String> = there.map(|wheel| format!("{} {}", wheel.os, wheel.arch)).collect();
        Hinted::error(
            format!(
                "there is no package of ONNX Runtime for {} on {os} {arch}; there is one for {}",
                build.name(),
                systems.join(", ")
            ),
            "build ONNX Runtime 1.24 or later yourself and name its library in ORT_DYLIB_PATH",
        )
    })
}

/// Lets pip fetch the wheel, whatever Python it runs on.
fn download(wheel: &Wheel, folder: &Path) -> anyhow::Result<PathBuf> {
    let python = ["python3", "python"]
        .into_iter()
        .find(|python| Command::new(python).arg("--version").output().is_ok_and(|output| output.status.success()))
        .ok_or_else(|| {
            Hinted::error("there is no Python 3", "install Python 3 with pip, or name a library in ORT_DYLIB_PATH")
        })?;
    let requirement = format!("{}=={}", wheel.package, wheel.build.version());
    let output = Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"])
        .args(["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"])
        .args(["--platform", wheel.platform, "--dest"])
        .arg(folder)
        .arg(&requirement)
        .output()
        .with_context(|| format!("cannot run {python}"))?;
    if !output.status.success() {
        return Err(Hinted::error(
            format!("pip cannot download {requirement}: {}", String::from_utf8_lossy(&output.stderr).trim()),
            "check that `python3 -m pip` works and reaches a package index",
        ));
    }
    let mut entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries
        .find_map(|entry| {
            entry.ok().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "whl"))
        })
        .with_context(|| format!("pip left no wheel in {}", folder.display()))
}

/// Takes the libraries out of a wheel; the main one loses the version in its name.
fn unpack(wheel: &[u8], version: &str, folder: &Path) -> anyhow::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(wheel)).context("the wheel is no zip archive")?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).context("the wheel is damaged")?;
        let Some(name) = entry.name().strip_prefix("onnxruntime/capi/").and_then(|name| library_name(name, version))
        else {
            continue;
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).context("the wheel is damaged")?;
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    anyhow::ensure!(folder.join(library_file_name()).is_file(), "the wheel holds no {}", library_file_name());
    Ok(())
}

/// Name under which a file of the wheel is installed; `None` for those that are not needed (the Python module, copies
/// under other names, plugins for other hardware).
fn library_name(name: &str, version: &str) -> Option<String> {
    // The main library is looked for under its plain name; OpenVINO's know each other under the name with the short version.
    let plain = name.replace(&format!(".{version}"), "");
    let ours = ["libonnxruntime", "onnxruntime.", "onnxruntime_providers", "DirectML."];
    let ending = plain.rsplit('.').next().unwrap_or_default();
    let is_ours = ours.iter().any(|start| plain.starts_with(start)) && matches!(ending, "so" | "dylib" | "dll");
    let is_open_vino = OPEN_VINO.contains(&plain.as_str());
    ((is_ours || is_open_vino) && !plain.contains('/')).then_some(plain)
}

/// The libraries of OpenVINO that a model on any of its hardware needs, under the names they know each other by.
const OPEN_VINO: [&str; 6] = [
    "libopenvino.so.2541",
    "libopenvino_onnx_frontend.so.2541",
    "libopenvino_intel_cpu_plugin.so",
    "libopenvino_intel_gpu_plugin.so",
    "libopenvino_intel_npu_plugin.so",
    "libtbb.so.12",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_runtimes_libraries_are_taken() {
        let name = |name| library_name(name, "1.31.1");
        assert_eq!(name("libonnxruntime.so.1.31.1").as_deref(), Some("libonnxruntime.so"));
        assert_eq!(name("libonnxruntime.1.31.1.dylib").as_deref(), Some("libonnxruntime.dylib"));
        assert_eq!(name("onnxruntime.dll").as_deref(), Some("onnxruntime.dll"));
        assert_eq!(name("libonnxruntime_providers_cuda.so").as_deref(), Some("libonnxruntime_providers_cuda.so"));
        assert_eq!(
            name("libonnxruntime_providers_tensorrt.so").as_deref(),
            Some("libonnxruntime_providers_tensorrt.so")
        );
        assert_eq!(library_name("libonnxruntime.so.1.24.1", "1.24.1").as_deref(), Some("libonnxruntime.so"));
        assert_eq!(name("libopenvino.so.2541").as_deref(), Some("libopenvino.so.2541"));
        for other in [
            "onnxruntime_pybind11_state.so",
            "_pybind_state.py",
            "libopenvino.so",
            "libopenvino.so.2025.4.1",
            "training/libonnxruntime.so",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn digests_have_the_right_form() {
        for wheel in WHEELS {
            assert!(wheel.sha256.len() == 64 && wheel.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
