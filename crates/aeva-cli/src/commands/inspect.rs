//! `aeva inspect PATH`: provenance and contents of an artifact, or of a run folder.

use std::cmp::Reverse;
use std::path::Path;

use aeva_artifact::{
    Aim, ArtifactError, DecodeError, Level, Look, MAX_ARTIFACT_BYTES, PairArtifact, RunDir, TriggerArtifact, Turned,
    read_regular,
};
use aeva_stats::peak_share;

use crate::args::InspectArgs;
use crate::exit::Ending;
use crate::hint::Hinted;
use crate::output::{plain, show};

/// Pairs of labels that are shown of a look at random triggers.
const SHOWN_PAIRS: usize = 10;

pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<Ending> {
    if args.path.is_dir() {
        inspect_run(&args.path)?;
    } else {
        inspect_artifact(&args.path)?;
    }
    Ok(Ending::Success)
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
        format!("perturbations {} -> {}, shape [h, w, c] = {:?}", pair.source, pair.target, pair.shape),
        format!("run key: {}", pair.provenance.key()),
        serde_json::to_string_pretty(&pair.provenance)?,
        "sample  origin   start  outcome         iterations  distance  peak share  queries".to_owned(),
    ];
    for sample in &pair.samples {
        let share = sample.perturbation.as_deref().and_then(|v| peak_share(v, pair.shape[2]).ok());
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
        format!("triggers of level {}, shape [h, w, c] = {:?}", triggers.level, triggers.shape),
        format!("run key: {}", triggers.provenance.key()),
        serde_json::to_string_pretty(&triggers.provenance)?,
        format!("trigger search {}, {} queries", triggers.trigger_search_version, triggers.queries),
        "aim          searched with  held out".to_owned(),
    ];
    let share = |(turned, asked): (u32, u32)| format!("{turned} of {asked}");
    for finding in &triggers.findings {
        let aim = match finding.aim {
            Aim::Label(label) => format!("label {label}"),
            Aim::Pair { source, target } => format!("{source} -> {target}"),
            Aim::Map => "map".to_owned(),
        };
        let (search, proof) = (finding.search, finding.proof());
        let held_out = if proof.1 > 0 { share(proof) } else { "-".to_owned() };
        lines.push(format!("{aim:<11}  {:>13}  {held_out:>10}", share(search)));
    }
    let mut natural: Vec<&Turned> = triggers.confusion.iter().filter(|cell| cell.source != cell.target).collect();
    natural.sort_by_key(|cell| (Reverse(cell.turned), cell.source, cell.target));
    if !natural.is_empty() {
        lines.push("pairs of labels that all random triggers together turn most images along".to_owned());
    }
    for cell in natural.into_iter().take(SHOWN_PAIRS) {
        let aim = format!("{} -> {}", cell.source, cell.target);
        lines.push(format!("{aim:<11}  {:>13}", share((cell.turned, cell.asked))));
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
    let mut taken = 0;
    let looks = Level::EVERY.into_iter().flat_map(|level| [(level, Look::First), (level, Look::Second)]);
    for (level, look) in looks {
        match run.load_triggers(level, look) {
            Ok(triggers) => taken += usize::from(triggers.is_some()),
            Err(error) => {
                damaged += 1;
                lines.push(format!("damaged: {:#}", anyhow::Error::from(error)));
            }
        }
    }
    let classes = u64::from(run.info().provenance.model.classes);
    let pairs = classes * classes.saturating_sub(1);
    lines.push(format!("{finished} of {pairs} pairs are finished, {damaged} damaged"));
    lines.push(format!("{taken} looks for triggers are finished"));
    show(&plain(&lines.join("\n")))?;
    if damaged > 0 {
        let noun = if damaged == 1 { "file" } else { "files" };
        return Err(Hinted::error(
            format!("{damaged} {noun} of {} cannot be used", path.display()),
            "start the same scan again: what is damaged is computed anew",
        ));
    }
    Ok(())
}
