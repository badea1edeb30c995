//! `cargo xtask convert MODEL.h5 --out MODEL.onnx`: converts a Keras model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::files::{sha256_hex, write_atomically};
use crate::manifest::{Input, Layout, Manifest, Model, value_range};
use crate::process::say;
use crate::python::python;
use crate::root;

/// What to convert.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The Keras model: .h5 or .keras.
    model: PathBuf,
    /// The ONNX file to write. Its manifest gets the same name with the extension .toml.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Interval of the model's pixels, for the manifest, for example `0..255`. If it is not stated, `aeva scan` finds it out.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true, value_parser = value_range)]
    value_range: Option<[f32; 2]>,
    /// Origin of the model, for the manifest.
    #[arg(long)]
    source: Option<String>,
    /// Licence of the model, for the manifest.
    #[arg(long)]
    license: Option<String>,
}

/// What `convert.py` reports.
#[derive(Debug, Deserialize)]
struct Report {
    layout: Layout,
    shape: [usize; 3],
    classes: u32,
    checked: u32,
    ties: u32,
    largest_difference: f64,
}

impl Args {
    /// Arguments that state nothing about the model.
    pub fn new(model: PathBuf, out: PathBuf) -> Self {
        Self { model, out, value_range: None, source: None, license: None }
    }
}

/// Converts a model and writes its manifest.
///
/// # Errors
/// When there is no such model, it cannot be converted, or the result cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if !args.model.is_file() {
        bail!("there is no file {}", args.model.display());
    }
    if args.out.extension().is_none_or(|extension| extension != "onnx") {
        bail!("{} must end in .onnx; its manifest gets the same name with .toml", args.out.display());
    }
    let python = python()?;
    let work = tempfile::tempdir().context("cannot create a temporary folder")?;
    let (onnx, report) = (work.path().join("model.onnx"), work.path().join("report.json"));
    // The Python package has it, so that it can be used without the source.
    let script = root().join("python").join("src").join("aeva").join("convert.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&args.model).arg("--out").arg(&onnx).arg("--report").arg(&report);
    // Kept back, because TensorFlow prints a lot to stderr. The end of it is shown if the conversion fails.
    let output = command.output().context("cannot run the converter")?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("cannot convert {}: {}", args.model.display(), last_lines(&stderr));
    }
    let report: Report = serde_json::from_slice(&fs::read(&report).context("the converter left no report")?)?;
    let bytes = fs::read(&onnx).context("the converter left no model")?;

    let manifest = Manifest::new(
        Model {
            file: file_name(&args.out),
            sha256: sha256_hex(&bytes),
            classes: report.classes,
            source: args.source.clone().or_else(|| Some(format!("converted from {}", file_name(&args.model)))),
            license: args.license.clone(),
        },
        Input { layout: report.layout, shape: report.shape, value_range: args.value_range },
    );
    let manifest_path = Manifest::path_for(&args.out);
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    // The model first, because a manifest without a model is worse than a model without a manifest.
    let text = manifest.to_toml()?;
    write_atomically(&args.out, &bytes)?;
    write_atomically(&manifest_path, text.as_bytes())?;
    say(&format!(
        "{} ({} classes, {} {:?}): labels agree on {} inputs ({} ties), scores to {:.1e}; manifest {}",
        args.out.display(),
        report.classes,
        report.layout.name(),
        report.shape,
        report.checked,
        report.ties,
        report.largest_difference,
        manifest_path.display()
    ));
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The end of a Python traceback, which says what went wrong.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}
