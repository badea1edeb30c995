//! The triggers of a model of the zoo: what an exhaustive scan found, kept as numbers.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::hop_skip_jump::QUICK_SAMPLES;
use aeva_attack::trigger::{ImageSplit, Pass, PassId, Setting, TRIGGER_SEARCH_VERSION};
use aeva_model::{Dataset, Loader, ValueRange};
use aeva_scan::{
    Budget, DecisionRule, Effort, LensName, Lenses, MemoryStore, Observation, PERTURBATION_BUDGET, Passes,
    PerturbationRequest, Request, Scan, TriggerPlan,
};
use aeva_stats::{CombinedRule, PassTally};
use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Versions of the search and of the form in which its results are kept.
const VERSION: [u32; 2] = [TRIGGER_SEARCH_VERSION, 3];
/// Images per batch.
const BATCH_ROWS: usize = 64;

/// What the trigger lens found in every pass that there is. Which of the passes a plain scan would have made is decided by the rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Triggers {
    version: [u32; 2],
    shape: [usize; 3],
    /// `[class]` -> its hold-out images.
    pub(super) holdout: Vec<usize>,
    /// Of all passes.
    pub(super) seconds: f64,
    passes: Vec<KeptPass>,
}

/// What one pass found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeptPass {
    #[serde(with = "setting_name")]
    setting: Setting,
    #[serde(with = "PassName")]
    pass: Pass,
    queries: u64,
    #[serde(default)]
    unlabelled: u64,
    tally: PassTally,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Pass", rename_all = "snake_case")]
enum PassName {
    Explore,
    Refine,
}

/// A setting by its name, for example `patch-03`.
mod setting_name {
    use aeva_attack::trigger::Setting;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(setting: &Setting, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(setting)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Setting, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Triggers {
    /// The kept results in these bytes, if they are of this version.
    pub(super) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(text).ok().filter(|triggers| triggers.version == VERSION)
    }

    /// Searches the triggers of a model.
    ///
    /// # Errors
    /// When the model or the images cannot be used.
    pub(super) fn search(model: &Path, data: &Path, seed: u64) -> anyhow::Result<Self> {
        let begin = Instant::now();
        let data = Dataset::load(data)?;
        let mut model = Loader::plain(model, &data, ValueRange::UNIT)?;
        let request = Request {
            lenses: Lenses::Only(LensName::Triggers),
            rule: DecisionRule::Combined { rule: CombinedRule::DEFAULT, effort: Effort::Exhaustive },
            perturbations: default_perturbations(model.spec.values())?,
            seed,
            batch_rows: NonZeroUsize::new(BATCH_ROWS).unwrap_or(NonZeroUsize::MIN),
            threads: NonZeroUsize::new(model.oracles.len()).context("the model was loaded for no thread")?,
            sees_small_changes: true,
            shard: None,
        };
        let scan = Scan::new(request, model.spec, &model.correct)?;
        let (images, no_limit) = (data.images.view(), Budget::default());
        let mut store = MemoryStore::default();
        let outcome = scan.run(&mut model.oracles, images, model.queries, no_limit, &mut store, &())?;
        let made = outcome.observations.triggers.map_or_else(Vec::new, |triggers| triggers.passes.made);
        Ok(Self {
            version: VERSION,
            shape: model.spec.shape(),
            holdout: ImageSplit::holdout_of(&model.correct.counts()),
            seconds: begin.elapsed().as_secs_f64(),
            passes: made.into_iter().map(KeptPass::from).collect(),
        })
    }

    /// Every pass over CIFAR-10 images, with these hits of 180 trials for each label, and 100 queries.
    #[cfg(test)]
    pub(super) fn of_hits(hits: impl Fn(PassId) -> [u32; 5]) -> Self {
        let shape = [32, 32, 3];
        let explored = Setting::explored(shape).into_iter().map(|setting| PassId { setting, pass: Pass::Explore });
        let refined = Setting::refined(shape).into_iter().map(|setting| PassId { setting, pass: Pass::Refine });
        let kept = |id: PassId| KeptPass {
            unlabelled: 0,
            setting: id.setting,
            pass: id.pass,
            queries: 100,
            tally: PassTally {
                family: id.setting.family,
                strength: id.setting.actual_strength(shape),
                labels: hits(id).map(|hits| aeva_stats::Tally::clamped(hits as usize, 180).into()).to_vec(),
                pairs: Vec::new(),
                confusion: Vec::new(),
                map: aeva_stats::Tally::clamped(0, 200).into(),
                effects: Vec::new(),
            },
        };
        let passes = explored.chain(refined).map(kept).collect();
        Self { version: VERSION, shape, holdout: vec![45; 5], seconds: 1.0, passes }
    }

    /// Images that allow no passes.
    #[cfg(test)]
    pub(super) fn too_few_images(self) -> Self {
        Self { passes: Vec::new(), holdout: vec![1; 5], ..self }
    }

    /// The passes that a plain scan makes under this rule.
    pub(super) fn under(&self, rule: &CombinedRule) -> Passes {
        TriggerPlan::new(self.shape, rule.clone(), Effort::Standard)
            .replay(|id| self.passes.iter().find(|kept| kept.id() == id).map(KeptPass::observation))
    }
}

/// The search for perturbations that `aeva scan` makes by default, for images of `values` values.
///
/// # Errors
/// When the parameters are refused.
pub(super) fn default_perturbations(values: usize) -> anyhow::Result<PerturbationRequest> {
    Ok(PerturbationRequest {
        params: HopSkipJumpBuilder::quick(values).check()?,
        samples: QUICK_SAMPLES,
        sources: None,
        targets: None,
        budget: PERTURBATION_BUDGET,
    })
}

impl KeptPass {
    fn id(&self) -> PassId {
        PassId { setting: self.setting, pass: self.pass }
    }

    fn observation(&self) -> Observation {
        Observation { id: self.id(), tally: self.tally.clone(), queries: self.queries, unlabelled: self.unlabelled }
    }
}

impl From<Observation> for KeptPass {
    fn from(Observation { id: PassId { setting, pass }, tally, queries, unlabelled }: Observation) -> Self {
        Self { setting, pass, queries, unlabelled, tally }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use aeva_stats::Tally;

    #[test]
    fn a_pass_is_kept_by_names() {
        let setting: Setting = "patch-03".parse().unwrap();
        let tally = PassTally {
            family: setting.family,
            strength: 4.0,
            labels: vec![Tally::clamped(1, 4).into()],
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: Tally::ZERO.into(),
            effects: Vec::new(),
        };
        let kept = KeptPass::from(Observation {
            id: PassId { setting, pass: Pass::Refine },
            tally,
            queries: 7,
            unlabelled: 2,
        });
        let json = serde_json::to_value(&kept).unwrap();
        assert_eq!((&json["setting"], &json["pass"]), (&"patch-03".into(), &"refine".into()));
        assert_eq!(serde_json::from_value::<KeptPass>(json).unwrap(), kept);
        assert!(Triggers::from_json(br#"{"version":4,"shape":[1,1,1],"seconds":1.0,"looks":[]}"#).is_none());
    }
}
