//! `cargo xtask test-endpoints`: scans the shipped models behind real prediction servers.

use std::process::Command;

use anyhow::{Context, bail};
use xtask::process::{built_aeva, run as start};
use xtask::{python, root};

pub(crate) fn run() -> anyhow::Result<()> {
    if cfg!(windows) {
        bail!("the prediction servers are for Linux and macOS");
    }
    let python = python::serving_python()
        .context("cannot install the prediction servers; MLServer needs Python 3.11 or 3.12")?;
    let aeva = built_aeva()?;
    let script = root().join("xtask").join("python").join("test_endpoints.py");
    start(Command::new(python).arg(script).arg(aeva).arg(root().join("models")).arg(root()))
}
