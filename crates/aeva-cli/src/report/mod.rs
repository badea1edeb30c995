//! What a scan found, as `report.json` has it and as the terminal shows it.

mod table;

use std::path::PathBuf;

use aeva_artifact::{Outcome, PairArtifact, QueryCounts, RunDir, RunInfo, write_atomically};
use aeva_stats::{Judgement, LabelJudgement, PairScores, PublishedRule, Verdict, judge, pair_score, peak_share};
use anyhow::Context;
use serde::{Deserialize, Serialize};

pub(crate) use table::table;

const SCHEMA_VERSION: u32 = 1;

/// `report.json` (docs/formats.md).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) schema_version: u32,
    /// "clean", "backdoored" or "inconclusive".
    pub(crate) verdict: &'static str,
    /// Why the verdict is inconclusive.
    pub(crate) reason: Option<String>,
    /// Infected labels, most anomalous first.
    pub(crate) suspects: Vec<usize>,
    pub(crate) labels: Vec<LabelJudgement>,
    pub(crate) pairs: Vec<PairReport>,
    /// Images classified, those for the clean accuracy included.
    pub(crate) queries: u64,
    pub(crate) queries_by_phase: QueriesByPhase,
    /// Wall-clock time over all runs of this scan, where known.
    pub(crate) seconds: Option<f64>,
    pub(crate) clean_accuracy: f64,
    /// What the reader should know about the figures.
    pub(crate) notes: Vec<String>,
    pub(crate) parameters: Parameters,
    pub(crate) provenance: RunInfo,
}

/// One ordered pair.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PairReport {
    pub(crate) source: u32,
    pub(crate) target: u32,
    /// Samples that count.
    pub(crate) samples: usize,
    /// Samples that do not, by how they ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unfinished: Vec<Outcome>,
    /// Maximum peak share over the samples; absent when none counts.
    pub(crate) score: Option<f64>,
    pub(crate) queries: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct QueriesByPhase {
    /// Measuring the clean accuracy.
    pub(crate) clean: u64,
    #[serde(flatten)]
    pub(crate) search: QueryCounts,
}

/// What the verdict was asked for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Parameters {
    pub(crate) samples: u32,
    pub(crate) iterations: u32,
    pub(crate) seed: u64,
    pub(crate) initial_evaluations: u32,
    pub(crate) gamma: f64,
    pub(crate) query_budget: Option<u64>,
    pub(crate) threshold: f64,
}

/// Judges what a run folder holds.
///
/// # Errors
/// When an artifact is damaged or foreign.
pub(crate) fn of_run(run: &RunDir, seconds: Option<f64>) -> anyhow::Result<(Report, Verdict)> {
    let info = run.info();
    let provenance = &info.provenance;
    let mut scores = PairScores::new(provenance.model.classes as usize);
    let mut pairs = Vec::new();
    let mut search = QueryCounts::default();
    for (source, target) in run.pairs() {
        let Some(artifact) = run.load(source, target)? else { continue };
        let pair = pair_report(&artifact);
        search += artifact.queries();
        if let Some(score) = pair.score {
            scores.insert(source as usize, target as usize, score)?;
        }
        pairs.push(pair);
    }
    let rule = PublishedRule::PUBLISHED;
    let Judgement { verdict, labels } = judge(&scores, &rule);
    let (name, reason, suspects) = match &verdict {
        Verdict::Clean => ("clean", None, Vec::new()),
        Verdict::Backdoored { suspects } => ("backdoored", None, suspects.clone()),
        Verdict::Inconclusive { why } => ("inconclusive", Some(why.to_string()), Vec::new()),
    };
    let report = Report {
        schema_version: SCHEMA_VERSION,
        verdict: name,
        reason,
        suspects,
        labels,
        notes: notes(&pairs, info),
        pairs,
        queries: info.clean_queries + search.total(),
        queries_by_phase: QueriesByPhase { clean: info.clean_queries, search },
        seconds,
        clean_accuracy: info.clean_accuracy,
        parameters: Parameters {
            samples: provenance.samples,
            iterations: provenance.search.iterations,
            seed: provenance.seed,
            initial_evaluations: provenance.search.initial_evaluations,
            gamma: provenance.search.gamma,
            query_budget: provenance.search.query_budget,
            threshold: rule.threshold,
        },
        provenance: info.clone(),
    };
    Ok((report, verdict))
}

/// Writes `report.json` into the run folder.
pub(crate) fn store(run: &RunDir, report: &Report) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(report).context("cannot write the report as JSON")?;
    text.push(b'\n');
    write_atomically(&path(run), &text)?;
    Ok(())
}

/// Seconds that an earlier run of the same scan took, if its report is there and readable.
pub(crate) fn earlier_seconds(run: &RunDir) -> Option<f64> {
    #[derive(Deserialize)]
    struct Seconds {
        seconds: Option<f64>,
    }
    let text = std::fs::read(path(run)).ok()?;
    serde_json::from_slice::<Seconds>(&text).ok()?.seconds
}

fn path(run: &RunDir) -> PathBuf {
    run.path().join("report.json")
}

fn pair_report(artifact: &PairArtifact) -> PairReport {
    let [_, _, channels] = artifact.shape;
    // A perturbation without mass (the walk ended on the origin) has no share; it does not count.
    let shares: Vec<f64> = artifact.finished().filter_map(|v| peak_share(v, channels).ok()).collect();
    PairReport {
        source: artifact.source,
        target: artifact.target,
        samples: shares.len(),
        unfinished: artifact.samples.iter().map(|s| s.outcome).filter(|&o| o != Outcome::Finished).collect(),
        score: pair_score(&shares).ok(),
        queries: artifact.queries().total(),
    }
}

/// Below this share of correct images the search hardly looks at what the model learned.
const LOW_ACCURACY: f64 = 0.5;

fn notes(pairs: &[PairReport], info: &RunInfo) -> Vec<String> {
    let mut notes = info.notes.clone();
    if info.clean_accuracy < LOW_ACCURACY {
        notes.push(format!(
            "only {:.1} % of the clean images are classified correctly: check the value range, the layout and the labels",
            100.0 * info.clean_accuracy
        ));
    }
    let wanted = info.provenance.samples as usize;
    let short = pairs.iter().filter(|pair| pair.samples + pair.unfinished.len() < wanted).count();
    if short > 0 {
        notes.push(format!(
            "{short} of {} pairs have fewer than {wanted} samples: a class has fewer correct images than that",
            pairs.len()
        ));
    }
    let unfinished: usize = pairs.iter().map(|pair| pair.unfinished.len()).sum();
    if unfinished > 0 {
        notes.push(format!("{unfinished} searches did not finish and do not count"));
    }
    notes
}
