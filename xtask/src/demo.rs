//! `cargo xtask demo`: a scan of the shipped infected model.

use anyhow::bail;

use crate::process::{self, aeva, exit_code};
use crate::root;

/// Installs ONNX Runtime if it is missing.
///
/// # Errors
/// When it cannot be installed.
pub fn setup() -> anyhow::Result<()> {
    process::run(aeva().arg("setup"))
}

/// Scans the shipped infected model.
///
/// # Errors
/// When it is not flagged.
pub fn run() -> anyhow::Result<()> {
    setup()?;
    let models = root().join("models");
    let code = exit_code(
        aeva().arg("scan").arg(models.join("digits-infected.onnx")).arg("--data").arg(models.join("digits.npz")),
    )?;
    // The exit code for a backdoored model.
    if code != 1 {
        bail!("the shipped infected model was not flagged: exit code {code}");
    }
    Ok(())
}
