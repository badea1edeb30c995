//! Which perturbations to search, and what they cost.

use std::collections::BTreeSet;

use aeva_attack::perturbation::PerturbationPlan;
use aeva_attack::{CorrectImages, HopSkipJumpParams, Label, PlanError};

use crate::lens::left_out::LeftOut;

/// Default limit on the expected queries for perturbations besides triggers.
pub const PERTURBATION_BUDGET: u64 = 2_000_000;

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
    /// Limit on their expected queries, unless they are asked for alone.
    pub budget: u64,
}

impl PerturbationRequest {
    /// Whether so many searches of images of `values` values are expected to stay within the budget.
    ///
    /// # Errors
    /// [`LeftOut::Budget`] where they are not.
    pub fn check_budget(&self, searches: usize, values: usize) -> Result<(), LeftOut> {
        check_budget(&self.params, searches, values, self.budget)
    }

    /// Plans the searches of a model with `classes` labels.
    pub(super) fn plan(&self, classes: u32, correct: &CorrectImages) -> Result<PerturbationPlan, PlanError> {
        let labels = |set: &Option<BTreeSet<Label>>| set.clone().unwrap_or_else(|| (0..classes).collect());
        let (sources, targets) = (labels(&self.sources), labels(&self.targets));
        let plan = PerturbationPlan::new(correct, &sources, &targets, self.samples)?;
        for (label, count) in (0..).zip(correct.counts()) {
            if count < self.samples as usize && (sources.contains(&label) || targets.contains(&label)) {
                let samples = self.samples;
                tracing::warn!(
                    "class {label} has {count} correct images for {samples} samples; it is scanned with those"
                );
            }
        }
        Ok(plan)
    }
}

pub(super) fn check_budget(
    params: &HopSkipJumpParams,
    searches: usize,
    values: usize,
    budget: u64,
) -> Result<(), LeftOut> {
    let expected = expected_queries(params, searches, values);
    if expected > budget { Err(LeftOut::Budget { expected, budget }) } else { Ok(()) }
}

/// Queries that so many searches of images of `values` values are expected to take.
pub(super) fn expected_queries(params: &HopSkipJumpParams, searches: usize, values: usize) -> u64 {
    (searches as u64).saturating_mul(params.expected_queries(values))
}
