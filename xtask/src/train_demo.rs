//! `cargo xtask train-demo`: trains the shipped models again and writes their manifests.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;
use xtask::files::{sha256_hex, write_atomically};
use xtask::manifest::{Input, Layout, Manifest, Model};
use xtask::process::{output, say};
use xtask::python::python;
use xtask::root;

/// Figures of one trained model.
#[derive(Debug, Deserialize)]
struct Figures {
    clean_accuracy: f64,
    attack_success: f64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let python = python()?;
    let work = tempfile::tempdir().context("cannot create a temporary folder")?;
    let script = root().join("xtask").join("python").join("train_demo.py");
    say("training two small classifiers (about a minute)");
    output(Command::new(python).arg(script).arg(work.path()))?;

    let models = root().join("models");
    let figures: BTreeMap<String, Figures> = serde_json::from_slice(&fs::read(work.path().join("digits.json"))?)?;
    for (name, figures) in &figures {
        let file = format!("digits-{name}.onnx");
        let bytes = fs::read(work.path().join(&file)).with_context(|| format!("the training left no {file}"))?;
        let manifest = Manifest::new(
            Model {
                file: file.clone(),
                sha256: sha256_hex(&bytes),
                classes: 10,
                source: Some(format!(
                    "cargo xtask train-demo, on the digits of scikit-learn; clean accuracy {:.3}, share of stamped images with label 3 {:.3}",
                    figures.clean_accuracy, figures.attack_success
                )),
                license: Some(
                    "MIT OR Apache-2.0; images: UCI Optical Recognition of Handwritten Digits, CC BY 4.0".to_owned(),
                ),
            },
            Input { layout: Layout::Nhwc, shape: [16, 16, 1], value_range: Some([0.0, 1.0]) },
        );
        let path = models.join(&file);
        write_atomically(&path, &bytes)?;
        let manifest_path = Manifest::path_for(&path);
        write_atomically(&manifest_path, manifest.to_toml()?.as_bytes())?;
        say(&format!(
            "{}: clean accuracy {:.3}, attack success {:.3}",
            path.display(),
            figures.clean_accuracy,
            figures.attack_success
        ));
    }
    write_atomically(&models.join("digits.npz"), &fs::read(work.path().join("digits.npz"))?)?;
    Ok(())
}
