//! `cargo xtask train-zoo`: trains the models that `cargo xtask evaluate` measures on.

use std::path::PathBuf;
use std::process::Command;

use xtask::process::{self, say};
use xtask::python::python;
use xtask::{root, shared_data};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the zoo; models that are there are not trained again.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Models trained at the same time, each on one core.
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Models whose names contain this; may be repeated.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
}

impl Args {
    /// These models, into this folder.
    pub(crate) fn some(out: PathBuf, only: &[&str]) -> Self {
        Self { out: Some(out), jobs: 2, only: only.iter().map(|text| (*text).to_owned()).collect() }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let out = args.out.clone().unwrap_or_else(|| root().join("target").join("zoo"));
    let mut command = Command::new(python()?);
    command.arg(root().join("xtask").join("python").join("train_zoo.py")).arg(&out);
    command.arg("--jobs").arg(args.jobs.to_string());
    match shared_data::folder() {
        Some(folder) => {
            command.arg("--data").arg(folder);
        }
        None => say(
            "no shared data: only the models on shipped data are trained (set AEVA_SHARED_DATA to the folder that holds it)",
        ),
    }
    for only in &args.only {
        command.arg("--only").arg(only);
    }
    process::run(&mut command)
}
