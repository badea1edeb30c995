//! `cargo xtask picture`: draws the terminal picture of the README from a real scan of the shipped model.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use xtask::process::{aeva, say};
use xtask::python::python;
use xtask::{demo, root};

const COMMAND: &str = "aeva scan models/digits-infected.onnx --data models/digits.npz";

pub(crate) fn run() -> anyhow::Result<()> {
    demo::setup()?;
    let python = python()?;
    let work = tempfile::tempdir().context("cannot create a temporary folder")?;
    // A new run folder, so that the scan does not continue an earlier one.
    let shown = COMMAND.strip_prefix("aeva ").unwrap_or(COMMAND);
    let mut scan = aeva();
    scan.args(shown.split(' ')).args(["--color", "always", "--quiet", "--out"]).arg(work.path().join("run"));
    let output = scan.output().context("cannot run the scan")?;
    if output.status.code() != Some(1) {
        bail!("the shipped infected model was not flagged: {}", String::from_utf8_lossy(&output.stderr));
    }
    let result = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = result.lines().filter(|line| !line.starts_with("run folder:")).collect();
    let text = format!("$ {COMMAND}\n{}\n", lines.join("\n"));

    let path = root().join("docs").join("scan.svg");
    let mut draw = Command::new(python)
        .arg(root().join("xtask").join("python").join("picture.py"))
        .arg(&path)
        .arg("aeva")
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot run the drawing script")?;
    if let Some(mut stdin) = draw.stdin.take() {
        stdin.write_all(text.as_bytes()).context("cannot write to the drawing script")?;
    }
    if !draw.wait().context("the drawing script failed")?.success() {
        bail!("the drawing script failed");
    }
    say(&format!("wrote {}", path.display()));
    Ok(())
}
