//! What a scan found, as `report.json` has it and as the terminal shows it.

pub(crate) mod evidence;
mod table;
mod triggers;

use std::path::PathBuf;

use aeva_artifact::{
    Aim, Level, MAX_ARTIFACT_BYTES, Outcome, PairArtifact, QueryCounts, RunDir, RunInfo, TriggerFinding, read_regular,
    write_atomically,
};
use aeva_attack::trigger::Panel;
use aeva_scan::{Assessment, DecisionRule, Observations, assess, left_open};
use aeva_stats::{
    CombinedRule, Judgement, LabelJudgement, PairScores, PublishedRule, Verdict, judge, pair_score, peak_share,
};
use anyhow::Context;
use serde::{Deserialize, Serialize};

pub(crate) use table::table;
pub(crate) use triggers::TriggerReport;
use triggers::Triggers;

/// The name of the perturbations as a piece of work that may be stopped.
pub(crate) const PERTURBATIONS: &str = "pairs";

const SCHEMA_VERSION: u32 = 2;

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
    /// "published" or "combined".
    pub(crate) rule: &'static str,
    /// Larger is more suspicious: `-log10` of the p-value; by the published rule the highest anomaly index.
    pub(crate) score: Option<f64>,
    /// Chance that a clean model looks like this, by the combined rule.
    pub(crate) p_value: Option<f64>,
    /// The lens of triggers, where it was used.
    pub(crate) triggers: Option<TriggerReport>,
    /// The lens of perturbations: GAP and anomaly index, where it was used.
    pub(crate) labels: Vec<LabelJudgement>,
    pub(crate) pairs: Vec<PairReport>,
    /// Files that show where the perturbations towards each suspect agree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) consensus: Vec<String>,
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
    /// Searching triggers.
    pub(crate) triggers: u64,
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
    /// Anomaly index above which a label is infected, by the published rule.
    pub(crate) threshold: f64,
    /// Share of clean models that may be called backdoored, by the combined rule.
    pub(crate) false_positive_rate: Option<f64>,
}

/// Judges what a run folder holds.
///
/// # Errors
/// When an artifact is damaged or foreign.
pub(crate) fn of_run(run: &RunDir, seconds: Option<f64>, rule: &DecisionRule) -> anyhow::Result<(Report, Verdict)> {
    let info = run.info();
    let provenance = &info.provenance;
    let mut scores = PairScores::new(provenance.model.classes as usize);
    let mut pairs = Vec::new();
    let mut search = QueryCounts::default();
    for (source, target) in run.stored_pairs()? {
        let Some(artifact) = run.load(source, target)? else { continue };
        let pair = pair_report(&artifact);
        search += artifact.queries();
        if let Some(score) = pair.score {
            scores.insert(source as usize, target as usize, score)?;
        }
        pairs.push(pair);
    }
    let triggers = triggers_of(run, rule)?;
    let judgement = judge(&scores, &PublishedRule::PUBLISHED);
    let published = *rule == DecisionRule::Published;
    // Without a single pair there is nothing to be judged, unless that is what is missing.
    let begun = run.partial_path(PERTURBATIONS).exists();
    let perturbations = (!pairs.is_empty() || begun || published).then_some(&judgement);
    let held_out = held_out(run);
    let assessment = assess(&observations(triggers.as_ref(), perturbations, &held_out), rule);
    let Assessment { verdict, p_value, score, .. } = assessment;
    // What proves nothing is not shown as if it did.
    let shown = triggers.as_ref().filter(|_| assessment.triggers.is_some());
    let trigger_report = shown.map(|triggers| triggers.report(trigger_level(rule)));
    let false_positive_rate = match rule {
        DecisionRule::Published => None,
        DecisionRule::Combined { rule, .. } => Some(rule.false_positive_rate),
    };
    let trigger_queries = triggers.as_ref().map_or(0, Triggers::queries);
    let labels = if pairs.is_empty() { Vec::new() } else { judgement.labels };
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
        rule: if false_positive_rate.is_some() { "combined" } else { "published" },
        score,
        p_value,
        triggers: trigger_report,
        labels,
        notes: notes(&pairs, info),
        pairs,
        consensus: Vec::new(),
        queries: [trigger_queries, search.total()].into_iter().fold(info.clean_queries, u64::saturating_add),
        queries_by_phase: QueriesByPhase { clean: info.clean_queries, triggers: trigger_queries, search },
        seconds,
        clean_accuracy: info.clean_accuracy,
        parameters: Parameters {
            samples: provenance.samples,
            iterations: provenance.search.iterations,
            seed: provenance.seed,
            initial_evaluations: provenance.search.initial_evaluations,
            gamma: provenance.search.gamma,
            query_budget: provenance.search.query_budget,
            threshold: PublishedRule::PUBLISHED.threshold,
            false_positive_rate,
        },
        provenance: info.clone(),
    };
    Ok((report, verdict))
}

/// Largest p-value at which a trigger is reported as found.
fn trigger_level(rule: &DecisionRule) -> f64 {
    match rule {
        DecisionRule::Published => CombinedRule::DEFAULT.trigger_level(),
        DecisionRule::Combined { rule, .. } => rule.trigger_level(),
    }
}

/// What a run saw of its model.
fn observations<'a>(
    triggers: Option<&'a Triggers>,
    perturbations: Option<&'a Judgement>,
    held_out: &'a [usize],
) -> Observations<'a> {
    let held_out = (!held_out.is_empty()).then_some(held_out);
    Observations { triggers: triggers.map(|triggers| &triggers.replay), perturbations, held_out }
}

/// `[class]` -> its images that a search holds out; empty where the run does not say how many there are.
fn held_out(run: &RunDir) -> Vec<usize> {
    let correct: Vec<usize> = run.info().clean_correct.iter().map(|&count| count as usize).collect();
    Panel::held_out_of(&correct)
}

/// The triggers of a run, as a rule takes them.
fn triggers_of(run: &RunDir, rule: &DecisionRule) -> anyhow::Result<Option<Triggers>> {
    match *rule {
        DecisionRule::Published => Triggers::of_run(run, CombinedRule::DEFAULT, false),
        DecisionRule::Combined { rule, exhaustive } => Triggers::of_run(run, rule, exhaustive),
    }
}

/// Whether the triggers of a run leave the verdict open.
///
/// # Errors
/// When an artifact is damaged or foreign.
pub(crate) fn triggers_leave_open(run: &RunDir, rule: &DecisionRule) -> anyhow::Result<bool> {
    let triggers = triggers_of(run, rule)?;
    Ok(left_open(&observations(triggers.as_ref(), None, &held_out(run)), rule))
}

/// Whether a run holds triggers.
///
/// # Errors
/// When an artifact is damaged or foreign.
pub(crate) fn has_triggers(run: &RunDir) -> anyhow::Result<bool> {
    Ok(triggers_of(run, &DecisionRule::Published)?.is_some())
}

/// A trigger, its level and the image shape `[h, w, c]`.
type Best = (Level, TriggerFinding, [usize; 3]);

/// The trigger of an aim that stands out most, of a run as a plain scan or an exhaustive one left it.
///
/// # Errors
/// When an artifact is damaged or foreign.
pub(crate) fn best_trigger(run: &RunDir, aim: Aim) -> anyhow::Result<Option<Best>> {
    let rule = CombinedRule::DEFAULT;
    let [plain, exhaustive] = [false, true].map(|exhaustive| Triggers::of_run(run, rule, exhaustive));
    let (plain, exhaustive) = (plain?, exhaustive?);
    let looks = |triggers: &Option<Triggers>| triggers.as_ref().map_or(0, Triggers::looks);
    Ok(best_of(if looks(&exhaustive) > looks(&plain) { exhaustive } else { plain }, aim))
}

fn best_of(triggers: Option<Triggers>, aim: Aim) -> Option<Best> {
    let triggers = triggers?;
    triggers.best(aim).map(|(artifact, finding, _)| (artifact.level, finding.clone(), artifact.shape))
}

/// Writes the evidence and `report.json`, which names it, into the run folder.
pub(crate) fn store(run: &RunDir, report: &mut Report, rule: &DecisionRule) -> anyhow::Result<()> {
    for found in report.triggers.iter_mut().flat_map(|triggers| &mut triggers.found) {
        if let Some((_, finding, shape)) = best_of(triggers_of(run, rule)?, found.aim()) {
            found.files = evidence::write(run, &finding, shape)?;
        }
    }
    for &label in &report.suspects {
        report.consensus.extend(evidence::write_consensus(run, u32::try_from(label)?)?);
    }
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
    let text = read_regular(&path(run), MAX_ARTIFACT_BYTES).ok()?;
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
