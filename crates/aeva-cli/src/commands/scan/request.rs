//! Converts command-line options to a request to the engine.

use std::num::NonZero;

use aeva_attack::HopSkipJumpBuilder;
use aeva_scan::{DecisionRule, LensName, Lenses, PerturbationRequest};
use anyhow::Context;

use crate::args::{Rule, ScanArgs};
use crate::hint::Hinted;

const PERTURBATIONS: Lenses = Lenses::Only(LensName::Perturbations);

/// The lenses and the rule of the scan.
pub(super) fn lenses(args: &ScanArgs) -> anyhow::Result<(Lenses, DecisionRule)> {
    let lenses = args.lens.0;
    let (lenses, rule) = match (lenses, args.rule) {
        (Lenses::All | Lenses::Each | PERTURBATIONS, Some(Rule::Published)) => (PERTURBATIONS, Rule::Published),
        (Lenses::Only(lens), Some(Rule::Published)) => {
            let searched = lens.searched();
            let error = format!("the published rule does not use {searched}");
            return Err(Hinted::error(error, "omit --lens or --rule"));
        }
        (PERTURBATIONS, rule) => (PERTURBATIONS, rule.unwrap_or(Rule::Published)),
        _ if args.sources.is_some() || args.targets.is_some() => {
            return Err(Hinted::error(
                "--sources and --targets name pairs of labels, which only perturbations use",
                "add --lens perturbation",
            ));
        }
        (lenses, _) => (lenses, Rule::Combined),
    };
    Ok((lenses, rule.decision(args.false_positive_rate, args.effort.effort())?))
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
