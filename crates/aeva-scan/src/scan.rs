//! A whole scan: its lenses, their plans, their budget, and their limits.

use std::num::NonZeroUsize;

use aeva_attack::perturbation::PerturbationPlan;
use aeva_attack::trigger::ImageSplit;
use aeva_attack::{CorrectImages, HardLabelOracle, InputSpec, PlanError, ScanError};
use aeva_stats::{Limits, Reason};
use ndarray::ArrayView4;

use crate::assess::Assessment;
use crate::effort::Effort;
use crate::estimate::{Basis, EffortEstimate, Estimate};
use crate::ledger::{Budget, Exhausted, Ledger};
use crate::lens::{
    LeftOut, LensName, Observations, PerturbationRequest, Planning, Plans, Progress, Shared, Store, help,
};
use crate::observer::Observer;
use crate::rule::DecisionRule;
use crate::session::{End, Failure, Session};
use crate::shard::Shard;

/// The lenses of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lenses {
    /// Triggers; others only if there are too few images to measure a trigger on.
    All,
    /// Every lens, whatever the others show.
    Each,
    /// One alone, whatever it finds.
    Only(LensName),
}

impl Lenses {
    /// Whether this lens is asked for.
    fn include(self, lens: LensName) -> bool {
        matches!(self, Self::All | Self::Each) || self == Self::Only(lens)
    }
}

/// The request for a scan.
#[derive(Debug, Clone)]
pub struct Request {
    /// The lenses.
    pub lenses: Lenses,
    /// The rule for the verdict.
    pub rule: DecisionRule,
    /// Settings for perturbations.
    pub perturbations: PerturbationRequest,
    /// Seed of all random choices.
    pub seed: u64,
    /// Images per batch. Changes the speed, not the result.
    pub batch_rows: NonZeroUsize,
    /// Number of threads. Changes the speed, not the result.
    pub threads: NonZeroUsize,
    /// Whether the model sees changes of less than 1/255 of the value range. Perturbations are searched in such steps.
    pub sees_small_changes: bool,
    /// The share of the scan that is made, if it is not the whole.
    pub shard: Option<Shard>,
}

/// A scan that is ready to run. Its plan, and what these images cannot show, are known before the first query of the
/// search.
#[derive(Debug)]
pub struct Scan {
    lenses: Lenses,
    rule: DecisionRule,
    spec: InputSpec,
    limits: Limits,
    correct: Vec<usize>,
    plans: Plans,
    left_out: Vec<(LensName, LeftOut)>,
    batch_rows: usize,
}

/// A scan that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The limit that stopped it, if one did.
    pub exhausted: Option<Exhausted>,
    /// Whether there was anything to search that was not in the store.
    pub searched: bool,
    /// Queries of this run and of those before it, as counted for the budget.
    pub spent: u64,
    /// Images that oracles asked about besides; see [`HardLabelOracle::checks`].
    pub checks: u64,
    /// What the scan saw.
    pub observations: Observations,
    /// The assessment.
    pub assessment: Assessment,
}

/// Passes a result on. If the model changed, the store is never used again: some of its answers are of another model.
fn refuse_if_changed<T>(result: Result<T, Failure>, store: &mut dyn Store) -> Result<T, Failure> {
    if let Err(Failure::Scan(error)) = &result
        && error.is_change()
    {
        let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        store.refuse(&why)?;
    }
    result
}

impl Scan {
    /// Plans a scan of a model with this `spec` on the images that it classifies correctly.
    ///
    /// # Errors
    /// [`PlanError`] if only one lens was requested and there is nothing that it can search.
    pub fn new(request: Request, spec: InputSpec, correct: &CorrectImages) -> Result<Self, PlanError> {
        let counts = correct.counts();
        let limits = request.rule.of_triggers().0.limits(&ImageSplit::holdout_of(&counts));
        let planning = Planning {
            spec,
            correct,
            limits: &limits,
            rule: &request.rule,
            perturbations: &request.perturbations,
            seed: request.seed,
            batch_rows: request.batch_rows,
            threads: request.threads,
        };
        let alone = match request.lenses {
            Lenses::All | Lenses::Each => None,
            Lenses::Only(lens) => Some(lens),
        };
        let (mut plans, mut left_out) = Plans::new(&planning, alone)?;
        if !request.sees_small_changes && plans.perturbations.take().is_some() {
            left_out.push((LensName::Perturbations, LeftOut::Unseen));
        }
        // In the evaluation, perturbations decided no verdict that triggers could give, at several times their cost.
        if request.lenses == Lenses::All && limits.no_verdict.is_none() {
            plans.perturbations = None;
            left_out.retain(|(lens, _)| *lens != LensName::Perturbations);
        }
        // With two labels, no lens can single out one, and without models to compare with, no lens can say how rare a
        // finding is. A part of the perturbations may still be asked for by itself.
        let no_use = |why: &Reason| matches!(why, Reason::TooFewLabels { .. } | Reason::TooFewReferences { .. });
        if alone.is_none() && limits.no_verdict.as_ref().is_some_and(no_use) {
            plans = Plans::none();
        }
        if let Some(shard) = request.shard {
            plans.share(shard);
        }
        let (lenses, rule, batch_rows) = (request.lenses, request.rule, request.batch_rows.get());
        Ok(Self { lenses, rule, spec, limits, correct: counts, plans, left_out, batch_rows })
    }

    /// What the hold-out images cannot show.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The lenses that are left out, and why.
    pub fn left_out(&self) -> &[(LensName, LeftOut)] {
        &self.left_out
    }

    /// What the reader of the verdict should know about the limits of this scan.
    pub fn notes(&self) -> Vec<String> {
        let left_out = |(lens, why): &(LensName, LeftOut)| format!("{} are left out: {why}", lens.searched());
        let mut notes: Vec<String> = self.left_out.iter().map(left_out).collect();
        if let (Some(why), true) = (&self.limits.no_clearance, self.lenses.include(LensName::Triggers)) {
            let what = if self.limits.no_verdict.is_some() {
                "triggers are not searched"
            } else {
                "an alarm is possible, a clean verdict is not"
            };
            notes.push(format!("{why}: {what}"));
        }
        notes
    }

    /// What the share has that was requested, all of which is in the store when it is complete. A whole scan has no list of passes:
    /// it depends on what they find.
    pub fn shared(&self) -> Shared {
        self.plans.shared()
    }

    /// The searches for perturbations that may be needed; a device must be precise enough for their probes.
    pub fn precision_plan(&self) -> Option<&PerturbationPlan> {
        self.plans.perturbations.as_ref().map(|searches| &searches.plan)
    }

    /// The expected cost of this scan, given that a clean run over `images` images took `clean_queries` at this rate.
    pub fn estimate(&self, images: usize, clean_queries: u64, queries_per_second: f64, oracles: usize) -> Estimate {
        let (work, costs) = self.plans.work();
        let images = images + self.batch_rows * oracles;
        let values = self.spec.values();
        let estimate = Estimate::new(work, &costs, &Basis { clean_queries, queries_per_second, images, values });
        let of_effort = |effort: Effort| {
            let (least, most) = self.plans.triggers.as_ref().filter(|plan| plan.is_whole())?.queries(effort);
            let queries = (clean_queries.saturating_add(least), clean_queries.saturating_add(most));
            Some(EffortEstimate { effort: effort.name(), queries, power: effort.power() })
        };
        Estimate { efforts: Effort::ALL.into_iter().filter_map(of_effort).collect(), ..estimate }
    }

    /// Runs the scan on `images` `[n, h, w, c]` (standard layout, values in `[0, 1]`), the same images as those of
    /// [`CorrectImages`]. Stored results are not searched again; new results are stored as soon as they are complete.
    ///
    /// `clean_queries` is the number of queries already made to measure the model.
    ///
    /// # Errors
    /// [`Failure`]; finished results, and the answers to unfinished work, are kept.
    pub fn run(
        &self,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        clean_queries: u64,
        budget: Budget,
        store: &mut dyn Store,
        observer: &dyn Observer,
    ) -> Result<Outcome, Failure> {
        let ledger = Ledger::new(budget, self.batch_rows * oracles.len());
        ledger.count(clean_queries);
        let place = store.folder().map_or_else(|| "there".to_owned(), |folder| format!("in {}", folder.display()));
        let mut session = Session { oracles, images, place, observer, ledger: &ledger };
        let nothing = Observations { holdout: ImageSplit::holdout_of(&self.correct), ..Observations::default() };
        let progress = self.plans.run(&mut session, store, nothing);
        let Progress { seen, ended } = refuse_if_changed(progress, store)?;
        if ended.searched && ended.end == End::Complete {
            // Before anything is said about what it answered.
            let confirmed = oracles.first_mut().map_or(Ok(()), |oracle| oracle.confirm());
            refuse_if_changed(confirmed.map_err(|error| ScanError::from(error).into()), store)?;
        }
        // Who else could have stopped it than the observer and the ledger is the oracle, at a limit of its own.
        let exhausted =
            (ended.end == End::Stopped && !observer.stop()).then(|| ledger.exhausted().unwrap_or(Exhausted::Oracle));
        let observations = seen.with_stored(store, self.spec.classes, &self.rule)?;
        let assessment = observations.assess(&self.rule);
        let checks = oracles.iter().map(|oracle| oracle.checks()).sum();
        let (end, searched, spent) = (ended.end, ended.searched, ledger.spent());
        Ok(Outcome { end, exhausted, searched, spent, checks, observations, assessment })
    }

    /// What a share does when [`run`](Self::run) has completed it: helps others, in the same folder, with the passes over triggers
    /// that they are making, and waits some time for such work. `outcome` is that of the run; the limits of the budget hold
    /// for both together.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn help(
        &self,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        outcome: &Outcome,
        budget: Budget,
        store: &mut dyn Store,
        observer: &dyn Observer,
    ) -> Result<(), Failure> {
        let Some(plan) = &self.plans.triggers else { return Ok(()) };
        let ledger = Ledger::new(budget, self.batch_rows * oracles.len());
        ledger.count(outcome.spent);
        let mut session = Session { oracles, images, place: String::new(), observer, ledger: &ledger };
        let helped = help(plan, &mut session, store);
        refuse_if_changed(helped, store)?;
        let confirmed = oracles.first_mut().map_or(Ok(()), |oracle| oracle.confirm());
        refuse_if_changed(confirmed.map_err(|error| ScanError::from(error).into()), store)
    }
}
