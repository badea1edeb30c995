//! The trigger lens: searches one change for all images that sends them to a label.

mod help;
mod memory;
mod observations;
mod plan;
mod report;
mod run;
mod share;
mod store;
mod together;

use aeva_artifact::{ArtifactError, RunInfo};
use aeva_attack::PlanError;
use aeva_attack::trigger::{ImageSplit, Pass, PassId, Setting, Trigger, TriggerSearch};
use aeva_stats::{LensEvidence, PAIR_IMAGES_NEEDED, Reason};
use serde::Serialize;

pub use observations::TriggerObservations;
pub use plan::{Observation, Passes, TriggerPlan};
pub use report::{FoundTrigger, PassReport, TriggerReport};
pub use store::{StoredPass, TriggerStore};

use super::{Cost, Judging, Lens, Planning, Reporting, Shared};
use crate::effort::Effort;
use crate::rule::DecisionRule;
use crate::session::{Ended, Failure, Session};
use store::TriggerMemory;

/// The trigger lens.
pub(crate) struct Triggers;

/// The passes to make.
#[derive(Debug)]
pub(crate) struct TriggerSearches {
    search: TriggerSearch,
    rule: DecisionRule,
    /// Shape `[h, w, c]` of the images.
    shape: [usize; 3],
    /// The passes of a share; `None` for a whole scan.
    share: Option<Vec<PassId>>,
}

/// The passes that a scan makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TriggerWork {
    /// Exploring passes.
    pub exploring_passes: usize,
    /// Refining passes, at most.
    pub refining_passes: usize,
}

impl TriggerSearches {
    /// Whether it is no share.
    pub(crate) fn is_whole(&self) -> bool {
        self.share.is_none()
    }

    /// What a scan of this effort is expected to take, at least (unless the verdict is clear earlier) and at most.
    pub(crate) fn queries(&self, effort: Effort) -> (u64, u64) {
        let (explored, refined) = TriggerPlan::settings(self.shape, effort);
        let queries = |settings: &[Setting], pass: Pass| {
            settings.iter().map(|&setting| self.search.expected_queries(PassId { setting, pass })).sum::<u64>()
        };
        let exploring = queries(&explored, Pass::Explore);
        let most = exploring + queries(&refined, Pass::Refine);
        (if effort == Effort::Exhaustive { most } else { exploring }, most)
    }
}

/// Helps other shares with the passes that they are making.
pub(crate) fn help(
    plan: &TriggerSearches,
    session: &mut Session<'_, '_>,
    store: &mut dyn TriggerStore,
) -> Result<(), Failure> {
    let (_, effort) = plan.rule.of_triggers();
    let before = |id| share::before(plan.shape, effort, id);
    help::help(&plan.search, &share::chains(plan.shape, effort), before, session, store)
}

/// Candidates kept in memory while a setting is explored.
const CANDIDATES: usize = 300;
/// Triggers that a pass keeps in addition to one for each label: pairs and the all-to-all map.
const OTHER_FINDINGS: usize = 29;

impl Lens for Triggers {
    const OPTION: &'static str = "trigger";
    const EARLIER_OPTION: &'static str = "patch";
    const SEARCHED: &'static str = "triggers";
    const HELP: &'static str =
        "Triggers, one for all images: patches of up to a quarter of the side, and patterns over the whole image";

    type Plan = TriggerSearches;
    type Work = TriggerWork;
    type Store<'s> = dyn TriggerStore + 's;
    type Memory = TriggerMemory;
    type Seen = Option<TriggerObservations>;
    type Evidence = Passes;
    type Queries = u64;
    type Report = Option<TriggerReport>;

    fn plan(planning: &Planning<'_>) -> Result<Option<TriggerSearches>, PlanError> {
        if planning.limits.no_verdict.is_some() {
            return Ok(None);
        }
        let search =
            TriggerSearch::new(ImageSplit::new(planning.correct, planning.seed), planning.seed, planning.batch_rows);
        Ok(Some(TriggerSearches { search, rule: planning.rule.clone(), shape: planning.spec.shape(), share: None }))
    }

    fn work(plan: &TriggerSearches) -> (TriggerWork, Cost) {
        let (_, effort) = plan.rule.of_triggers();
        let (explored, refined) = TriggerPlan::settings(plan.shape, effort);
        let (exploring_passes, refining_passes) = match &plan.share {
            None => (explored.len(), refined.len()),
            Some(share) => {
                let refining = share.iter().filter(|id| id.pass == Pass::Refine).count();
                (share.len() - refining, refining)
            }
        };
        let queries = plan.share.as_ref().map_or_else(
            || plan.queries(effort),
            |share| {
                let queries = share.iter().map(|&id| plan.search.expected_queries(id)).sum();
                (queries, queries)
            },
        );
        let kept = plan.search.split().classes() as usize + OTHER_FINDINGS;
        let triggers = CANDIDATES + (exploring_passes + refining_passes) * kept;
        let values: usize = plan.shape.iter().product();
        let images = (triggers * Trigger::most_values(plan.shape)).div_ceil(values.max(1));
        (TriggerWork { exploring_passes, refining_passes }, Cost { queries, images })
    }

    /// A unit is a family of triggers.
    fn units(plan: &TriggerSearches) -> Vec<u64> {
        let (_, effort) = plan.rule.of_triggers();
        let cost = |chain: Vec<PassId>| chain.into_iter().map(|id| plan.search.expected_queries(id)).sum();
        share::chains(plan.shape, effort).into_iter().map(cost).collect()
    }

    fn keep(plan: &mut TriggerSearches, own: &[bool]) {
        let (_, effort) = plan.rule.of_triggers();
        plan.share = Some(share::passes(plan.shape, effort, own));
    }

    fn shared(plan: &TriggerSearches) -> Shared {
        Shared { passes: plan.share.clone().unwrap_or_default(), ..Shared::default() }
    }

    fn describe(work: &TriggerWork) -> Option<String> {
        let &TriggerWork { exploring_passes, refining_passes } = work;
        (exploring_passes > 0)
            .then(|| format!("passes over triggers: {exploring_passes}, and up to {refining_passes} refining ones"))
    }

    fn run<'s>(
        plan: &TriggerSearches,
        session: &mut Session<'_, '_>,
        store: &'s mut (dyn TriggerStore + 's),
    ) -> Result<(Ended, Option<TriggerObservations>), Failure> {
        let (ended, results) = match &plan.share {
            Some(passes) => run::share(&plan.search, passes, session, store)?,
            None => run::run(&plan.search, &plan.rule, session, store)?,
        };
        let classes = plan.search.split().classes();
        Ok((ended, Some(TriggerObservations::of_results(results, plan.shape, classes, &plan.rule))))
    }

    /// Triggers that an earlier scan of the same run found count, too. Without a pass, only the store tells whether one
    /// was begun.
    fn observe<'s>(
        seen: Option<TriggerObservations>,
        store: &'s (dyn TriggerStore + 's),
        classes: u32,
        rule: &DecisionRule,
    ) -> Result<Option<TriggerObservations>, ArtifactError> {
        match seen.filter(|triggers| !triggers.passes.made.is_empty()) {
            Some(triggers) => Ok(Some(triggers)),
            None => TriggerObservations::of_store(store, classes, rule),
        }
    }

    fn queries(seen: &Option<TriggerObservations>) -> u64 {
        seen.as_ref().map_or(0, |triggers| triggers.passes.queries())
    }

    fn total(queries: &u64) -> u64 {
        *queries
    }

    fn evidence<'a>(seen: &'a Option<TriggerObservations>, _: &DecisionRule) -> Option<&'a Passes> {
        seen.as_ref().map(|triggers| &triggers.passes)
    }

    fn weigh(_: &Passes, judging: &Judging<'_>) -> Option<LensEvidence> {
        judging.triggers.map(|test| judging.rule.trigger_evidence(test))
    }

    fn undecided(passes: &Passes) -> Option<Reason> {
        passes.still_missing()
    }

    /// A clean verdict requires triggers, and no pass left that could still raise an alarm.
    fn missing(passes: Option<&Passes>, _: &Judging<'_>) -> Option<Reason> {
        passes.map_or(Some(Reason::NoTriggers), Passes::still_missing)
    }

    /// The triggers are shown only if they take part in the assessment.
    fn report(seen: &Option<TriggerObservations>, reporting: &Reporting<'_>) -> Option<TriggerReport> {
        let (seen, test) = seen.as_ref().zip(reporting.triggers)?;
        Some(TriggerReport::new(seen, test, reporting.found))
    }

    fn notes(seen: &Option<TriggerObservations>, run: &RunInfo) -> Vec<String> {
        let correct: Vec<usize> = run.clean_correct.iter().map(|&count| count as usize).collect();
        let (holdout, needed) = (ImageSplit::pair_holdout_of(&correct), PAIR_IMAGES_NEEDED as usize);
        let few = holdout.iter().filter(|&&images| images < needed).count();
        let Some(seen) = seen else { return Vec::new() };
        let mut notes = Vec::new();
        let unlabelled = seen.passes.unlabelled();
        if unlabelled > 0 {
            notes.push(format!(
                "the model has no label (its scores are not numbers) for {unlabelled} of {} images with a trigger: they count as not reached",
                seen.passes.queries()
            ));
        }
        if few == 0 {
            return notes;
        }
        notes.push(format!(
            "source-specific backdoors of {few} of {} labels were not tested: a pair of labels needs {needed} hold-out images of its source",
            holdout.len()
        ));
        notes
    }
}
