//! The lenses: ways to look at a model. Each has a folder of its own and a row in the list of `list.rs`.

mod left_out;
mod list;
mod perturbation;
mod trigger;

use std::num::NonZeroUsize;

use aeva_artifact::{ArtifactError, RunInfo};
use aeva_attack::trigger::PassId;
use aeva_attack::{CorrectImages, InputSpec, Label, PlanError};
use aeva_stats::{CombinedRule, LensEvidence, Limits, Reason, TargetMap, TriggerTest};

use crate::rule::DecisionRule;
use crate::session::{Ended, Failure, Session};

pub use left_out::LeftOut;
pub use list::{Evidence, LensName, LensQueries, LensReports, MemoryStore, Observations, Store, Work};
pub(crate) use list::{Plans, Progress};
pub use perturbation::{
    PERTURBATION_BUDGET, PairSummary, PerturbationObservations, PerturbationReport, PerturbationRequest,
    PerturbationStore, PerturbationWork,
};
pub(crate) use trigger::help;
pub use trigger::{
    FoundTrigger, Observation, PassReport, Passes, StoredPass, TriggerObservations, TriggerPlan, TriggerReport,
    TriggerStore, TriggerWork,
};

/// A lens. Its functions are in the order of a scan: plan, search, collect what counts, judge, report.
pub(crate) trait Lens {
    /// Its value of the option `--lens`.
    const OPTION: &'static str;
    /// The same in earlier versions.
    const EARLIER_OPTION: &'static str;
    /// What it searches, for use in sentences, such as `triggers`.
    const SEARCHED: &'static str;
    /// What it searches, as a sentence for the help.
    const HELP: &'static str;

    /// What there is to search.
    type Plan;
    /// What it does, in numbers for an estimate; none by default.
    type Work: Default;
    /// Where its results are stored.
    type Store<'s>: ?Sized;
    /// The same in memory.
    type Memory: Default;
    /// The results that count; none by default.
    type Seen: Default;
    /// What of them is judged.
    type Evidence;
    /// Its queries by phase.
    type Queries;
    /// Its part of a report.
    type Report;

    /// What to search; `None` if the images do not allow anything.
    fn plan(planning: &Planning<'_>) -> Result<Option<Self::Plan>, PlanError>;

    /// Whether the search is worth its cost in addition to other lenses.
    fn check_cost(plan: &Self::Plan) -> Result<(), LeftOut> {
        let _ = plan;
        Ok(())
    }

    /// What the plan involves, and what it costs.
    fn work(plan: &Self::Plan) -> (Self::Work, Cost);

    /// The work in words; `None` if there is none.
    fn describe(work: &Self::Work) -> Option<String>;

    /// What the parts of the plan cost that different machines may do.
    fn units(plan: &Self::Plan) -> Vec<u64>;

    /// Leaves these parts of the plan alone.
    fn keep(plan: &mut Self::Plan, own: &[bool]);

    /// What the plan has when it is a share.
    fn shared(plan: &Self::Plan) -> Shared;

    /// Searches what the store does not have, counts every query, and stores what is complete. What it returns counts
    /// in the decision whether another lens is needed.
    fn run<'s>(
        plan: &Self::Plan,
        session: &mut Session<'_, '_>,
        store: &'s mut Self::Store<'s>,
    ) -> Result<(Ended, Self::Seen), Failure>;

    /// What counts after a scan that has `seen` this (by default nothing): the rest is read from the store.
    fn observe<'s>(
        seen: Self::Seen,
        store: &'s Self::Store<'s>,
        classes: u32,
        rule: &DecisionRule,
    ) -> Result<Self::Seen, ArtifactError>;

    /// Images classified for what counts.
    fn queries(seen: &Self::Seen) -> Self::Queries;

    /// Their sum.
    fn total(queries: &Self::Queries) -> u64;

    /// What is judged; `None` if the lens was not used.
    fn evidence<'a>(seen: &'a Self::Seen, rule: &DecisionRule) -> Option<&'a Self::Evidence>;

    /// How suspicious it is; `None` if the lens cannot decide.
    fn weigh(evidence: &Self::Evidence, judging: &Judging<'_>) -> Option<LensEvidence>;

    /// Why the lens cannot decide; used if no lens can.
    fn undecided(evidence: &Self::Evidence) -> Option<Reason>;

    /// What a clean verdict still needs from this lens.
    fn missing(evidence: Option<&Self::Evidence>, judging: &Judging<'_>) -> Option<Reason> {
        let _ = (evidence, judging);
        None
    }

    /// Its part of the report.
    fn report(seen: &Self::Seen, reporting: &Reporting<'_>) -> Self::Report;

    /// Notes for the reader about its figures.
    fn notes(seen: &Self::Seen, run: &RunInfo) -> Vec<String> {
        let _ = (seen, run);
        Vec::new()
    }
}

/// What a lens may need to know for its plan.
pub(crate) struct Planning<'a> {
    pub(crate) spec: InputSpec,
    pub(crate) correct: &'a CorrectImages,
    pub(crate) limits: &'a Limits,
    pub(crate) rule: &'a DecisionRule,
    pub(crate) perturbations: &'a PerturbationRequest,
    pub(crate) seed: u64,
    pub(crate) batch_rows: NonZeroUsize,
    pub(crate) threads: NonZeroUsize,
}

/// What a share of a scan has, all of which is in the store when it is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// Passes over triggers.
    pub passes: Vec<PassId>,
    /// Ordered pairs of labels (source, target) with perturbations.
    pub pairs: Vec<(Label, Label)>,
}

/// What the search of a lens costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Queries, at least (unless the scan stops early) and at most.
    pub(crate) queries: (u64, u64),
    /// Images kept in memory.
    pub(crate) images: usize,
}

/// What a lens may need to know to judge its evidence.
pub(crate) struct Judging<'a> {
    pub(crate) rule: &'a CombinedRule,
    /// The test of the triggers, if they can be tested.
    pub(crate) triggers: Option<&'a TriggerTest>,
}

/// What a lens may need to know for its part of a report.
pub(crate) struct Reporting<'a> {
    /// The test of the triggers, if it takes part.
    pub(crate) triggers: Option<&'a TriggerTest>,
    /// The backdoors that triggers show.
    pub(crate) found: &'a [TargetMap],
}
