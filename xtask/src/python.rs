//! A Python environment of our own, with pinned packages, in the user's cache folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use aeva_artifact::sha256_hex;
use anyhow::{Context, bail};

use crate::process::{output, run, say};
use crate::root;

/// The environment's Python; installs the environment on first use (two minutes, 2 GB).
///
/// # Errors
/// When there is no Python 3.11 to 3.13, no cache folder, or pip cannot install the packages.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    let requirements = root().join("xtask").join("python").join("requirements.txt");
    let text = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let cache = aeva_model::cache_folder().context("there is no cache folder; set AEVA_CACHE_DIR to one")?;
    // Another set of packages is another environment.
    let folder = cache.join(format!("python-{}", &sha256_hex(&text)[..12]));
    let python =
        if cfg!(windows) { folder.join("Scripts").join("python.exe") } else { folder.join("bin").join("python") };
    let ready = folder.join("ready");
    if ready.is_file() {
        return Ok(python);
    }
    // An environment knows its own path, so it is built in place; it counts only once the marker is there.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let system = system_python()?;
    say(&format!("installing Python packages into {} (once; about two minutes)", folder.display()));
    output(Command::new(system).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "-r",
        ])
        .arg(&requirements))
    .context("check that `python3 -m pip` works and reaches a package index")?;
    fs::write(&ready, b"").with_context(|| format!("cannot write {}", ready.display()))?;
    Ok(python)
}

fn system_python() -> anyhow::Result<&'static str> {
    let versions = ["python3.12", "python3.11", "python3.13", "python3", "python"];
    for name in versions {
        let print = "import sys; print(sys.version_info[0] * 100 + sys.version_info[1])";
        let version = output(Command::new(name).args(["-c", print])).ok().and_then(|text| text.trim().parse().ok());
        if version.is_some_and(|version: u32| (311..=313).contains(&version)) {
            return Ok(name);
        }
    }
    bail!("no Python 3.11, 3.12 or 3.13 was found (tried {}); TensorFlow needs one of them", versions.join(", "))
}
