//! `cargo xtask test-slurm`: scans a shipped model in shares under a real Slurm on this machine.

use std::process::Command;

use xtask::process::{built_aeva, run as start};
use xtask::{python, root};

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install Slurm and Munge with apt-get where they are missing, as root on Debian.
    #[arg(long)]
    install: bool,
    /// Fail in place of skipping the test, where Slurm cannot run.
    #[arg(long)]
    require: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let aeva = built_aeva()?;
    let script = root().join("xtask").join("python").join("test_slurm.py");
    let mut command = Command::new(python::system_python()?);
    command.arg(script).arg(aeva).arg(root().join("models")).arg(root());
    let options = [("--install", args.install), ("--require", args.require)];
    command.args(options.into_iter().filter(|(_, stated)| *stated).map(|(option, _)| option));
    start(&mut command)
}
