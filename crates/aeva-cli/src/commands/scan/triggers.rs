//! The lens of triggers: look by look, each stored as soon as it is done.

use aeva_artifact::{ArtifactError, Level, RunDir, TriggerArtifact};
use aeva_attack::trigger::{Panel, TriggerSearch};
use aeva_attack::{CorrectImages, ScanEnd};
use aeva_scan::{Step, TriggerPlan, TriggerScan};
use anyhow::ensure;

use super::Subject;
use crate::progress::ScanProgress;

/// Takes the looks that the plan asks for and the run folder does not hold yet; whether there were any.
pub(super) fn search(
    subject: &mut Subject,
    correct: &CorrectImages,
    plan: TriggerPlan,
    run: &RunDir,
) -> anyhow::Result<(ScanEnd, bool)> {
    let panel = Panel::new(correct);
    let levels = Level::all(subject.data.image_shape());
    let levels = levels.iter().filter(|level| !level.family.is_random()).count() as u64;
    let expected = levels * panel.expected_queries();
    let search = TriggerSearch { panel, seed: subject.seed, batch_rows: subject.batch_rows };
    let mut scan = TriggerScan::new(search, plan, run.info().provenance.clone());
    let (mut kept, mut progress) = (0, None);
    while let Some(step) = scan.next() {
        if stored(run, step)?.is_some_and(|artifact| scan.accept(artifact)) {
            kept += 1;
            continue;
        }
        // Of the first looks that are searches; a scan may end before all of them are taken, or take second ones.
        let progress = progress.get_or_insert_with(|| ScanProgress::start(expected));
        let Some(artifact) = scan.look(step, &mut subject.oracles, subject.data.images.view(), progress)? else {
            return Ok((ScanEnd::Stopped, true));
        };
        run.store_triggers(&artifact)?;
        ensure!(scan.accept(artifact), "the look at {} was not the one that was asked for", step.level);
    }
    if kept > 0 {
        tracing::info!("{kept} looks for triggers were already in {}", run.path().display());
    }
    Ok((ScanEnd::Complete, progress.is_some()))
}

/// What the run folder holds of a look. A damaged file is computed anew.
fn stored(run: &RunDir, step: Step) -> anyhow::Result<Option<TriggerArtifact>> {
    match run.load_triggers(step.level, step.look) {
        Ok(artifact) => Ok(artifact),
        Err(error @ ArtifactError::Io { .. }) => Err(error.into()),
        Err(error) => {
            tracing::warn!("{:#}; it is computed anew", anyhow::Error::from(error));
            Ok(None)
        }
    }
}
