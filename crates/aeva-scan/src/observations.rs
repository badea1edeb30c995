//! The results in a store that count under a rule.

use aeva_artifact::ArtifactError;
use aeva_attack::Label;
use aeva_attack::perturbation::{Outcome, PairResult, QueryCounts};
use aeva_attack::trigger::{ImageSplit, Pass, PassId, PassResult, Setting, TRIGGER_SEARCH_VERSION};
use aeva_stats::{PairScores, PublishedDecision, PublishedRule, TargetMap, pair_score, peak_share};
use serde::Serialize;

use crate::store::{Store, StoredPass};
use crate::{Assessment, DecisionRule, Evidence, Observation, Passes, TriggerPlan, assess};

/// The results in a store that count under a rule.
#[derive(Debug, Clone)]
pub struct Observations {
    /// The trigger passes; `None` if there are none.
    pub triggers: Option<TriggerObservations>,
    /// The perturbations.
    pub perturbations: PerturbationObservations,
    /// `[class]` -> its hold-out images; empty if unknown.
    pub holdout: Vec<usize>,
}

/// The trigger passes that count.
#[derive(Debug, Clone)]
pub struct TriggerObservations {
    /// Shape `[h, w, c]` of the images.
    pub shape: [usize; 3],
    /// Their results in the form for the assessment.
    pub passes: Passes,
    /// Their complete results, in the same order.
    pub results: Vec<(PassId, PassResult)>,
}

/// The perturbations of a scan.
#[derive(Debug, Clone)]
pub struct PerturbationObservations {
    /// One entry for each searched pair.
    pub pairs: Vec<PairSummary>,
    /// Queries by phase.
    pub queries: QueryCounts,
    /// Whether the search for perturbations has begun or ended.
    pub begun: bool,
    /// The decision of the published rule.
    pub decision: PublishedDecision,
}

/// The perturbations of one ordered pair in the form for the assessment.
#[derive(Debug, Clone, Serialize)]
pub struct PairSummary {
    /// Label of the origins.
    pub source: Label,
    /// Label whose boundary was walked.
    pub target: Label,
    /// Samples that count.
    pub samples: usize,
    /// How the samples that do not count ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<Outcome>,
    /// The maximum peak share over the samples; `None` if none counts.
    pub score: Option<f64>,
    /// Images classified.
    pub queries: u64,
}

impl Observations {
    /// Reads what counts under `rule` from `store`. The model has `classes` labels; `correct` is the number of
    /// correctly classified images of each (empty if unknown).
    ///
    /// # Errors
    /// If something in the store is damaged or foreign.
    pub fn of_store(
        store: &dyn Store,
        classes: u32,
        correct: &[usize],
        rule: &DecisionRule,
    ) -> Result<Self, ArtifactError> {
        Self::beside(TriggerObservations::of_store(store, classes, rule)?, store, classes, correct)
    }

    /// These passes over triggers, and what else `store` holds.
    pub(crate) fn beside(
        triggers: Option<TriggerObservations>,
        store: &dyn Store,
        classes: u32,
        correct: &[usize],
    ) -> Result<Self, ArtifactError> {
        let perturbations = PerturbationObservations::of_store(store, classes)?;
        Ok(Self { triggers, perturbations, holdout: ImageSplit::holdout_of(correct) })
    }

    /// The verdict.
    pub fn assess(&self, rule: &DecisionRule) -> Assessment {
        let perturbations = &self.perturbations;
        // Without any pair there is nothing to judge, except that the pairs are missing.
        let counts = !perturbations.pairs.is_empty() || perturbations.begun || *rule == DecisionRule::Published;
        assess(
            &Evidence {
                triggers: self.triggers.as_ref().map(|triggers| &triggers.passes),
                perturbations: counts.then_some(&perturbations.decision),
                holdout: (!self.holdout.is_empty()).then_some(&self.holdout),
            },
            rule,
        )
    }
}

impl TriggerObservations {
    /// The passes that a scan under this rule makes, as far as they are in the store; `None` if the store has no
    /// passes, and no answers to one either.
    ///
    /// # Errors
    /// If a pass in the store is damaged or foreign.
    pub fn of_store(store: &dyn Store, classes: u32, rule: &DecisionRule) -> Result<Option<Self>, ArtifactError> {
        let ids =
            || Setting::all().flat_map(|setting| [Pass::Explore, Pass::Refine].map(|pass| PassId { setting, pass }));
        let mut there: Vec<(PassId, StoredPass)> = Vec::new();
        for id in ids() {
            there.extend(store.pass(id)?.map(|stored| (id, stored)));
        }
        // Damaged answers, too, say that the first pass was begun.
        let begun = |id| !store.pass_answers(id).is_ok_and(|answers| answers.is_empty());
        if there.is_empty() && !ids().any(begun) {
            return Ok(None);
        }
        // Passes of another version of the search do not count.
        there.retain(|(_, stored)| stored.version == TRIGGER_SEARCH_VERSION);
        let shape = there.first().map_or([0; 3], |(_, stored)| stored.shape);
        there.retain(|(_, stored)| stored.shape == shape);
        Ok(Some(Self::of_results(
            there.into_iter().map(|(id, stored)| (id, stored.result)).collect(),
            shape,
            classes,
            rule,
        )))
    }

    /// The passes that a scan under this rule makes, selected from passes over images `[h, w, c]`.
    pub(crate) fn of_results(
        mut there: Vec<(PassId, PassResult)>,
        shape: [usize; 3],
        classes: u32,
        rule: &DecisionRule,
    ) -> Self {
        let (of_triggers, exhaustive) = rule.of_triggers();
        let mut results = Vec::new();
        let passes = TriggerPlan::new(shape, of_triggers, exhaustive).replay(|id| {
            let place = there.iter().position(|(other, _)| *other == id)?;
            let (_, result) = there.swap_remove(place);
            let observation =
                Observation { id, tally: result.tally(id.setting, shape, classes), queries: result.queries };
            results.push((id, result));
            Some(observation)
        });
        Self { shape, passes, results }
    }

    /// The pass whose trigger for this backdoor stands out most, or else has the highest success rate.
    pub fn best(&self, map: TargetMap) -> Option<usize> {
        let has = |place: usize| self.results.get(place).is_some_and(|(_, result)| result.finding(map).is_some());
        if let Some(standout) = self.passes.test().standout(map)
            && has(standout.pass)
        {
            return Some(standout.pass);
        }
        let hits = |place: usize| self.results[place].1.finding(map).map_or(0, |finding| finding.success().hits());
        (0..self.results.len()).filter(|&place| has(place)).max_by_key(|&place| hits(place))
    }
}

impl PerturbationObservations {
    /// Reads the perturbations in a store.
    ///
    /// # Errors
    /// If a pair in the store is damaged or foreign.
    pub fn of_store(store: &dyn Store, classes: u32) -> Result<Self, ArtifactError> {
        let mut scores = PairScores::new(classes as usize);
        let (mut pairs, mut queries) = (Vec::new(), QueryCounts::default());
        for (source, target) in store.pairs()? {
            let Some(result) = store.pair(source, target)? else { continue };
            let summary = PairSummary::new(&result);
            queries += result.queries();
            if let Some(score) = summary.score {
                // This cannot fail: a store lists each pair of the model once, and shares are finite.
                let _ = scores.insert(source as usize, target as usize, score);
            }
            pairs.push(summary);
        }
        let begun = !pairs.is_empty() || store.has_begun_pairs();
        Ok(Self { pairs, queries, begun, decision: PublishedRule::PUBLISHED.decide(&scores) })
    }
}

impl PairSummary {
    fn new(result: &PairResult) -> Self {
        let [_, _, channels] = result.shape;
        // A perturbation without mass (the walk ended on the origin) has no share and does not count.
        let shares: Vec<f64> = result.finished().filter_map(|v| peak_share(v, channels).ok()).collect();
        Self {
            source: result.source,
            target: result.target,
            samples: shares.len(),
            unfinished: result.samples.iter().map(|s| s.outcome).filter(|&o| o != Outcome::Finished).collect(),
            score: pair_score(&shares).ok(),
            queries: result.queries().total(),
        }
    }
}
