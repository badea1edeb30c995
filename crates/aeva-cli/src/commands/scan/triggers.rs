//! The lens of triggers: level by level, each stored as soon as it is done.

use aeva_artifact::{ArtifactError, Family, Level, RunDir, TriggerArtifact, TriggerFinding};
use aeva_attack::trigger::{Panel, TRIGGER_SEARCH_VERSION, TriggerSearch};
use aeva_attack::{CorrectImages, ScanEnd};

use super::Subject;
use crate::progress::ScanProgress;

/// Searches the levels that the run folder does not hold yet; whether there were any.
pub(super) fn search(subject: &mut Subject, correct: &CorrectImages, run: &RunDir) -> anyhow::Result<(ScanEnd, bool)> {
    let panel = Panel::new(correct);
    let shape = subject.data.image_shape();
    let levels = Level::all(shape);
    let done = stored(run, &levels)?;
    let left = done.iter().filter(|artifact| artifact.is_none()).count();
    if left < levels.len() {
        tracing::info!(
            "{} of {} levels of triggers are already in {}",
            levels.len() - left,
            levels.len(),
            run.path().display()
        );
    }
    if left == 0 {
        return Ok((ScanEnd::Complete, false));
    }
    let progress = ScanProgress::start(left as u64 * panel.expected_queries());
    let search = TriggerSearch { panel, seed: subject.seed, batch_rows: subject.batch_rows };
    let mut weaker: (Option<Family>, Vec<TriggerFinding>) = (None, Vec::new());
    for (level, artifact) in levels.into_iter().zip(done) {
        if weaker.0 != Some(level.family) {
            weaker = (Some(level.family), Vec::new());
        }
        if let Some(artifact) = artifact {
            weaker.1 = artifact.findings;
            continue;
        }
        let images = subject.data.images.view();
        let Some((findings, queries)) = search.level(&mut subject.oracles, images, level, &weaker.1, &progress)? else {
            return Ok((ScanEnd::Stopped, true));
        };
        let provenance = run.info().provenance.clone();
        let trigger_search_version = TRIGGER_SEARCH_VERSION;
        let artifact = TriggerArtifact { provenance, trigger_search_version, level, shape, queries, findings };
        run.store_triggers(&artifact)?;
        weaker.1 = artifact.findings;
    }
    Ok((ScanEnd::Complete, true))
}

/// The levels that are done, up to the first that is not, in each family: those behind it began with something else.
fn stored(run: &RunDir, levels: &[Level]) -> anyhow::Result<Vec<Option<TriggerArtifact>>> {
    let mut found = Vec::with_capacity(levels.len());
    let mut missing = None;
    for &level in levels {
        let artifact = match run.load_triggers(level) {
            Ok(artifact) => artifact.filter(|artifact| artifact.trigger_search_version == TRIGGER_SEARCH_VERSION),
            Err(error @ ArtifactError::Io { .. }) => return Err(error.into()),
            Err(error) => {
                tracing::warn!("{:#}; it is computed anew", anyhow::Error::from(error));
                None
            }
        };
        if artifact.is_none() {
            missing = Some(level.family);
        }
        found.push(artifact.filter(|_| missing != Some(level.family)));
    }
    Ok(found)
}
