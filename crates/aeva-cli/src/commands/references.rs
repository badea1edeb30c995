//! The clean models of the user's that a model is compared with.

use std::fs;
use std::path::{Path, PathBuf};

use aeva_artifact::RunDir;
use aeva_scan::reference_model;
use aeva_stats::ReferenceModel;
use anyhow::Context;

use crate::hint::Hinted;

/// A clean model, by its SHA-256.
#[derive(Debug, Clone)]
pub(super) struct Known {
    sha256: String,
    model: ReferenceModel,
}

/// Scans a model into a folder.
pub(super) type ScanInto<'a> = &'a dyn Fn(&Path, &Path) -> anyhow::Result<()>;

/// The clean models of these paths. Models that are no scans yet are scanned with `scan`; without it they are refused.
pub(super) fn load(paths: &[PathBuf], scan: Option<ScanInto<'_>>) -> anyhow::Result<Vec<Known>> {
    let mut known = Vec::new();
    for path in paths {
        for folder in folders(path, scan)? {
            let run = RunDir::open(&folder)?;
            let model = reference_model(&run).map_err(|error| {
                Hinted::error(error.to_string(), "finish its scan, or scan it with `aeva calibrate`")
            })?;
            known.push(Known { sha256: run.info().provenance.model.sha256.clone(), model });
        }
    }
    // One file twice is one model.
    known.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    known.dedup_by(|a, b| a.sha256 == b.sha256);
    Ok(known)
}

/// Those that a model can be compared with: it says nothing about itself.
pub(super) fn for_model(known: Vec<Known>, sha256: &str) -> Vec<ReferenceModel> {
    let (own, others): (Vec<Known>, Vec<Known>) = known.into_iter().partition(|known| known.sha256 == sha256);
    if !own.is_empty() {
        tracing::warn!("the model is one of its own references; it is not compared with itself");
    }
    others.into_iter().map(|known| known.model).collect()
}

/// The run folders that a path stands for.
fn folders(path: &Path, scan: Option<ScanInto<'_>>) -> anyhow::Result<Vec<PathBuf>> {
    if RunDir::is_at(path) {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut found = Vec::new();
        for entry in entries {
            let folder = entry.with_context(|| format!("cannot read {}", path.display()))?.path();
            if RunDir::is_at(&folder) {
                found.push(folder);
            }
        }
        if found.is_empty() {
            return Err(Hinted::error(
                format!("{} has no run folders in it", path.display()),
                "make a reference with `aeva calibrate MODEL... --data DATA --out FOLDER`",
            ));
        }
        found.sort();
        return Ok(found);
    }
    let Some(scan) = scan else {
        return Err(Hinted::error(
            format!("{} is no run folder, and a model cannot be scanned here", path.display()),
            "scan it with `aeva calibrate`",
        ));
    };
    let out = PathBuf::from("runs").join(format!("reference-{}", super::name_of(path)));
    tracing::info!("scanning {}, to compare with it", path.display());
    scan(path, &out)?;
    Ok(vec![out])
}
