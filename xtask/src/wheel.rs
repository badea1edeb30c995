//! `cargo xtask test-wheel`: builds the Python package, installs it, and tries it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, bail};
use xtask::process::{run as start, say};
use xtask::{python, root};

use crate::{metadata, sbom};

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
    let test = |script: &str| {
        let mut command = Command::new(&python);
        command.arg(root().join("xtask").join("python").join(script));
        command.env("AEVA_CACHE_DIR", &nothing).env_remove("ORT_DYLIB_PATH");
        command
    };
    let (models, docs) = (root().join("models"), root().join("docs"));
    start(test("test_wheel.py").arg(&models).arg(docs.join("report.schema.json")).arg(sarif_schema()?))?;
    start(test("test_sbom.py").arg(sbom::write()?))?;
    let program = python.with_file_name(if cfg!(windows) { "aeva.exe" } else { "aeva" });
    if cfg!(windows) {
        say("SKIPPED test_recipes.py and test_docs.py: recipes and documents are for systems with bash");
    } else {
        // Both wait for one scan after the other most of the time.
        let [mut recipes, mut docs] = ["test_recipes.py", "test_docs.py"].map(|script| {
            let mut command = test(script);
            command.arg(&program).arg(&models).arg(root());
            command
        });
        let (docs, recipes) = thread::scope(|scope| {
            let recipes = scope.spawn(|| start(&mut recipes));
            (start(&mut docs), recipes.join())
        });
        docs?;
        recipes.unwrap_or_else(|_| bail!("the test of the recipes has panicked"))?;
    }
    let Some(converter) = python::installed_python() else {
        say("SKIPPED test_convert.py: TensorFlow is not installed (cargo xtask convert installs it)");
        return Ok(());
    };
    let script = root().join("xtask").join("python").join("test_convert.py");
    start(
        Command::new(converter)
            .arg(script)
            .arg(&program)
            .arg(&models)
            .env("PYTHONPATH", root().join("python").join("src")),
    )
}

/// The official schema of SARIF 2.1.0, which the crate `serde-sarif` has.
fn sarif_schema() -> anyhow::Result<PathBuf> {
    let package = metadata::read(true)?.packages.into_iter().find(|package| package.name == "serde-sarif");
    let manifest = package.context("the workspace does not have the crate serde-sarif")?.manifest_path;
    let schema = manifest.with_file_name("src").join("schema.json");
    if schema.is_file() { Ok(schema) } else { bail!("there is no {}", schema.display()) }
}
