//! Converts command-line options to a request to the engine.

use std::num::NonZero;

use aeva_attack::HopSkipJumpBuilder;
use aeva_scan::{DecisionRule, Lenses, PerturbationRequest};
use anyhow::Context;

use crate::args::{Lens, Rule, ScanArgs};
use crate::hint::Hinted;

/// The lenses and the rule of the scan.
pub(super) fn lenses(args: &ScanArgs) -> anyhow::Result<(Lenses, DecisionRule)> {
    let parts = args.sources.is_some() || args.targets.is_some();
    let (lenses, rule) = match (args.lens, args.rule) {
        (Lens::Trigger, Some(Rule::Published)) => {
            return Err(Hinted::error("the published rule does not use triggers", "omit --lens or --rule"));
        }
        (_, Some(Rule::Published)) | (Lens::Perturbation, None) => (Lenses::Perturbations, Rule::Published),
        (Lens::Perturbation, Some(rule)) => (Lenses::Perturbations, rule),
        _ if parts => {
            return Err(Hinted::error(
                "--sources and --targets name pairs of labels, which only perturbations use",
                "add --lens perturbation",
            ));
        }
        (Lens::Trigger, _) => (Lenses::Triggers, Rule::Combined),
        (Lens::All, _) => (Lenses::All, Rule::Combined),
    };
    Ok((lenses, rule.decision(args.false_positive_rate, args.exhaustive)?))
}

/// Settings for perturbations on images of `values` values.
pub(super) fn perturbations(args: &ScanArgs, values: usize) -> anyhow::Result<PerturbationRequest> {
    let preset = args.preset.search(values);
    let builder = HopSkipJumpBuilder {
        iterations: args.iterations.map_or(preset.iterations, NonZero::get),
        initial_evaluations: args.initial_evaluations.map_or(preset.initial_evaluations, NonZero::get),
        query_budget: args.query_budget,
        ..preset
    };
    Ok(PerturbationRequest {
        params: builder.check().context("the parameters cannot be used")?,
        samples: args.samples.map_or(args.preset.samples(), NonZero::get),
        sources: args.sources.clone().map(|set| set.0),
        targets: args.targets.clone().map(|set| set.0),
        budget: args.perturbation_budget,
    })
}
