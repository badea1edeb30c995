//! Reports on the terminal and in files. A format is a variant of [`Format`] and a way to render it.

mod evidence;
mod table;

use std::path::{Path, PathBuf};

use aeva_artifact::{MAX_ARTIFACT_BYTES, RunDir, read_regular, write_atomically};
use aeva_scan::{Observations, Report};
use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;

/// The format of a printed report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table, for people.
    Table,
    /// JSON, as in `report.json` of the run folder.
    Json,
}

/// The report of a run folder as text.
pub(crate) fn render(report: &Report, run: &Path, format: Format) -> anyhow::Result<String> {
    match format {
        Format::Table => Ok(table::table(report, run)),
        Format::Json => serde_json::to_string_pretty(report).context("cannot write the report as JSON"),
    }
}

/// Writes the evidence, and a `report.json` that names it, into the run folder.
pub(crate) fn store(run: &RunDir, report: &mut Report, seen: &Observations) -> anyhow::Result<()> {
    if let (Some(triggers), Some(shown)) = (&seen.triggers, &mut report.lenses.triggers) {
        for found in &mut shown.found {
            if let Some((_, finding)) = triggers.best(found.target_map) {
                found.files = evidence::write(run, found.target_map, finding, triggers.shape)?;
            }
        }
    }
    for &label in &report.suspects {
        report.lenses.perturbations.consensus.extend(evidence::write_consensus(run, u32::try_from(label)?)?);
    }
    let mut text = render(report, run.path(), Format::Json)?;
    text.push('\n');
    write_atomically(&path(run), text.as_bytes())?;
    Ok(())
}

/// Duration of an earlier run of the same scan, if its report exists and can be read.
pub(crate) fn earlier_seconds(run: &RunDir) -> Option<f64> {
    #[derive(Deserialize)]
    struct Seconds {
        seconds: Option<f64>,
    }
    let text = read_regular(&path(run), MAX_ARTIFACT_BYTES).ok()?;
    serde_json::from_slice::<Seconds>(&text).ok()?.seconds
}

fn path(run: &RunDir) -> PathBuf {
    run.path().join("report.json")
}
