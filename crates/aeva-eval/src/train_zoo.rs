//! `cargo xtask train-zoo`: trains the models for `cargo xtask evaluate` and `cargo xtask calibrate`.

use std::path::PathBuf;
use std::process::Command;

use xtask::process::{self, say};
use xtask::python::python;
use xtask::{root, shared_data};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the zoo. Models that it has already are not trained again.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Number of models that are trained at the same time, each on one core.
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Train only models whose names contain this. May be repeated.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
}

impl Args {
    /// Arguments to train these models into this folder.
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
            "there is no shared data: only the models on shipped data are trained (set AEVA_SHARED_DATA to the folder of the shared data)",
        ),
    }
    for only in &args.only {
        command.arg("--only").arg(only);
    }
    process::run(&mut command)
}
