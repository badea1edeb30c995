//! The triggers of a model of the zoo, kept as numbers.

use std::path::Path;
use std::time::Instant;

use aeva_artifact::{DataProvenance, Family, Level, Look, ModelProvenance, Provenance, SEARCH_VERSION};
use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::trigger::{Panel, TRIGGER_SEARCH_VERSION, TriggerSearch};
use aeva_model::ValueRange;
use aeva_scan::{Replay, Seen, Step, TriggerPlan, TriggerScan};
use aeva_stats::{CombinedRule, LevelSuccess};
use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::sweep::Subject;

/// Images per batch.
const BATCH_ROWS: usize = 64;

/// What the lens of triggers saw, at every look there is: which of them a scan would have taken is a matter of the rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Triggers {
    version: u32,
    shape: [usize; 3],
    /// Of all looks.
    pub(super) seconds: f64,
    looks: Vec<Kept>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    family: Family,
    strength: u32,
    look: Look,
    queries: u64,
    success: LevelSuccess,
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
        let mut scan =
            TriggerScan::new(search, TriggerPlan::new(spec.shape(), CombinedRule::DEFAULT, true), provenance);
        while let Some(step) = scan.next() {
            let found = scan.look(step, &mut oracles, data.images.view(), &mut Vec::new(), &())?;
            let taken = scan.accept(found);
            ensure!(taken, "the look at {} was not the one that was asked for", step.level);
        }
        Ok(Self {
            version: TRIGGER_SEARCH_VERSION,
            shape: spec.shape(),
            seconds: begin.elapsed().as_secs_f64(),
            looks: scan.seen().iter().map(Kept::new).collect(),
        })
    }

    /// The looks that a scan under this rule takes.
    pub(super) fn under(&self, rule: CombinedRule) -> Replay {
        TriggerPlan::new(self.shape, rule, false).replay(|step| {
            let kept = self.looks.iter().find(|kept| kept.step() == step)?;
            Some(Seen { step, success: kept.success.clone(), queries: kept.queries })
        })
    }
}

impl Kept {
    fn new(seen: &Seen) -> Self {
        let Step { level, look } = seen.step;
        Self {
            family: level.family,
            strength: level.strength,
            look,
            queries: seen.queries,
            success: seen.success.clone(),
        }
    }

    fn step(&self) -> Step {
        Step { level: Level { family: self.family, strength: self.strength }, look: self.look }
    }
}
