//! The lens of AEVA: perturbations for every pair of labels.

use std::num::NonZero;

use aeva_artifact::{PairArtifact, RunDir};
use aeva_attack::{HardLabelOracle, HopSkipJumpBuilder, HopSkipJumpParams, ScanEnd, ScanPlan, ScanSettings, scan};
use anyhow::{Context, bail};

use super::{Subject, Understood};
use crate::args::{LabelSet, Lens, ScanArgs};
use crate::progress::ScanProgress;

pub(super) fn params(args: &ScanArgs, values: usize) -> anyhow::Result<HopSkipJumpParams> {
    let preset = args.preset.search(values);
    let builder = HopSkipJumpBuilder {
        iterations: args.iterations.map_or(preset.iterations, NonZero::get),
        initial_evaluations: args.initial_evaluations.map_or(preset.initial_evaluations, NonZero::get),
        query_budget: args.query_budget,
        ..preset
    };
    builder.check().context("the parameters cannot be used")
}

pub(super) fn samples(args: &ScanArgs) -> u32 {
    args.samples.map_or(args.preset.samples(), NonZero::get)
}

fn plan(args: &ScanArgs, understood: &Understood) -> anyhow::Result<ScanPlan> {
    let classes = understood.oracles[0].spec().classes;
    let labels = |set: &Option<LabelSet>| set.as_ref().map_or_else(|| (0..classes).collect(), |set| set.0.clone());
    let (sources, targets) = (labels(&args.sources), labels(&args.targets));
    let samples = samples(args);
    let plan = ScanPlan::new(&understood.correct, &sources, &targets, samples)
        .with_context(|| format!("{} cannot be scanned with {}", args.model.display(), args.data.display()))?;
    for (class, &count) in understood.correct.counts().iter().enumerate() {
        let label = u32::try_from(class).unwrap_or(u32::MAX);
        if count < samples as usize && (sources.contains(&label) || targets.contains(&label)) {
            tracing::warn!("class {class} has {count} correct images for {samples} samples; it is scanned with those");
        }
    }
    Ok(plan)
}

/// The plan, unless triggers come first and it would take more queries than were allowed for that case.
pub(super) fn affordable(
    args: &ScanArgs,
    lens: Lens,
    params: &HopSkipJumpParams,
    understood: &Understood,
) -> anyhow::Result<ScanPlan> {
    let plan = plan(args, understood)?;
    let expected = plan.searches() as u64 * params.expected_queries(understood.oracles[0].spec().values());
    if lens == Lens::All && expected > args.perturbation_budget {
        let budget = args.perturbation_budget;
        bail!("they would take some {expected} queries, and {budget} are allowed (--perturbation-budget)");
    }
    Ok(plan)
}

/// The part of the plan that the run folder does not hold yet. Damaged files are computed anew.
fn unfinished(run: &RunDir, plan: &ScanPlan) -> anyhow::Result<ScanPlan> {
    let mut pairs = Vec::new();
    for pair in &plan.pairs {
        match run.load(pair.source, pair.target) {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(error @ aeva_artifact::ArtifactError::Io { .. }) => return Err(error.into()),
            Err(error) => tracing::warn!("{:#}; it is computed anew", anyhow::Error::from(error)),
        }
        pairs.push(pair.clone());
    }
    Ok(ScanPlan { pairs })
}

/// Searches what the run folder does not hold yet; whether there was anything.
pub(super) fn search(subject: &mut Subject, plan: &ScanPlan, run: &RunDir) -> anyhow::Result<(ScanEnd, bool)> {
    let rest = unfinished(run, plan)?;
    let done = plan.pairs.len() - rest.pairs.len();
    if done > 0 {
        tracing::info!("{done} of {} pairs are already in {}", plan.pairs.len(), run.path().display());
    }
    if rest.pairs.is_empty() {
        return Ok((ScanEnd::Complete, false));
    }
    let settings = ScanSettings {
        params: subject.params,
        provenance: run.info().provenance.clone(),
        batch_rows: subject.batch_rows,
        threads: subject.threads,
    };
    let values = subject.oracles[0].spec().values();
    let progress = ScanProgress::start(rest.searches() as u64 * subject.params.expected_queries(values));
    let mut store = |pair: PairArtifact| run.store(&pair).map_err(Into::into);
    let end = scan(&mut subject.oracles, subject.data.images.view(), &rest, &settings, &progress, &mut store)?;
    Ok((end, true))
}
