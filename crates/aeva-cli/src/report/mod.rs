//! Reports on the terminal and in files. A format is a variant of [`Format`] and a way to render it.

mod evidence;
pub(crate) mod examples;
mod names;
mod table;

use std::path::{Path, PathBuf};

use aeva_artifact::{MAX_ARTIFACT_BYTES, RunDir, read_regular, write_atomically};
use aeva_report::{ClassNames, Document, Examples, Picture};
use aeva_scan::{Observations, Report};
use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;

pub(crate) use self::names::class_names;

/// The format of a printed report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table, for people.
    Table,
    /// JSON, as in `report.json` of the run folder.
    Json,
    /// Markdown, as a pull request shows it.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports: a backdoor is a failure.
    Junit,
    /// The page, as in `report.html` of the run folder.
    Html,
}

/// The program and its version.
const PROGRAM: &str = concat!("aeva ", env!("CARGO_PKG_VERSION"));

/// The report of a run folder as text.
pub(crate) fn render(report: &Report, names: &ClassNames, run: &RunDir, format: Format) -> anyhow::Result<String> {
    let (examples, pictures) = match format {
        Format::Html => (examples::load(run, report).unwrap_or_default(), pictures(run, report)),
        _ => (Examples::default(), Vec::new()),
    };
    let document = Document { report, names, examples: &examples, pictures: &pictures, program: PROGRAM };
    match format {
        Format::Table => Ok(table::table(report, names, run.path())),
        Format::Json => serde_json::to_string_pretty(report).context("cannot write the report as JSON"),
        Format::Markdown => Ok(aeva_report::markdown(&document)),
        Format::Sarif => {
            serde_json::to_string_pretty(&aeva_report::sarif(&document)).context("cannot write the report as SARIF")
        }
        Format::Junit => Ok(aeva_report::junit(&document)),
        Format::Html => aeva_report::html(&document).context("cannot write the page"),
    }
}

/// Counts the queries that no pass counts: those of the examples in the run folder, and the `checks` of this run and earlier ones.
pub(crate) fn count_others(run: &RunDir, report: &mut Report, checks: u64) {
    let examples = examples::load(run, report).map_or(0, |examples| examples.queries);
    let earlier = earlier(run).and_then(|earlier| earlier.queries_by_phase).map_or(0, |phases| phases.checks);
    let checks = checks.saturating_add(earlier);
    report.queries_by_phase.examples = examples;
    report.queries_by_phase.checks = checks;
    report.queries = report.queries.saturating_add(examples).saturating_add(checks);
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
    let mut text = serde_json::to_string_pretty(report).context("cannot write the report as JSON")?;
    text.push('\n');
    write_atomically(&path(run), text.as_bytes())?;
    Ok(())
}

/// Writes `report.html` into the run folder. Returns its path.
pub(crate) fn store_page(run: &RunDir, report: &Report, names: &ClassNames) -> anyhow::Result<PathBuf> {
    let page = run.path().join("report.html");
    write_atomically(&page, render(report, names, run, Format::Html)?.as_bytes())?;
    Ok(page)
}

/// The pictures that the report names. One that cannot be read is left out.
fn pictures(run: &RunDir, report: &Report) -> Vec<Picture> {
    let of_triggers = report.lenses.triggers.iter().flat_map(|triggers| &triggers.found).flat_map(|found| &found.files);
    let names = of_triggers
        .chain(&report.lenses.perturbations.consensus)
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "png"));
    let picture = |name: &String| {
        let png = read_regular(&run.path().join(name), MAX_ARTIFACT_BYTES).ok()?;
        Some(Picture { name: name.clone(), png })
    };
    names.filter_map(picture).collect()
}

/// What is read of an earlier report.
#[derive(Deserialize)]
struct Earlier {
    seconds: Option<f64>,
    verdict: Option<String>,
    queries_by_phase: Option<EarlierQueries>,
}

#[derive(Deserialize)]
struct EarlierQueries {
    #[serde(default)]
    checks: u64,
}

fn earlier(run: &RunDir) -> Option<Earlier> {
    serde_json::from_slice(&read_regular(&path(run), MAX_ARTIFACT_BYTES).ok()?).ok()
}

/// Duration of an earlier run of the same scan, if its report exists and can be read.
pub(crate) fn earlier_seconds(run: &RunDir) -> Option<f64> {
    earlier(run)?.seconds
}

/// The verdict of the report that is there, if it can be read.
pub(crate) fn earlier_verdict(run: &RunDir) -> Option<String> {
    earlier(run)?.verdict
}

fn path(run: &RunDir) -> PathBuf {
    run.path().join("report.json")
}
