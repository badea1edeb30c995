//! The lens of triggers: look by look, each stored as soon as it is done.

use std::sync::Arc;

use aeva_artifact::{AnsweredSearch, ArtifactError, Look, PartialAnswers, RunDir, TriggerArtifact};
use aeva_attack::trigger::{Panel, TRIGGER_SEARCH_VERSION, TriggerSearch};
use aeva_attack::{CorrectImages, HardLabelOracle, Label, ScanEnd, ScanError};
use aeva_scan::{Step, TriggerPlan, TriggerScan};
use anyhow::ensure;
use ndarray::ArrayView4;

use super::Subject;
use crate::progress::ScanProgress;

/// A look has one search, so that its number says nothing.
const ONLY: [u32; 3] = [0; 3];

/// Takes the looks that the plan asks for and the run folder does not hold yet; whether there were any.
pub(super) fn search(
    subject: &mut Subject,
    correct: &CorrectImages,
    plan: TriggerPlan,
    run: &RunDir,
) -> anyhow::Result<(ScanEnd, bool)> {
    let panel = Panel::new(correct);
    let shape = subject.data.image_shape();
    let search = TriggerSearch { panel, seed: subject.seed, batch_rows: subject.batch_rows };
    let mut scan = TriggerScan::new(search, plan, run.info().provenance.clone());
    let (mut kept, mut kept_queries, mut progress) = (0, 0, None);
    while let Some(step) = scan.next() {
        if let Some(artifact) = stored(run, step, shape)? {
            let queries = artifact.queries;
            if scan.accept(artifact) {
                (kept, kept_queries) = (kept + 1, kept_queries + queries);
                continue;
            }
        }
        let progress = progress
            .get_or_insert_with(|| ScanProgress::start(kept_queries, subject.expected, Arc::clone(&subject.budget)));
        progress.now(&format!("{}{}", step.level, if step.look == Look::Second { " again" } else { "" }));
        let images = subject.data.images.view();
        let Some(artifact) = look(&scan, step, &mut subject.oracles, images, run, progress)? else {
            return Ok((ScanEnd::Stopped, true));
        };
        run.store_triggers(&artifact)?;
        run.remove_partial(&work(step));
        if let Some((label, share)) = best(&artifact) {
            progress.best(label, share);
        }
        ensure!(scan.accept(artifact), "the look at {} was not the one that was asked for", step.level);
    }
    if kept > 0 {
        tracing::info!("{kept} looks for triggers were already in {}", run.path().display());
    }
    Ok((ScanEnd::Complete, progress.is_some()))
}

/// Takes one look, from where it was stopped; nothing when it is stopped again.
fn look(
    scan: &TriggerScan,
    step: Step,
    oracles: &mut [Box<dyn HardLabelOracle>],
    images: ArrayView4<'_, f32>,
    run: &RunDir,
    progress: &ScanProgress,
) -> anyhow::Result<Option<TriggerArtifact>> {
    let mut answers = answered(run, step)?;
    if !answers.is_empty() {
        tracing::info!("going on at {} after {} answers", step.level, answers.len());
        progress.known(answers.len() as u64);
    }
    let before = answers.len();
    let found = scan.look(step, oracles, images, &mut answers, progress);
    if found.is_err() && answers.len() > before {
        run.store_partial(&PartialAnswers {
            provenance: run.info().provenance.clone(),
            search_version: TRIGGER_SEARCH_VERSION,
            work: work(step),
            searches: vec![AnsweredSearch { id: ONLY, answers }],
        })?;
    }
    match found {
        Ok(artifact) => Ok(Some(artifact)),
        Err(ScanError::Stopped) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the model answered at this look before it was stopped.
fn answered(run: &RunDir, step: Step) -> anyhow::Result<Vec<Label>> {
    let classes = run.info().provenance.model.classes;
    let partial = match run.load_partial(&work(step)) {
        Ok(partial) => partial,
        Err(error @ ArtifactError::Io { .. }) => return Err(error.into()),
        Err(error) => {
            tracing::warn!("{:#}; what it holds is asked anew", anyhow::Error::from(error));
            None
        }
    };
    let partial = partial.filter(|partial| partial.search_version == TRIGGER_SEARCH_VERSION);
    let answers = partial.and_then(|partial| partial.searches.into_iter().find(|search| search.id == ONLY));
    let answers = answers.map_or_else(Vec::new, |search| search.answers);
    Ok(if answers.iter().all(|&label| label < classes) { answers } else { Vec::new() })
}

/// The name of a look as a piece of work.
fn work(step: Step) -> String {
    match step.look {
        Look::First => step.level.to_string(),
        Look::Second => format!("{}-again", step.level),
    }
}

/// What the run folder holds of a look. A damaged file, and one about other images than the data has, is computed anew.
fn stored(run: &RunDir, step: Step, shape: [usize; 3]) -> anyhow::Result<Option<TriggerArtifact>> {
    match run.load_triggers(step.level, step.look) {
        Ok(artifact) => Ok(artifact.filter(|artifact| artifact.shape == shape)),
        Err(error @ ArtifactError::Io { .. }) => Err(error.into()),
        Err(error) => {
            tracing::warn!("{:#}; it is computed anew", anyhow::Error::from(error));
            Ok(None)
        }
    }
}

/// The label that a trigger of this look turns most images to, and their share.
fn best(artifact: &TriggerArtifact) -> Option<(usize, f64)> {
    let shares = artifact.label_proofs().into_iter().enumerate().filter(|(_, (_, asked))| *asked > 0);
    let shares = shares.map(|(label, (turned, asked))| (label, f64::from(turned) / f64::from(asked)));
    shares.reduce(|best, other| if other.1 > best.1 { other } else { best })
}
