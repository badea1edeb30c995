//! The perturbation lens: walks along the decision boundary for every pair of labels (AEVA).

mod memory;
mod observations;
mod report;
mod request;
mod run;
mod store;

use aeva_artifact::{ArtifactError, RunInfo};
use aeva_attack::PlanError;
use aeva_attack::perturbation::{PairPlan, PerturbationPlan, PerturbationSettings, QueryCounts};
use aeva_stats::{LensEvidence, PublishedDecision, Reason};
use serde::Serialize;

pub use observations::{PairSummary, PerturbationObservations};
pub use report::PerturbationReport;
pub use request::{PERTURBATION_BUDGET, PerturbationRequest};
pub use store::PerturbationStore;

use super::left_out::LeftOut;
use super::{Cost, Judging, Lens, Planning, Reporting, Shared};
use crate::rule::DecisionRule;
use crate::session::{Ended, Failure, Session};
use store::PerturbationMemory;

/// The perturbation lens.
pub(crate) struct Perturbations;

/// The pairs to search.
#[derive(Debug)]
pub(crate) struct PerturbationSearches {
    pub(crate) plan: PerturbationPlan,
    settings: PerturbationSettings,
    /// Values of an image.
    values: usize,
    /// Limit on the expected queries, in addition to another lens.
    budget: u64,
}

/// The searches that a scan makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PerturbationWork {
    /// Searches for perturbations.
    pub perturbation_searches: usize,
}

impl Lens for Perturbations {
    const OPTION: &'static str = "perturbation";
    const EARLIER_OPTION: &'static str = "aeva";
    const SEARCHED: &'static str = "perturbations";
    const HELP: &'static str = "Perturbations along the decision boundary, for every pair of labels (AEVA)";

    type Plan = PerturbationSearches;
    type Work = PerturbationWork;
    type Store<'s> = dyn PerturbationStore + 's;
    type Memory = PerturbationMemory;
    type Seen = PerturbationObservations;
    type Evidence = PublishedDecision;
    type Queries = QueryCounts;
    type Report = PerturbationReport;

    fn plan(planning: &Planning<'_>) -> Result<Option<PerturbationSearches>, PlanError> {
        let request = planning.perturbations;
        let plan = request.plan(planning.spec.classes, planning.correct)?;
        let settings = PerturbationSettings {
            params: request.params,
            seed: planning.seed,
            batch_rows: planning.batch_rows,
            threads: planning.threads,
        };
        Ok(Some(PerturbationSearches { plan, settings, values: planning.spec.values(), budget: request.budget }))
    }

    fn check_cost(plan: &PerturbationSearches) -> Result<(), LeftOut> {
        request::check_budget(&plan.settings.params, plan.plan.searches(), plan.values, plan.budget)
    }

    fn work(plan: &PerturbationSearches) -> (PerturbationWork, Cost) {
        let searches = plan.plan.searches();
        let queries = request::expected_queries(&plan.settings.params, searches, plan.values);
        (PerturbationWork { perturbation_searches: searches }, Cost { queries: (queries, queries), images: 0 })
    }

    /// A unit is a pair of labels.
    fn units(plan: &PerturbationSearches) -> Vec<u64> {
        let (params, values) = (&plan.settings.params, plan.values);
        let cost = |pair: &PairPlan| request::expected_queries(params, pair.samples.len(), values);
        plan.plan.pairs.iter().map(cost).collect()
    }

    fn keep(plan: &mut PerturbationSearches, own: &[bool]) {
        let mut own = own.iter();
        plan.plan.pairs.retain(|_| own.next() == Some(&true));
    }

    fn shared(plan: &PerturbationSearches) -> Shared {
        Shared { pairs: plan.plan.pairs.iter().map(|pair| (pair.source, pair.target)).collect(), ..Shared::default() }
    }

    fn describe(work: &PerturbationWork) -> Option<String> {
        let searches = work.perturbation_searches;
        (searches > 0).then(|| format!("searches for perturbations: {searches}"))
    }

    fn run<'s>(
        plan: &PerturbationSearches,
        session: &mut Session<'_, '_>,
        store: &'s mut (dyn PerturbationStore + 's),
    ) -> Result<(Ended, PerturbationObservations), Failure> {
        // The store has them all.
        Ok((run::run(&plan.plan, &plan.settings, session, store)?, PerturbationObservations::default()))
    }

    fn observe<'s>(
        _: PerturbationObservations,
        store: &'s (dyn PerturbationStore + 's),
        classes: u32,
        _: &DecisionRule,
    ) -> Result<PerturbationObservations, ArtifactError> {
        PerturbationObservations::of_store(store, classes)
    }

    fn queries(seen: &PerturbationObservations) -> QueryCounts {
        seen.queries
    }

    fn total(queries: &QueryCounts) -> u64 {
        queries.total()
    }

    /// Without any pair there is nothing to judge, except that the pairs are missing.
    fn evidence<'a>(seen: &'a PerturbationObservations, rule: &DecisionRule) -> Option<&'a PublishedDecision> {
        let counts = !seen.pairs.is_empty() || seen.begun || *rule == DecisionRule::Published;
        counts.then_some(&seen.decision)
    }

    fn weigh(decision: &PublishedDecision, judging: &Judging<'_>) -> Option<LensEvidence> {
        judging.rule.perturbation_evidence(decision, judging.triggers)
    }

    fn undecided(decision: &PublishedDecision) -> Option<Reason> {
        decision.verdict.reason().cloned()
    }

    fn report(seen: &PerturbationObservations, _: &Reporting<'_>) -> PerturbationReport {
        PerturbationReport::new(seen)
    }

    fn notes(seen: &PerturbationObservations, run: &RunInfo) -> Vec<String> {
        report::notes(&seen.pairs, run)
    }
}
