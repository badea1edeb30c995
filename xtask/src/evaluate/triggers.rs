//! The triggers of a model of the zoo, kept as numbers.

use std::path::Path;
use std::time::Instant;

use aeva_artifact::{DataProvenance, Family, Level, ModelProvenance, Provenance, SEARCH_VERSION, TriggerArtifact};
use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::trigger::{Panel, TRIGGER_SEARCH_VERSION, TriggerSearch};
use aeva_model::ValueRange;
use aeva_stats::{LevelSuccess, PairSuccess, TriggerFamily};
use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::sweep::Subject;

/// Images per batch.
const BATCH_ROWS: usize = 64;

/// What the lens of triggers saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Triggers {
    version: u32,
    pub(super) queries: u64,
    pub(super) seconds: f64,
    pub(super) levels: Vec<LevelSuccess>,
}

impl Triggers {
    /// Kept ones, if these bytes are what this program would find.
    pub(super) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(text).ok().filter(|triggers| triggers.version == TRIGGER_SEARCH_VERSION)
    }

    /// Searches the triggers of a model.
    ///
    /// # Errors
    /// When the model or the images cannot be used.
    pub(super) fn search(model: &Path, data: &Path, seed: u64) -> anyhow::Result<Self> {
        let begin = Instant::now();
        let Subject { data, file, mut oracles, correct } = Subject::load(model, data, ValueRange::UNIT)?;
        let spec = *oracles[0].spec();
        let provenance = Provenance {
            search_version: SEARCH_VERSION,
            model: ModelProvenance {
                sha256: file.sha256().to_owned(),
                classes: spec.classes,
                preprocessing: String::new(),
            },
            data: DataProvenance { sha256: data.sha256(), images: data.labels.len() as u64 },
            search: HopSkipJumpBuilder::quick(spec.values()).check()?.provenance(),
            samples: 0,
            seed,
            provider: String::new(),
        };
        let search = TriggerSearch { panel: Panel::new(&correct), seed, batch_rows: BATCH_ROWS };
        let (mut levels, mut queries, mut weaker) = (Vec::new(), 0, None);
        for level in Level::all(spec.shape()) {
            let from =
                weaker.take().filter(|(family, _)| *family == level.family).map_or(Vec::new(), |(_, found)| found);
            let found = search.level(&mut oracles, data.images.view(), level, &from, &())?;
            let (findings, spent) = found.context("nobody asked the search to stop")?;
            let provenance = provenance.clone();
            let trigger_search_version = TRIGGER_SEARCH_VERSION;
            let artifact = TriggerArtifact {
                provenance,
                trigger_search_version,
                level,
                shape: spec.shape(),
                queries: spent,
                findings,
            };
            levels.push(LevelSuccess {
                family: match level.family {
                    Family::Patch => TriggerFamily::Patch,
                    Family::Overlay => TriggerFamily::Overlay,
                },
                strength: level.strength,
                labels: artifact.label_proofs(),
                pairs: artifact
                    .pair_proofs()
                    .into_iter()
                    .map(|cell| PairSuccess {
                        source: cell.source as usize,
                        target: cell.target as usize,
                        turned: cell.turned,
                        asked: cell.asked,
                    })
                    .collect(),
                map: artifact.map_proof(),
            });
            queries += spent;
            weaker = Some((level.family, artifact.findings));
        }
        Ok(Self { version: TRIGGER_SEARCH_VERSION, queries, seconds: begin.elapsed().as_secs_f64(), levels })
    }
}
