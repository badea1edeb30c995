//! The trigger passes in a store that count under a rule.

use aeva_artifact::ArtifactError;
use aeva_attack::trigger::{Pass, PassId, PassResult, Setting, TRIGGER_SEARCH_VERSION, TriggerFinding};
use aeva_stats::{PassTally, TargetMap};

use super::plan::{Observation, Passes, TriggerPlan};
use super::store::{StoredPass, TriggerStore};
use crate::effort::Effort;
use crate::rule::DecisionRule;

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

impl TriggerObservations {
    /// The passes that a scan under this rule makes, as far as they are in the store; `None` if the store has no
    /// passes, and no answers to one either.
    ///
    /// # Errors
    /// If a pass in the store is damaged or foreign.
    pub fn of_store(
        store: &dyn TriggerStore,
        classes: u32,
        rule: &DecisionRule,
    ) -> Result<Option<Self>, ArtifactError> {
        let there = stored(store)?;
        // Damaged answers, too, say that the first pass was begun.
        let begun = |id| !store.pass_answers(id).is_ok_and(|answers| answers.is_empty());
        if there.is_empty() && !PassId::all().any(begun) {
            return Ok(None);
        }
        let (shape, there) = of_this_version(there);
        Ok(Some(Self::of_results(there, shape, classes, rule)))
    }

    /// The tallies of all passes in the store that a scan of this effort may make, in its order. A calibration takes them,
    /// because which of them a rule makes depends on the calibration.
    ///
    /// # Errors
    /// If a pass in the store is damaged or foreign.
    pub fn all_tallies(
        store: &dyn TriggerStore,
        classes: u32,
        effort: Effort,
    ) -> Result<Vec<PassTally>, ArtifactError> {
        let (shape, there) = of_this_version(stored(store)?);
        let (explored, refined) = TriggerPlan::settings(shape, effort);
        let explored = explored.into_iter().map(|setting| PassId { setting, pass: Pass::Explore });
        let refined = refined.into_iter().map(|setting| PassId { setting, pass: Pass::Refine });
        let found = explored.chain(refined).filter_map(|id| there.iter().find(|(other, _)| *other == id));
        Ok(found.map(|(id, result)| result.tally(id.setting, shape, classes)).collect())
    }

    /// The passes that a scan under this rule makes, selected from passes over images `[h, w, c]`.
    pub(crate) fn of_results(
        mut there: Vec<(PassId, PassResult)>,
        shape: [usize; 3],
        classes: u32,
        rule: &DecisionRule,
    ) -> Self {
        let (of_triggers, effort) = rule.of_triggers();
        let mut results = Vec::new();
        let passes = TriggerPlan::new(shape, of_triggers, effort).replay(|id| {
            let place = there.iter().position(|(other, _)| *other == id)?;
            let (_, result) = there.swap_remove(place);
            let observation = Observation::new(id, &result, shape, classes);
            results.push((id, result));
            Some(observation)
        });
        Self { shape, passes, results }
    }

    /// The trigger that shows this backdoor, and the setting of its pass: in the pass where it stands out most, or else the
    /// one with the highest success rate.
    ///
    /// A pair of labels may stand out by a trigger that was searched for its target label, and turns the images of one
    /// source alone.
    pub fn best(&self, map: TargetMap) -> Option<(Setting, &TriggerFinding)> {
        let standout = self.passes.test().standout(map).and_then(|standout| self.results.get(standout.pass));
        if let Some((id, result)) = standout
            && let Some(finding) = result.finding(map).or_else(|| turning(result, map))
        {
            return Some((id.setting, finding));
        }
        let found = self.results.iter().filter_map(|(id, result)| Some((id.setting, result.finding(map)?)));
        found.max_by_key(|(_, finding)| finding.success().hits())
    }
}

/// The passes in a store.
fn stored(store: &dyn TriggerStore) -> Result<Vec<(PassId, StoredPass)>, ArtifactError> {
    let mut there = Vec::new();
    for id in PassId::all() {
        there.extend(store.pass(id)?.map(|stored| (id, stored)));
    }
    Ok(there)
}

/// The passes that count, and the shape `[h, w, c]` of their images. Those of another version of the search, or over
/// images of another shape, do not count.
fn of_this_version(mut there: Vec<(PassId, StoredPass)>) -> ([usize; 3], Vec<(PassId, PassResult)>) {
    there.retain(|(_, stored)| stored.version == TRIGGER_SEARCH_VERSION);
    let shape = there.first().map_or([0; 3], |(_, stored)| stored.shape);
    there.retain(|(_, stored)| stored.shape == shape);
    (shape, there.into_iter().map(|(id, stored)| (id, stored.result)).collect())
}

/// The finding for another goal that turns the most images of the source to the target.
fn turning(result: &PassResult, map: TargetMap) -> Option<&TriggerFinding> {
    let TargetMap::SourceSpecific { source, target } = map else { return None };
    let hits = |finding: &TriggerFinding| {
        let cell = finding.holdout.iter().find(|cell| (cell.source, cell.target) == (source, target));
        cell.map_or(0, |cell| cell.tally.hits())
    };
    result.findings.iter().filter(|finding| finding.climbed && hits(finding) > 0).max_by_key(|finding| hits(finding))
}
