//! `aeva inspect PATH`: shows the provenance and contents of an artifact or a run folder.

use std::cmp::Reverse;
use std::path::Path;

use aeva_artifact::{
    ArtifactError, DecodeError, MAX_ARTIFACT_BYTES, PairArtifact, RunDir, TriggerArtifact, read_regular,
};
use aeva_attack::trigger::PassId;
use aeva_stats::{PairTally, Tally, peak_share};

use crate::args::InspectArgs;
use crate::exit::ExitStatus;
use crate::hint::Hinted;
use crate::output::{plain, show};

/// Number of pairs of labels shown for a pass over random triggers.
const SHOWN_PAIRS: usize = 10;

pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<ExitStatus> {
    if args.path.is_dir() {
        inspect_run(&args.path)?;
    } else {
        inspect_artifact(&args.path)?;
    }
    Ok(ExitStatus::Success)
}

/// Reads one artifact file.
pub(super) fn read_artifact(path: &Path) -> Result<PairArtifact, ArtifactError> {
    let bytes = read_regular(path, MAX_ARTIFACT_BYTES)?;
    PairArtifact::from_bytes(&bytes).map_err(|source| ArtifactError::Decode { path: path.to_owned(), source })
}

fn inspect_artifact(path: &Path) -> anyhow::Result<()> {
    let pair = match read_artifact(path) {
        Err(ArtifactError::Decode { source: DecodeError::Kind { .. }, .. }) => return inspect_triggers(path),
        pair => pair?,
    };
    let mut lines = vec![
        format!(
            "perturbations {} -> {}, shape [h, w, c] = {:?}",
            pair.result.source, pair.result.target, pair.result.shape
        ),
        format!("run key: {}", pair.provenance.clone().split().0.key()),
        serde_json::to_string_pretty(&pair.provenance)?,
        "sample  origin   start  outcome         iterations  distance  peak share  queries".to_owned(),
    ];
    for sample in &pair.result.samples {
        let share = sample.perturbation.as_deref().and_then(|v| peak_share(v, pair.result.shape[2]).ok());
        lines.push(format!(
            "{:>6}  {:>6}  {:>6}  {:<14}  {:>10}  {:>8.4}  {:>10}  {:>7}",
            sample.sample,
            sample.origin_index,
            sample.start_index,
            format!("{:?}", sample.outcome),
            sample.iterations,
            sample.distance,
            share.map_or_else(|| "-".to_owned(), |share| format!("{share:.5}")),
            sample.queries.total(),
        ));
    }
    show(&plain(&lines.join("\n")))?;
    Ok(())
}

fn inspect_triggers(path: &Path) -> anyhow::Result<()> {
    let bytes = read_regular(path, MAX_ARTIFACT_BYTES)?;
    let triggers = TriggerArtifact::from_bytes(&bytes)
        .map_err(|source| ArtifactError::Decode { path: path.to_owned(), source })?;
    let mut lines = vec![
        format!("triggers of pass {}, shape [h, w, c] = {:?}", triggers.id, triggers.shape),
        format!("run key: {}", triggers.provenance.key()),
        serde_json::to_string_pretty(&triggers.provenance)?,
        format!("trigger search {}, {} queries", triggers.trigger_search_version, triggers.result.queries),
        "target       searched with    hold-out".to_owned(),
    ];
    let share = |tally: Tally| format!("{} of {}", tally.hits(), tally.trials());
    for finding in &triggers.result.findings {
        let (goal, success) = (finding.goal.to_string(), finding.success());
        let holdout = if success.trials() > 0 { share(success) } else { "-".to_owned() };
        lines.push(format!("{goal:<11}  {:>13}  {holdout:>10}", share(finding.search)));
    }
    let confusion = &triggers.result.confusion;
    let mut baseline: Vec<&PairTally> = confusion.iter().filter(|cell| cell.source != cell.target).collect();
    baseline.sort_by_key(|cell| (Reverse(cell.tally.hits()), cell.source, cell.target));
    if !baseline.is_empty() {
        lines.push("pairs of labels with the most hits by all random triggers together".to_owned());
    }
    for cell in baseline.into_iter().take(SHOWN_PAIRS) {
        let pair = format!("{} -> {}", cell.source, cell.target);
        lines.push(format!("{pair:<11}  {:>13}", share(cell.tally)));
    }
    show(&plain(&lines.join("\n")))?;
    Ok(())
}

fn inspect_run(path: &Path) -> anyhow::Result<()> {
    let run = RunDir::open(path)?;
    let mut lines = vec![serde_json::to_string_pretty(run.info())?];
    let (mut finished, mut damaged) = (0, 0);
    for (source, target) in run.stored_pairs()? {
        match run.load(source, target) {
            Ok(Some(_)) => finished += 1,
            Ok(None) => {}
            Err(error) => {
                damaged += 1;
                lines.push(format!("damaged: {:#}", anyhow::Error::from(error)));
            }
        }
    }
    let mut made = 0;
    for id in PassId::all() {
        match run.load_triggers(id) {
            Ok(triggers) => made += usize::from(triggers.is_some()),
            Err(error) => {
                damaged += 1;
                lines.push(format!("damaged: {:#}", anyhow::Error::from(error)));
            }
        }
    }
    let classes = u64::from(run.info().provenance.model.classes);
    let pairs = classes * classes.saturating_sub(1);
    lines.push(format!("{finished} of {pairs} pairs are finished, {damaged} damaged"));
    lines.push(format!("{made} passes over triggers are finished"));
    for name in run.perturbation_folders()? {
        lines.push(format!("{name} has perturbations with other parameters"));
    }
    show(&plain(&lines.join("\n")))?;
    if damaged > 0 {
        let noun = if damaged == 1 { "file" } else { "files" };
        return Err(Hinted::error(
            format!("{damaged} {noun} of {} cannot be used", path.display()),
            "start the same scan again: damaged files are computed again",
        ));
    }
    Ok(())
}
