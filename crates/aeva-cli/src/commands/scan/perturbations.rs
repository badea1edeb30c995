//! The lens of AEVA: perturbations for every pair of labels.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::Arc;

use aeva_artifact::{AnsweredSearch, ArtifactError, PairArtifact, PartialAnswers, RunDir, SEARCH_VERSION};
use aeva_attack::{
    Answers, HopSkipJumpBuilder, HopSkipJumpParams, InputSpec, JobId, ScanEnd, ScanPlan, ScanSettings, resume,
};
use aeva_model::LoadedModel;
use anyhow::{Context, bail};

use super::Subject;
use crate::args::{LabelSet, Lens, ScanArgs};
use crate::budget::Budget;
use crate::progress::ScanProgress;
use crate::report::PERTURBATIONS;

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

fn plan(args: &ScanArgs, understood: &LoadedModel) -> anyhow::Result<ScanPlan> {
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
    understood: &LoadedModel,
) -> anyhow::Result<ScanPlan> {
    let plan = plan(args, understood)?;
    let expected = expected(&plan, understood.oracles[0].spec(), params);
    if lens == Lens::All && expected > args.perturbation_budget {
        let budget = args.perturbation_budget;
        bail!("they would take some {expected} queries, and {budget} are allowed (--perturbation-budget)");
    }
    Ok(plan)
}

/// The part of the plan that the run folder does not hold yet. Damaged files are computed anew.
fn unfinished(run: &RunDir, plan: &ScanPlan, budget: &Budget) -> anyhow::Result<ScanPlan> {
    let mut pairs = Vec::new();
    for pair in &plan.pairs {
        match run.load(pair.source, pair.target) {
            Ok(Some(stored)) => {
                budget.count(stored.queries().total());
                continue;
            }
            Ok(None) => {}
            Err(error @ ArtifactError::Io { .. }) => return Err(error.into()),
            Err(error) => tracing::warn!("{:#}; it is computed anew", anyhow::Error::from(error)),
        }
        pairs.push(pair.clone());
    }
    Ok(ScanPlan { pairs })
}

/// Searches what the run folder does not hold yet; whether there was anything.
pub(super) fn search(subject: &mut Subject, plan: &ScanPlan, run: &RunDir) -> anyhow::Result<(ScanEnd, bool)> {
    let rest = unfinished(run, plan, &subject.budget)?;
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
    let mut answers = answered(run)?;
    let known: u64 = answers.values().map(|answers| answers.len() as u64).sum();
    if known > 0 {
        tracing::info!("going on with {} searches after {known} answers", answers.len());
    }
    let expected = expected(&rest, subject.oracles[0].spec(), &subject.params);
    let progress = ScanProgress::start(known, (expected, expected), Arc::clone(&subject.budget));
    progress.now("perturbations");
    let mut store = |pair: PairArtifact| run.store(&pair).map_err(Into::into);
    let images = subject.data.images.view();
    let end = resume(&mut subject.oracles, images, &rest, &settings, &mut answers, &progress, &mut store);
    // Even without an answer: that they were begun is what makes the verdict wait for them.
    if !matches!(end, Ok(ScanEnd::Complete)) || answers.values().any(|answers| !answers.is_empty()) {
        run.store_partial(&PartialAnswers {
            provenance: run.info().provenance.clone(),
            search_version: SEARCH_VERSION,
            work: PERTURBATIONS.to_owned(),
            searches: answers.into_iter().map(|(job, answers)| searched(job, answers)).collect(),
        })?;
    } else {
        run.remove_partial(PERTURBATIONS);
    }
    Ok((end?, true))
}

/// Queries that the searches of a plan are expected to take.
pub(super) fn expected(plan: &ScanPlan, spec: &InputSpec, params: &HopSkipJumpParams) -> u64 {
    plan.searches() as u64 * params.expected_queries(spec.values())
}

fn searched(job: JobId, answers: Vec<bool>) -> AnsweredSearch {
    let answers = answers.into_iter().map(u32::from).collect();
    AnsweredSearch { id: [job.source, job.target, job.sample], answers }
}

/// What the model answered to searches before they were stopped.
fn answered(run: &RunDir) -> anyhow::Result<Answers> {
    let partial = match run.load_partial(PERTURBATIONS) {
        Ok(partial) => partial,
        Err(error @ ArtifactError::Io { .. }) => return Err(error.into()),
        Err(error) => {
            tracing::warn!("{:#}; what it holds is asked anew", anyhow::Error::from(error));
            None
        }
    };
    let searches = partial.filter(|partial| partial.search_version == SEARCH_VERSION).map(|partial| partial.searches);
    // Another run of the same scan may have ended them.
    let stored: BTreeSet<(u32, u32)> = run.stored_pairs()?.into_iter().collect();
    let known = |AnsweredSearch { id: [source, target, sample], answers }: AnsweredSearch| {
        let answers: Vec<bool> = answers.into_iter().map(|answer| answer == 1).collect();
        (!stored.contains(&(source, target))).then_some((JobId { source, target, sample }, answers))
    };
    Ok(searches.into_iter().flatten().filter_map(known).collect())
}
