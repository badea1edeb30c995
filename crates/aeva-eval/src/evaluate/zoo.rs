//! A folder of models that `cargo xtask train-zoo` made, and the results that are kept in it.

use std::fs;
use std::path::{Path, PathBuf};

use aeva_artifact::{sha256_hex, write_atomically};
use aeva_model::ValueRange;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::preset::Preset;
use super::triggers::Triggers;
use crate::sweep::{Sweep, sweep};

/// The part of `zoo.json` that is used here.
#[derive(Debug, Deserialize)]
struct Index {
    schema_version: u32,
    models: Vec<Model>,
}

/// One model of the zoo.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) sha256: String,
    pub(super) data: String,
    pub(super) dataset: String,
    pub(super) architecture: String,
    pub(super) kind: String,
    pub(super) classes: u32,
    pub(super) infected_labels: Vec<usize>,
    pub(super) usable: bool,
    pub(super) split: Split,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Split {
    /// Thresholds and probabilities are fitted to it.
    Tune,
    /// The figures are measured on it.
    Report,
    /// A clean model for the null distribution, and for nothing else.
    Calibrate,
}

impl Model {
    pub(super) fn infected(&self) -> bool {
        self.kind != "clean"
    }
}

/// Some models of a zoo. Results are kept in its folder, for each model and seed.
#[derive(Debug)]
pub(super) struct Zoo {
    folder: PathBuf,
    pub(super) models: Vec<Model>,
}

impl Zoo {
    /// Reads the usable models that are wanted, and checks their files against the index.
    ///
    /// # Errors
    /// When there is no zoo, or a file has changed.
    pub(super) fn read(folder: &Path, wanted: impl Fn(&Model) -> bool) -> anyhow::Result<Self> {
        let index = folder.join("zoo.json");
        let text = fs::read(&index)
            .with_context(|| format!("cannot read {}; run `cargo xtask train-zoo` to make a zoo", index.display()))?;
        let zoo: Index =
            serde_json::from_slice(&text).with_context(|| format!("{} is not the index of a zoo", index.display()))?;
        if zoo.schema_version != 1 {
            bail!("{} has schema_version {}; expected 1", index.display(), zoo.schema_version);
        }
        let models: Vec<Model> = zoo.models.into_iter().filter(|model| model.usable && wanted(model)).collect();
        for model in &models {
            let path = folder.join(&model.file);
            let found = sha256_hex(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
            if found != model.sha256 {
                bail!("{} has SHA-256 {found}; {} says {}", path.display(), index.display(), model.sha256);
            }
        }
        Ok(Self { folder: folder.to_owned(), models })
    }

    /// The perturbations of a model, kept from an earlier run or searched now.
    ///
    /// # Errors
    /// When they cannot be searched or kept.
    pub(super) fn sweep(&self, model: &Model, preset: Preset, seed: u64) -> anyhow::Result<Sweep> {
        let path = self.result_path(model, preset.name(), seed)?;
        if let Some(sweep) = fs::read(&path).ok().and_then(|text| Sweep::from_json(&text)) {
            return Ok(sweep);
        }
        let depth = |values, classes| preset.depth(values, classes);
        let (file, data) = (self.folder.join(&model.file), self.folder.join(&model.data));
        let found = sweep(&file, &data, ValueRange::UNIT, seed, depth)
            .with_context(|| format!("cannot search the perturbations of {}", model.name))?;
        write_atomically(&path, &serde_json::to_vec(&found)?)?;
        Ok(found)
    }

    /// The triggers of a model, kept from an earlier run or searched now.
    ///
    /// # Errors
    /// When they cannot be searched or kept.
    pub(super) fn triggers(&self, model: &Model, seed: u64) -> anyhow::Result<Triggers> {
        let path = self.result_path(model, "triggers", seed)?;
        if let Some(triggers) = fs::read(&path).ok().and_then(|text| Triggers::from_json(&text)) {
            return Ok(triggers);
        }
        let found = Triggers::search(&self.folder.join(&model.file), &self.folder.join(&model.data), seed)
            .with_context(|| format!("cannot search the triggers of {}", model.name))?;
        write_atomically(&path, &serde_json::to_vec(&found)?)?;
        Ok(found)
    }

    fn result_path(&self, model: &Model, what: &str, seed: u64) -> anyhow::Result<PathBuf> {
        let cache = self.folder.join("results");
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        Ok(cache.join(format!("{}-{}-{what}-seed{seed}.json", model.name, &model.sha256[..12])))
    }
}
