//! `cargo xtask picture`: draws the pictures of the README from a real scan of the shipped model: the terminal, and the page
//! of the report.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use xtask::process::{aeva, say};
use xtask::python::python;
use xtask::{demo, root};

const COMMAND: &str = "aeva scan models/digits-infected.onnx --data models/digits.npz";

/// Width and height of the picture of the page, in pixels.
const WINDOW: &str = "--window-size=1000,1330";

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
    page(work.path())
}

/// Takes a picture of the page of the scan, with a browser that is installed.
fn page(work: &Path) -> anyhow::Result<()> {
    let is_there = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|ran| ran.status.success());
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"].iter().find(is_there) else {
        say("SKIPPED docs/report.png: no Chromium is installed");
        return Ok(());
    };
    let (picture, path) = (work.join("report.png"), root().join("docs").join("report.png"));
    let mut take = Command::new(browser);
    take.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", WINDOW]);
    take.arg(format!("--user-data-dir={}", work.join("profile").display()));
    take.arg(format!("--screenshot={}", picture.display())).arg(work.join("run").join("report.html"));
    let ran = take.output().context("cannot run the browser")?;
    fs::copy(&picture, &path)
        .with_context(|| format!("the browser took no picture: {}", String::from_utf8_lossy(&ran.stderr)))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
