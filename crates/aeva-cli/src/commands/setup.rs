//! `aeva setup`: installs ONNX Runtime from the Python package of its makers. pip downloads the package by name; it is
//! checked against a pinned SHA-256.

use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aeva_artifact::sha256_hex;
use aeva_model::{Build, Wheel, check_installation, library_folder, wheels};
use anyhow::Context;
use zip::ZipArchive;

use crate::args::SetupArgs;
use crate::exit::ExitStatus;
use crate::hint::Hinted;

pub(crate) fn run(args: &SetupArgs) -> anyhow::Result<ExitStatus> {
    let build = if args.cuda { Build::Cuda } else { args.device.build() };
    let version = build.version();
    let folder = library_folder(build).ok_or_else(|| {
        Hinted::error(
            "there is no cache folder: neither AEVA_CACHE_DIR nor a home is set",
            "set AEVA_CACHE_DIR to a folder",
        )
    })?;
    match check_installation(build) {
        Ok(()) => {
            tracing::info!("ONNX Runtime {version} is already in {}", folder.display());
            return Ok(ExitStatus::Success);
        }
        Err(error) if folder.exists() => tracing::warn!("{error}; it will be installed again"),
        Err(_) => {}
    }
    let wheel = wheel_for(build)?;
    let parent = folder.parent().map_or_else(PathBuf::new, Path::to_owned);
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    sweep(&parent);
    // Created beside the final place, so that the result can be moved there in one step.
    let work = tempfile::Builder::new()
        .prefix(WORK)
        .tempdir_in(&parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    tracing::info!("installing {} {version} into {}", wheel.package, folder.display());
    let file = download(wheel, work.path())?;
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let found = sha256_hex(&bytes);
    if found != wheel.sha256 {
        return Err(Hinted::error(
            format!("{} has SHA-256 {found}, expected {}", file.display(), wheel.sha256),
            "the package from pip is not the one that this program expects; nothing was installed",
        ));
    }
    let staged = work.path().join("libraries");
    fs::create_dir(&staged).with_context(|| format!("cannot create {}", staged.display()))?;
    unpack(&bytes, wheel, &staged)?;
    if let Err(error) = replace(&staged, &folder, work.path()) {
        // Another setup may have been faster; all that counts is that the libraries are installed.
        if check_installation(build).is_err() {
            return Err(error).with_context(|| format!("cannot move the libraries to {}", folder.display()));
        }
    }
    check_installation(build)?;
    tracing::info!("ONNX Runtime {version} is ready");
    Ok(ExitStatus::Success)
}

/// Moves a folder to its final place. An existing folder moves to `work`, which is removed at the end.
fn replace(staged: &Path, folder: &Path, work: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(folder).is_ok() {
        fs::rename(folder, work.join("replaced"))?;
    }
    fs::rename(staged, folder)?;
    flush(folder.parent().unwrap_or(folder));
    Ok(())
}

/// Makes the names in a folder survive a power cut, if the system supports that.
fn flush(folder: &Path) {
    if cfg!(unix) {
        // If this fails, the folder is as safe as without the call.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Age after which work folders of killed setups are removed.
const LEFT_BEHIND: Duration = Duration::from_hours(24);

/// Removes what killed setups left in the cache folder.
fn sweep(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LEFT_BEHIND));
        if old && entry.file_name().to_string_lossy().starts_with(WORK) {
            // A folder that cannot be removed does no harm.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Prefix of the names of work folders.
const WORK: &str = ".setup-";

fn wheel_for(build: Build) -> anyhow::Result<&'static Wheel> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let all = || wheels().iter().filter(move |wheel| wheel.build == build);
    all().find(|wheel| (wheel.os, wheel.arch) == (os, arch)).ok_or_else(|| {
        let systems: Vec<String> = all().map(|wheel| format!("{} {}", wheel.os, wheel.arch)).collect();
        Hinted::error(
            format!(
                "there is no ONNX Runtime package for {} on {os} {arch}, only for {}",
                build.name(),
                systems.join(", ")
            ),
            "build ONNX Runtime 1.24 or later yourself and name its library in ORT_DYLIB_PATH",
        )
    })
}

/// A Python that ignores the current folder. Without `-I`, it would run a `pip.py` that is in that folder.
fn isolated(python: &str, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg("-I").current_dir(folder);
    command
}

/// Lets pip download the wheel, whatever Python it runs on.
fn download(wheel: &Wheel, folder: &Path) -> anyhow::Result<PathBuf> {
    // Asking for the version imports no modules.
    let works =
        |python: &&str| Command::new(python).arg("--version").output().is_ok_and(|output| output.status.success());
    let python = ["python3", "python"].into_iter().find(works).ok_or_else(|| {
        Hinted::error("there is no Python 3", "install Python 3 with pip, or name a library in ORT_DYLIB_PATH")
    })?;
    let requirement = format!("{}=={}", wheel.package, wheel.build.version());
    let output = isolated(python, folder)
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
        .with_context(|| format!("pip did not put a wheel into {}", folder.display()))
}

/// Extracts the libraries from a wheel; each is checked and flushed to disk.
fn unpack(wheel: &[u8], pins: &Wheel, folder: &Path) -> anyhow::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(wheel)).context("the wheel is not a zip archive")?;
    for library in pins.libraries {
        let name = format!("onnxruntime/capi/{}", library.name_in_wheel);
        let mut entry = archive.by_name(&name).with_context(|| format!("the wheel does not contain {name}"))?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).context("the wheel is damaged")?;
        anyhow::ensure!(sha256_hex(&bytes) == library.sha256, "{name} is not the expected library");
        let path = folder.join(library.name);
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
    }
    flush(folder);
    Ok(())
}
