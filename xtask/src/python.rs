//! Python environments with pinned packages, in the user's cache folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::files::sha256_hex;
use crate::process::{output, run, say};
use crate::root;

/// Python with the packages of `requirements.txt`. The first call installs them (two minutes, 2 GB).
///
/// # Errors
/// When there is no Python 3.11 to 3.13, there is no cache folder, or pip cannot install the packages.
pub fn python() -> anyhow::Result<PathBuf> {
    environment("requirements.txt", None)
}

/// That of [`python`], if its packages have been installed.
pub fn installed_python() -> Option<PathBuf> {
    let (_, folder) = place("requirements.txt", None).ok()?;
    folder.join("ready").is_file().then(|| python_of(&folder))
}

/// The user's cache folder, which is that of `aeva setup`: `AEVA_CACHE_DIR`, or `aeva` in the usual place of the system. `None` if the
/// environment names neither.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(own) = folder("AEVA_CACHE_DIR") {
        return Some(own);
    }
    let base = if cfg!(target_os = "windows") {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library").join("Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("aeva"))
}

/// Python with the packages of [`python`] and those of `requirements-measure.txt`, which measurements need.
///
/// # Errors
/// As for [`python`].
pub fn measuring_python() -> anyhow::Result<PathBuf> {
    environment("requirements-measure.txt", Some(python()?))
}

/// Python with the packages of `requirements-wheel.txt`, which the Python package `aeva` is built and tried with.
///
/// # Errors
/// As for [`python`].
pub fn packaging_python() -> anyhow::Result<PathBuf> {
    environment("requirements-wheel.txt", None)
}

/// Python with the packages of `requirements-endpoints.txt`: prediction servers.
///
/// # Errors
/// As for [`python`].
pub fn serving_python() -> anyhow::Result<PathBuf> {
    environment("requirements-endpoints.txt", None)
}

/// The Python of an environment with the packages of a list, and with those of the environment that `base` belongs to.
fn environment(list: &str, base: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let (requirements, folder) = place(list, base.as_ref())?;
    let python = python_of(&folder);
    let ready = folder.join("ready");
    if ready.is_file() {
        return Ok(python);
    }
    // An environment contains its own path, so it is made in place. The marker says that it is complete.
    let _ = fs::remove_dir_all(&folder);
    if let Some(cache) = folder.parent() {
        fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    }
    say(&format!("installing Python packages into {} (once; up to two minutes)", folder.display()));
    match &base {
        None => output(Command::new(system_python()?).args(["-I", "-m", "venv"]).arg(&folder))?,
        Some(base) => output(Command::new(base).args(["-I", "-m", "venv"]).arg(&folder))?,
    };
    run(Command::new(&python)
        .args([
            "-I",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
        ])
        .arg("-r")
        .arg(&requirements))
    .context("cannot install Python packages: check that `python3 -m pip` works and reaches a package index")?;
    if let Some(base) = &base {
        let place = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let packages = |python: &PathBuf| output(Command::new(python).args(["-c", place]));
        // A .pth file adds the folder in it to the search path.
        fs::write(PathBuf::from(packages(&python)?.trim()).join("base.pth"), packages(base)?)?;
    }
    fs::write(&ready, b"").with_context(|| format!("cannot write {}", ready.display()))?;
    Ok(python)
}

/// The list, and the folder of the environment with its packages.
fn place(list: &str, base: Option<&PathBuf>) -> anyhow::Result<(PathBuf, PathBuf)> {
    let requirements = root().join("xtask").join("python").join(list);
    let text = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let cache = cache_folder().context("there is no cache folder: set AEVA_CACHE_DIR")?;
    // Every set of packages has an environment of its own.
    let below = base.map(|base| base.to_string_lossy().into_owned()).unwrap_or_default();
    let name = format!("python-{}", &sha256_hex(&[&text[..], below.as_bytes()].concat())[..12]);
    Ok((requirements, cache.join(name)))
}

fn python_of(folder: &Path) -> PathBuf {
    if cfg!(windows) { folder.join("Scripts").join("python.exe") } else { folder.join("bin").join("python") }
}

/// A Python of the machine, without packages.
///
/// # Errors
/// When there is no Python 3.11 to 3.13.
pub fn system_python() -> anyhow::Result<&'static str> {
    let versions = ["python3.12", "python3.11", "python3.13", "python3", "python"];
    for name in versions {
        let print = "import sys; print(sys.version_info[0] * 100 + sys.version_info[1])";
        let version = output(Command::new(name).args(["-c", print])).ok().and_then(|text| text.trim().parse().ok());
        if version.is_some_and(|version: u32| (311..=313).contains(&version)) {
            return Ok(name);
        }
    }
    bail!("no Python 3.11, 3.12 or 3.13 was found (tried {})", versions.join(", "))
}
