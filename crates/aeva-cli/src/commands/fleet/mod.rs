//! `aeva scan-all LIST`: scans many models, each in a process of its own, and goes on after any failure.

mod child;
mod list;
mod table;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use aeva_artifact::write_atomically;
use anyhow::Context;
use clap::{Args, Command};

use self::list::Member;
use self::table::{Fleet, Scanned, Status};
use crate::args::{ScanAllArgs, ScanArgs};
use crate::exit::ExitStatus;
use crate::hint::Hinted;
use crate::output::{plain, show};
use crate::signals;

pub(crate) fn run(args: &ScanAllArgs) -> anyhow::Result<ExitStatus> {
    let members = list::read(&args.list)?;
    check_options(&args.options)?;
    signals::catch()?;
    fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let own: Vec<&Member> = (0..)
        .zip(&members)
        .filter(|&(place, _)| args.shard.is_none_or(|shard| shard.has(place)))
        .map(|(_, member)| member)
        .collect();
    let mut scanned: Vec<Scanned> = Vec::new();
    for (number, member) in (1..).zip(&own) {
        let one = child::scan(member, &args.out, &args.options)?;
        tracing::info!("{number} of {}: {} is {}", own.len(), plain(&member.name), one.status.name());
        let is_interrupted = one.status == Status::Interrupted;
        table::store(&args.out, &one)?;
        scanned.push(one);
        if is_interrupted || signals::stopping() {
            break;
        }
    }
    // Other parts of the list may have been scanned on other machines.
    let fleet = Fleet::of(&args.out, &members);
    let json = serde_json::to_string_pretty(&fleet)?;
    write_atomically(&args.out.join("fleet.json"), format!("{json}\n").as_bytes())?;
    write_atomically(&args.out.join("fleet.md"), fleet.markdown().as_bytes())?;
    show(&if args.json { json } else { fleet.text() })?;
    ending(&scanned, own.len(), &args.out)
}

/// The worst that happened.
fn ending(scanned: &[Scanned], of: usize, out: &Path) -> anyhow::Result<ExitStatus> {
    let any = |status: Status| scanned.iter().any(|one| one.status == status);
    if signals::stopping() || any(Status::Interrupted) {
        tracing::warn!(
            "stopped after {} of {of} models; start the same command again to continue",
            scanned.iter().filter(|one| one.status != Status::Interrupted).count()
        );
        return Ok(ExitStatus::Interrupted(signals::received()));
    }
    let failed: Vec<String> =
        scanned.iter().filter(|one| one.status == Status::Failed).map(|one| plain(&one.name)).collect();
    if !failed.is_empty() {
        return Err(Hinted::error(
            format!("{} of {of} models could not be scanned: {}", failed.len(), failed.join(", ")),
            format!("their logs say why: {}/NAME.log", plain(&out.display().to_string())),
        ));
    }
    Ok(match () {
        () if any(Status::Backdoored) => ExitStatus::Backdoored,
        () if any(Status::Inconclusive) => ExitStatus::Inconclusive,
        () => ExitStatus::Success,
    })
}

/// Refuses options that no scan takes, before the first one.
fn check_options(options: &[OsString]) -> anyhow::Result<()> {
    let command = ScanArgs::augment_args(Command::new("aeva scan").no_binary_name(true));
    let words = [OsString::from("MODEL")].into_iter().chain(options.iter().cloned());
    let found = command.try_get_matches_from(words).map_err(|error| {
        Hinted::error(
            format!("the options behind `--` are not those of a scan: {}", error.to_string().trim()),
            "`aeva scan --help` lists them",
        )
    })?;
    for (name, instead) in [("out", "--out goes before `--`"), ("shard", "--shard goes before `--`")] {
        if found.value_source(name) == Some(clap::parser::ValueSource::CommandLine) {
            return Err(Hinted::error(format!("--{name} is for one scan, and these options are for all"), instead));
        }
    }
    Ok(())
}
