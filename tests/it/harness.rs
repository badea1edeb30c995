//! Runs `aeva` and examines its output.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("..")
}

/// Prints a message that is visible even if the test passes: skipped tests must not look like tests that ran.
pub(crate) fn say(message: &str) {
    // The test harness captures the print macros, but not the stream.
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// A shipped file.
pub(crate) fn shipped(name: &str) -> PathBuf {
    root().join("models").join(name)
}

/// The program, with a temporary folder as working directory so that nothing is written into the source tree.
pub(crate) struct Aeva {
    pub(crate) folder: tempfile::TempDir,
}

/// The result of a run.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Aeva {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aeva"));
        command.current_dir(self.folder.path()).env("NO_COLOR", "1").env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(self.command().args(args).output().unwrap())
    }

    /// Scans `model` with the shipped digits, through the perturbation lens only.
    pub(crate) fn perturbations(&self, model: &str, extra: &[&str]) -> Ran {
        self.scan(model, &[&["--lens", "perturbation"], extra].concat())
    }

    /// Scans `model` with the shipped digits.
    pub(crate) fn scan(&self, model: &str, extra: &[&str]) -> Ran {
        let (model, data) = (shipped(model), shipped("digits.npz"));
        let mut args = vec!["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap()];
        args.extend(extra);
        self.run(&args)
    }

    /// `report.json` of a run folder.
    pub(crate) fn report(&self, run: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(run).join("report.json")).unwrap()).unwrap()
    }

    /// Name and content of the artifact of every pair in a run folder.
    pub(crate) fn artifacts(&self, run: &str) -> BTreeMap<String, Vec<u8>> {
        self.files(&format!("{run}/pairs-v1"))
    }

    /// Name and content of every file in a folder.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
            .collect()
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ran {
    /// Checks the exit code; shows the output if it differs.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
