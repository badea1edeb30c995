//! `cargo xtask test-wheel`: builds the Python package, installs it, and tries it.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail};
use xtask::process::run as start;
use xtask::{python, root};

pub(crate) fn run() -> anyhow::Result<()> {
    let python = python::packaging_python()?;
    let out = root().join("target").join("tmp").join("wheel");
    // There must be one wheel.
    if out.is_dir() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    start(
        // The profile of all other builds, so that little is compiled again; a release has its own.
        Command::new(&python)
            .args(["-m", "maturin", "build", "--quiet", "--profile", "dev", "--out"])
            .arg(&out)
            .current_dir(root().join("python")),
    )?;
    let wheels: Vec<_> = fs::read_dir(&out)?.flatten().map(|entry| entry.path()).collect();
    let [wheel] = wheels.as_slice() else { bail!("{} has {} wheels, expected one", out.display(), wheels.len()) };
    let install = ["-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    start(Command::new(&python).args(install).args(["--no-index", "--no-deps", "--force-reinstall"]).arg(wheel))?;
    // Without any library that `aeva setup` has installed: that of the environment has to be found.
    let nothing = out.join("cache");
    start(
        Command::new(&python)
            .arg(root().join("xtask").join("python").join("test_wheel.py"))
            .arg(root().join("models"))
            .arg(root().join("docs").join("report.schema.json"))
            .env("AEVA_CACHE_DIR", nothing)
            .env_remove("ORT_DYLIB_PATH"),
    )
}
