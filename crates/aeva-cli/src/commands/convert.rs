//! `aeva convert MODEL --out MODEL.onnx`: starts the converter of the Python package that this program belongs to.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::args::ConvertArgs;
use crate::exit::ExitStatus;
use crate::hint::Hinted;

pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<ExitStatus> {
    let program = env::current_exe().context("cannot find this program")?;
    let Some(python) = program.parent().and_then(python_of) else {
        return Err(Hinted::error(
            "models are converted by the Python package `aeva`, which this program does not belong to",
            "install the package into an environment with the framework of the model (docs/python.md), and use the program in it; in the source tree, cargo xtask convert does the same",
        ));
    };
    let mut command = Command::new(&python);
    command.args(["-m", "aeva.convert"]).arg(&args.model).arg("--out").arg(&args.out);
    command.args(args.shape.iter().flat_map(|shape| ["--shape", shape]));
    let status = command.status().with_context(|| format!("cannot start {}", python.display()))?;
    if status.success() {
        return Ok(ExitStatus::Success);
    }
    Err(Hinted::error(
        format!("{} was not converted", args.model.display()),
        "the lines above say why; a model that cannot be converted can be scanned as a black box (docs/programs.md)",
    ))
}

/// The interpreter of the environment that a folder of scripts belongs to, if the environment has the package.
fn python_of(scripts: &Path) -> Option<PathBuf> {
    let names = ["python3", "python", "python.exe"];
    let python = names.iter().map(|name| scripts.join(name)).chain([scripts.join("..").join("python.exe")]);
    let has_package = |lib: PathBuf| lib.join("site-packages").join("aeva").join("convert.py").is_file();
    let prefix = scripts.parent()?;
    let versions = prefix.join("lib").read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    versions
        .chain([prefix.join("Lib")])
        .any(has_package)
        .then(|| python.into_iter().find(|path| path.is_file()))
        .flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_interpreter_of_the_same_environment_is_found() {
        let prefix = tempfile::tempdir().unwrap();
        let scripts = prefix.path().join("bin");
        fs::create_dir(&scripts).unwrap();
        fs::write(scripts.join("python3"), b"").unwrap();
        assert_eq!(python_of(&scripts), None, "without the package");
        let package = prefix.path().join("lib").join("python3.12").join("site-packages").join("aeva");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("convert.py"), b"").unwrap();
        assert_eq!(python_of(&scripts), Some(scripts.join("python3")));
    }
}
