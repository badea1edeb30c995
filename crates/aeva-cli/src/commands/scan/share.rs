//! `aeva scan --shard K/N`: one share of a scan.

use std::path::PathBuf;

use aeva_artifact::RunDir;
use aeva_scan::{End, Failure, Outcome, Scan, Shard};

use crate::args::ScanArgs;
use crate::exit::{ExitStatus, FailOn};
use crate::hint::Hinted;
use crate::output::{plain, show};
use crate::report::Format;
use crate::signals;

/// Refuses options that would make other scans of the shares.
pub(super) fn check(args: &ScanArgs) -> anyhow::Result<()> {
    if args.seed.is_drawn {
        return Err(Hinted::error(
            "with --seed random, every share would draw a seed of its own",
            "draw one number for all shares, and state it: --seed NUMBER",
        ));
    }
    Ok(())
}

/// The run folder of a share, if it is one.
pub(super) fn folder(run: RunDir, shard: Option<Shard>, args: &ScanArgs) -> RunDir {
    let Some(shard) = shard else { return run };
    let run = run.with_share(shard.number(), shard.of());
    if args.together { run.in_team(shard.number()) } else { run }
}

/// Writes the manifest of a share, helps others if it is complete and that is asked for, and says how it ended.
pub(super) fn end(
    shard: Shard,
    scan: &Scan,
    outcome: &Outcome,
    mut run: RunDir,
    args: &ScanArgs,
    help: impl FnOnce(&mut RunDir) -> Result<(), Failure>,
) -> anyhow::Result<ExitStatus> {
    let work = scan.shared();
    let passes = work.passes.iter().map(|&id| run.trigger_path(id));
    let pairs = work.pairs.iter().map(|&(source, target)| run.pair_path(source, target));
    let artifacts: Vec<PathBuf> = passes.chain(pairs).collect();
    let manifest = run.store_manifest(shard.number(), shard.of(), &artifacts)?;
    if args.together && outcome.end == End::Complete {
        help(&mut run)?;
    } else {
        // It has the progress bar.
        drop(help);
    }
    let is_interrupted = outcome.end == End::Stopped && outcome.exhausted.is_none();
    show(&if args.output.format() == Format::Json {
        serde_json::to_string_pretty(&manifest)?
    } else {
        let state = if manifest.complete { "complete" } else { "not complete" };
        let (there, of) = (manifest.files.len(), artifacts.len());
        let (number, shares, folder) = (shard.number(), shard.of(), plain(&run.path().display().to_string()));
        format!("share {number} of {shares} is {state}: {there} of {of} artifacts are in {folder}")
    })?;
    if is_interrupted {
        tracing::warn!("stopped; all answers are kept: start the same command again to continue");
        return Ok(ExitStatus::Interrupted(signals::received()));
    }
    Ok(if manifest.complete || args.output.fail_on == FailOn::Backdoored {
        ExitStatus::Success
    } else {
        ExitStatus::Inconclusive
    })
}
