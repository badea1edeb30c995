//! A whole scan: both lenses, their plan, their budget, and their limits.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use aeva_attack::perturbation::{PerturbationPlan, PerturbationSettings};
use aeva_attack::trigger::{ImageSplit, TriggerSearch};
use aeva_attack::{CorrectImages, HardLabelOracle, HopSkipJumpParams, InputSpec, Label, PlanError};
use aeva_stats::{Limits, Reason, limits};
use ndarray::ArrayView4;

use crate::estimate::Estimate;
use crate::ledger::{Budget, Exhausted, Ledger};
use crate::session::{End, Ended, Failure, Session};
use crate::store::Store;
use crate::{
    Assessment, DecisionRule, Evidence, Observations, Observer, TriggerObservations, escalates, perturbation_lens,
    trigger_lens,
};

/// Default limit on the expected queries for perturbations when triggers leave the verdict open.
pub const PERTURBATION_BUDGET: u64 = 2_000_000;

/// The lenses of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lenses {
    /// Triggers first, then perturbations if the triggers leave the verdict open.
    All,
    /// Triggers alone.
    Triggers,
    /// Perturbations alone.
    Perturbations,
}

impl Lenses {
    /// Whether triggers are searched. If not, perturbations are searched unconditionally.
    fn have_triggers(self) -> bool {
        match self {
            Self::All | Self::Triggers => true,
            Self::Perturbations => false,
        }
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
}

/// Settings for the search for perturbations.
#[derive(Debug, Clone)]
pub struct PerturbationRequest {
    /// Parameters of every search.
    pub params: HopSkipJumpParams,
    /// Samples for each ordered pair of labels.
    pub samples: u32,
    /// Labels to walk from; all if `None`.
    pub sources: Option<BTreeSet<Label>>,
    /// Labels to walk towards; all if `None`.
    pub targets: Option<BTreeSet<Label>>,
    /// Limit on their expected queries, if triggers come first.
    pub budget: u64,
}

/// Why perturbations are left out when triggers come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// Their expected queries exceed the limit.
    Budget {
        /// Expected queries.
        expected: u64,
        /// The limit.
        budget: u64,
    },
    /// The images do not allow them.
    Plan(PlanError),
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
    triggers: Option<TriggerSearch>,
    plan: Option<PerturbationPlan>,
    settings: PerturbationSettings,
    left_out: Option<LeftOut>,
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
    /// What the scan saw.
    pub observations: Observations,
    /// The assessment.
    pub assessment: Assessment,
}

impl PerturbationRequest {
    /// Whether so many searches of images of `values` values are expected to stay within the budget.
    ///
    /// # Errors
    /// [`LeftOut::Budget`] where they are not.
    pub fn check_budget(&self, searches: usize, values: usize) -> Result<(), LeftOut> {
        let (expected, budget) = (expected_queries(&self.params, searches, values), self.budget);
        if expected > budget { Err(LeftOut::Budget { expected, budget }) } else { Ok(()) }
    }
}

impl Scan {
    /// Plans a scan of a model with this `spec` on the images that it classifies correctly.
    ///
    /// # Errors
    /// [`PlanError`] if only perturbations were requested and cannot be searched.
    pub fn new(request: Request, spec: InputSpec, correct: &CorrectImages) -> Result<Self, PlanError> {
        let counts = correct.counts();
        let limits = limits(&ImageSplit::holdout_of(&counts));
        let (mut lenses, mut left_out) = (request.lenses, None);
        let plan = match lenses {
            Lenses::Triggers => None,
            Lenses::Perturbations => Some(plan(&request.perturbations, spec, correct)?),
            // Triggers do not need images of every label, and take fewer queries.
            Lenses::All => match affordable(&request.perturbations, spec, correct) {
                Ok(plan) => Some(plan),
                Err(why) => {
                    (lenses, left_out) = (Lenses::Triggers, Some(why));
                    None
                }
            },
        };
        let measures_triggers = lenses.have_triggers() && limits.no_verdict.is_none();
        let split = || ImageSplit::new(correct);
        let triggers = measures_triggers.then(|| TriggerSearch::new(split(), request.seed, request.batch_rows));
        let settings = PerturbationSettings {
            params: request.perturbations.params,
            seed: request.seed,
            batch_rows: request.batch_rows,
            threads: request.threads,
        };
        Ok(Self { lenses, rule: request.rule, spec, limits, correct: counts, triggers, plan, settings, left_out })
    }

    /// What the hold-out images cannot show.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Why perturbations are left out, if they are.
    pub fn left_out(&self) -> Option<&LeftOut> {
        self.left_out.as_ref()
    }

    /// What the reader of the verdict should know about the limits of this scan.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(why) = &self.left_out {
            notes.push(format!("triggers decide alone because perturbations cannot be searched: {why}"));
        }
        if let (Some(why), true) = (&self.limits.no_clearance, self.lenses.have_triggers()) {
            let what = if self.limits.no_verdict.is_some() {
                "triggers are not searched"
            } else {
                "an alarm is possible, a clean verdict is not"
            };
            notes.push(format!("{why}: {what}"));
        }
        notes
    }

    /// The searches for perturbations that may be needed; a device must be precise enough for their probes.
    pub fn precision_plan(&self) -> Option<&PerturbationPlan> {
        self.plan.as_ref()
    }

    /// The searches for perturbations that may run.
    fn pair_searches(&self) -> Option<&PerturbationPlan> {
        // With two labels, no lens can single out one.
        let hopeless =
            self.lenses.have_triggers() && matches!(self.limits.no_verdict, Some(Reason::TooFewLabels { .. }));
        self.plan.as_ref().filter(|_| !hopeless)
    }

    /// The expected cost of this scan, given that a clean run over `images` images took `clean_queries` at this rate.
    pub fn estimate(&self, images: usize, clean_queries: u64, queries_per_second: f64, oracles: usize) -> Estimate {
        let plan = self.pair_searches();
        let searches = plan.map_or(0, PerturbationPlan::searches);
        let expected = expected_queries(&self.settings.params, searches, self.spec.values());
        let perturbations = (searches, expected);
        let (_, exhaustive) = self.rule.of_triggers();
        let under_way = self.settings.batch_rows.get() * oracles;
        let triggers = self.triggers.as_ref();
        let shape = self.spec.shape();
        Estimate::new(shape, triggers, exhaustive, perturbations, !self.lenses.have_triggers())
            .with_clean_run(clean_queries, queries_per_second)
            .with_memory(shape, images + under_way, triggers)
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
        let ledger = Ledger::new(budget, self.settings.batch_rows.get() * oracles.len());
        ledger.count(clean_queries);
        let classes = self.spec.classes;
        let mut session = Session { oracles, images, store, observer, ledger: &ledger };
        let (mut end, mut searched, mut triggers) = (End::Complete, false, None);
        if let Some(search) = &self.triggers {
            let (ended, results) = trigger_lens::run(search, &self.rule, &mut session)?;
            (end, searched) = (ended.end, ended.searched);
            triggers = Some(TriggerObservations::of_results(results, self.spec.shape(), classes, &self.rule));
        }
        if end == End::Complete
            && let Some(plan) = self.pair_searches()
            && (!self.lenses.have_triggers() || self.escalates(triggers.as_ref()))
        {
            if triggers.is_some() {
                tracing::info!("triggers leave the verdict open: searching perturbations as well");
            }
            let Ended { end: ended, searched: more } = perturbation_lens::run(plan, &self.settings, &mut session)?;
            (end, searched) = (ended, searched | more);
        }
        let exhausted = (end == End::Stopped && !observer.stop()).then(|| ledger.exhausted()).flatten();
        // Triggers that an earlier scan of the same run found count, too. Without a pass, only the store tells whether one was begun.
        let triggers = match triggers.filter(|triggers| !triggers.passes.made.is_empty()) {
            Some(triggers) => Some(triggers),
            None => TriggerObservations::of_store(session.store, classes, &self.rule)?,
        };
        let observations = Observations::beside(triggers, session.store, classes, &self.correct)?;
        let assessment = observations.assess(&self.rule);
        Ok(Outcome { end, exhausted, searched, observations, assessment })
    }

    fn escalates(&self, triggers: Option<&TriggerObservations>) -> bool {
        let holdout = ImageSplit::holdout_of(&self.correct);
        let passes = triggers.map(|triggers| &triggers.passes);
        escalates(&Evidence { triggers: passes, holdout: Some(&holdout), ..Evidence::default() }, &self.rule)
    }
}

/// Plans the searches for perturbations.
fn plan(
    request: &PerturbationRequest,
    spec: InputSpec,
    correct: &CorrectImages,
) -> Result<PerturbationPlan, PlanError> {
    let labels = |set: &Option<BTreeSet<Label>>| set.clone().unwrap_or_else(|| (0..spec.classes).collect());
    let (sources, targets) = (labels(&request.sources), labels(&request.targets));
    let plan = PerturbationPlan::new(correct, &sources, &targets, request.samples)?;
    for (label, count) in (0..).zip(correct.counts()) {
        if count < request.samples as usize && (sources.contains(&label) || targets.contains(&label)) {
            let samples = request.samples;
            tracing::warn!("class {label} has {count} correct images for {samples} samples; it is scanned with those");
        }
    }
    Ok(plan)
}

/// Like [`plan()`], but refuses more expected queries than the limit.
fn affordable(
    request: &PerturbationRequest,
    spec: InputSpec,
    correct: &CorrectImages,
) -> Result<PerturbationPlan, LeftOut> {
    let plan = plan(request, spec, correct).map_err(LeftOut::Plan)?;
    request.check_budget(plan.searches(), spec.values())?;
    Ok(plan)
}

/// Queries that so many searches of images of `values` values are expected to take.
fn expected_queries(params: &HopSkipJumpParams, searches: usize, values: usize) -> u64 {
    (searches as u64).saturating_mul(params.expected_queries(values))
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Budget { expected, budget } => {
                write!(f, "they would take about {expected} queries, but only {budget} are allowed")
            }
            Self::Plan(error) => error.fmt(f),
        }
    }
}
