//! `aeva merge RUN FOLDER...`: brings the shares of a scan together.

use std::collections::BTreeMap;
use std::fmt::Write;

use aeva_artifact::{Completeness, RunDir, ShardState, merge};
use serde::Serialize;

use crate::args::MergeArgs;
use crate::exit::ExitStatus;
use crate::hint::Hinted;
use crate::output::{plain, show};

/// What is there after a merge.
#[derive(Serialize)]
struct Summary {
    /// Whether all shares are complete.
    complete: bool,
    /// Artifacts that were copied.
    copied: usize,
    /// Artifacts that were there already.
    there: usize,
    /// Number of shares -> the shares.
    shards: BTreeMap<u32, Vec<ShardState>>,
}

/// Artifacts of a share that are missing or differ and are named.
const NAMED: usize = 3;

pub(crate) fn run(args: &MergeArgs) -> anyhow::Result<ExitStatus> {
    let (mut copied, mut there) = (0, 0);
    for folder in &args.folders {
        let merged = merge(&args.run, folder)?;
        copied += merged.copied;
        there += merged.there;
    }
    let run = RunDir::open(&args.run)?;
    let shards = run.shard_states()?;
    if shards.is_empty() {
        let folder = plain(&args.run.display().to_string());
        return Err(Hinted::error(
            format!("{folder} has no share of a scan: {folder}/shards has no manifest"),
            "make the shares with `aeva scan --shard K/N`, and name the folders that have them",
        ));
    }
    let is_complete = |states: &Vec<ShardState>| states.iter().all(|state| state.state == Completeness::Complete);
    let summary = Summary { complete: shards.values().any(is_complete), copied, there, shards };
    show(&if args.json { serde_json::to_string_pretty(&summary)? } else { text(&summary, &run) })?;
    Ok(if summary.complete { ExitStatus::Success } else { ExitStatus::Inconclusive })
}

fn text(summary: &Summary, run: &RunDir) -> String {
    let mut text = String::new();
    for (of, states) in &summary.shards {
        for ShardState { shard, state, files, missing, differing } in states {
            let state = match state {
                Completeness::Complete => "complete",
                Completeness::Incomplete => "not complete",
                Completeness::Missing => "missing",
            };
            // Writing to a string cannot fail.
            let _ = write!(text, "share {shard} of {of}: {state}, {files} artifacts");
            for (what, names) in [("without", missing), ("with another content than was made in", differing)] {
                if !names.is_empty() {
                    let named: Vec<String> = names.iter().take(NAMED).map(|name| plain(name)).collect();
                    let more = if names.len() > NAMED { ", ..." } else { "" };
                    let _ = write!(text, ", {what} {} ({}{more})", names.len(), named.join(", "));
                }
            }
            text.push('\n');
        }
    }
    let folder = plain(&run.path().display().to_string());
    let passes = run.stored_passes().len();
    let pairs = run.stored_pairs().map_or(0, |pairs| pairs.len());
    let _ = write!(text, "{folder}: {passes} passes over triggers and perturbations of {pairs} pairs of labels");
    if summary.complete {
        text.push_str("\nThe same scan without --shard, into this folder, makes what is left and gives the verdict.");
    } else {
        text.push_str("\nThe commands of the other shares are to be started again.");
    }
    text
}
