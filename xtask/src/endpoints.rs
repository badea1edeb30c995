//! `cargo xtask test-endpoints`: scans the shipped models behind real prediction servers.

use std::process::Command;

use anyhow::{Context, bail};
use xtask::process::{built_aeva, run as start};
use xtask::{python, root};

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scan the clean model behind the fastest server alone, and measure no speeds.
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if cfg!(windows) {
        bail!("the prediction servers are for Linux and macOS");
    }
    let python = python::serving_python()
        .context("cannot install the prediction servers; MLServer needs Python 3.11 or 3.12")?;
    let aeva = built_aeva()?;
    let script = root().join("xtask").join("python").join("test_endpoints.py");
    let mut command = Command::new(python);
    command.arg(script).arg(aeva).arg(root().join("models")).arg(root());
    if args.quick {
        command.arg("--quick");
    }
    start(&mut command)
}
