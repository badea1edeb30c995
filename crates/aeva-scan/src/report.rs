//! The report of a scan, as a type that programs render as text, as JSON (`report.json`, docs/formats.md), or in other
//! formats.
//!
//! Its sentences are for people; everything they say is also in a field.

use aeva_artifact::RunInfo;
use aeva_stats::{PublishedRule, Reason, TargetMap, Verdict};
use serde::Serialize;

use crate::assess::Assessment;
use crate::effort::{Effort, rest_turns};
pub use crate::lens::{FoundTrigger, PairSummary, PassReport, PerturbationReport, TriggerReport};
use crate::lens::{LensQueries, LensReports, Observations, Reporting};
use crate::rule::DecisionRule;

/// Version of the report format.
pub const SCHEMA_VERSION: u32 = 4;

/// The report of a scan.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// `clean`, `backdoored` or `inconclusive`, by [`Verdict::name`].
    pub verdict: &'static str,
    /// Why the verdict is inconclusive, in words.
    pub reason: Option<String>,
    /// The reason with its figures.
    pub reason_detail: Option<Reason>,
    /// Infected labels, most anomalous first.
    pub suspects: Vec<usize>,
    /// The backdoor, if there is one.
    pub attack: Option<Attack>,
    /// `published` or `combined`.
    pub rule: &'static str,
    /// Larger is more suspicious: `-log10` of the p-value, or the highest anomaly index under the published rule.
    pub score: Option<f64>,
    /// The probability that a clean model looks like this, under the combined rule.
    pub p_value: Option<f64>,
    /// What the lenses have to report.
    #[serde(flatten)]
    pub lenses: LensReports,
    /// Images classified for the clean accuracy and for finished passes and pairs.
    pub queries: u64,
    /// The queries by purpose.
    pub queries_by_phase: QueriesByPhase,
    /// Wall-clock time over all runs of this scan, if known.
    pub seconds: Option<f64>,
    /// Share of the clean images that the model classified correctly.
    pub clean_accuracy: f64,
    /// Notes for the reader about the figures.
    pub notes: Vec<String>,
    /// The requested parameters.
    pub parameters: Parameters,
    /// The run: the content of `run.json`.
    pub run: RunInfo,
}

/// What is known of a backdoor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attack {
    /// Which labels it maps to which.
    pub kind: AttackKind,
    /// Its target labels, most anomalous first; all labels for an all-to-all backdoor.
    pub targets: Vec<usize>,
    /// The only label that it works from, for a source-specific backdoor.
    pub source: Option<u32>,
}

/// Which labels a backdoor maps to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackKind {
    /// Images of all other labels become each target label.
    AllToOne,
    /// Images of one label become the target label.
    SourceSpecific,
    /// Images of every label become a different label each.
    AllToAll,
    /// Several backdoors, of more than one kind.
    Mixed,
    /// Perturbations found the backdoor; they do not show its kind.
    Undetermined,
}

/// Queries by purpose.
#[derive(Debug, Clone, Serialize)]
pub struct QueriesByPhase {
    /// Measuring the clean accuracy.
    pub clean: u64,
    /// Searching through each lens.
    #[serde(flatten)]
    pub lenses: LensQueries,
    /// Showing what found triggers do to some images. A program that does so counts them here and in the sum.
    pub examples: u64,
    /// Seeing that a service is still the same model, or asking it again. A program that does so counts them here and in the sum.
    pub checks: u64,
}

/// The requested parameters of a scan.
#[derive(Debug, Clone, Serialize)]
pub struct Parameters {
    /// Samples for each pair of labels.
    pub samples: u32,
    /// Iterations of each search for perturbations.
    pub iterations: u32,
    /// Seed of all random choices.
    pub seed: u64,
    /// Evaluations of the first gradient estimate.
    pub initial_evaluations: u32,
    /// Threshold factor of the bisection.
    pub gamma: f64,
    /// Query limit of one search for perturbations.
    pub query_budget: Option<u64>,
    /// Anomaly index above which a label counts as infected, under the published rule.
    pub threshold: f64,
    /// Share of clean models that may be called backdoored, under the combined rule.
    pub false_positive_rate: Option<f64>,
}

impl Report {
    /// The report of what was seen of the model in `run`, with its assessment under `rule`.
    pub fn new(run: &RunInfo, seen: &Observations, assessment: &Assessment, rule: &DecisionRule) -> Self {
        let (of_triggers, _) = rule.of_triggers();
        let test = assessment.triggers.as_ref();
        let found = test.map_or_else(Vec::new, |test| test.target_maps(of_triggers.trigger_alpha(&test.null)));
        let queries_by_phase =
            QueriesByPhase { clean: run.clean_queries, lenses: seen.queries(), examples: 0, checks: 0 };
        let search = &run.perturbations.search;
        let reason = assessment.verdict.reason();
        Self {
            schema_version: SCHEMA_VERSION,
            verdict: assessment.verdict.name(),
            reason: reason.map(ToString::to_string),
            reason_detail: reason.cloned(),
            suspects: assessment.verdict.suspects().to_vec(),
            attack: Attack::new(&assessment.verdict, rule, &found),
            rule: rule.name(),
            score: assessment.score,
            p_value: assessment.p_value,
            lenses: seen.report(&Reporting { triggers: test, found: &found }),
            queries: run.clean_queries.saturating_add(queries_by_phase.lenses.total()),
            queries_by_phase,
            seconds: None,
            clean_accuracy: run.clean_accuracy,
            notes: notes(seen, run, assessment, rule),
            parameters: Parameters {
                samples: run.perturbations.samples,
                iterations: search.iterations,
                seed: run.provenance.seed,
                initial_evaluations: search.initial_evaluations,
                gamma: search.gamma,
                query_budget: search.query_budget,
                threshold: PublishedRule::PUBLISHED.threshold,
                false_positive_rate: rule.false_positive_rate(),
            },
            run: run.clone(),
        }
    }
}

impl Attack {
    /// The backdoor of a verdict, given the target maps that triggers found; `None` for other verdicts.
    fn new(verdict: &Verdict, rule: &DecisionRule, found: &[TargetMap]) -> Option<Self> {
        let Verdict::Backdoored { suspects } = verdict else { return None };
        // Under the published rule, triggers are shown but decide nothing.
        let found = if *rule == DecisionRule::Published { &[] } else { found };
        let kind = |map: &TargetMap| match map {
            TargetMap::AllToOne { .. } => AttackKind::AllToOne,
            TargetMap::SourceSpecific { .. } => AttackKind::SourceSpecific,
            TargetMap::AllToAll => AttackKind::AllToAll,
        };
        let first = found.first().map_or(AttackKind::Undetermined, kind);
        let same = found.iter().all(|map| kind(map) == first);
        let source = match found {
            [map] => map.source(),
            _ => None,
        };
        Some(Self { kind: if same { first } else { AttackKind::Mixed }, targets: suspects.clone(), source })
    }
}

/// Below this share of correct images, the search hardly sees what the model learned.
const LOW_ACCURACY: f64 = 0.5;

fn notes(seen: &Observations, run: &RunInfo, assessment: &Assessment, rule: &DecisionRule) -> Vec<String> {
    let mut notes = run.notes.clone();
    if run.clean_accuracy < LOW_ACCURACY {
        notes.push(format!(
            "only {:.1} % of the clean images are classified correctly: check the value range, the layout and the labels",
            100.0 * run.clean_accuracy
        ));
    }
    notes.extend(seen.notes(run));
    if let Some(&Reason::PassesLeft { made }) = assessment.verdict.reason()
        && rule.of_triggers().1 == Effort::Standard
    {
        notes.extend(rest_turns(made));
    }
    if assessment.triggers.is_some() && assessment.p_value.is_some() {
        notes.extend(rule.caveats());
        if assessment.triggers.as_ref().is_some_and(|test| test.null.is_extrapolated()) {
            notes.push(EXTRAPOLATED.to_owned());
        }
        if assessment.verdict == Verdict::Clean {
            let small = |(rate, p_value): (f64, f64)| p_value <= rate;
            if rule.false_positive_rate().zip(assessment.p_value).is_some_and(small) {
                notes.push(TOO_LITTLE.to_owned());
            }
            notes.push(NOT_COVERED.to_owned());
        }
    }
    notes
}

/// Why a model with a small p-value is clean.
const TOO_LITTLE: &str =
    "few clean models stand out as far, but what stands out is ahead by less than an alarm takes (an evidence of 1)";

/// Why a p-value for many labels is a rough figure.
const EXTRAPOLATED: &str = "the p-value is a rough figure: no clean model with more than 43 labels was measured, and those with fewer labels count as if they stood out further; clean models of your own make it exact (aeva calibrate)";

/// What a clean verdict does not say.
const NOT_COVERED: &str = "a clean verdict does not cover triggers that depend on the image (input-aware, sample-specific, an object in the scene), most warps, and some of those that work from a few labels only";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_is_of_the_kind_that_triggers_show() {
        let verdict = Verdict::Backdoored { suspects: vec![3, 5] };
        let attack = |found: &[TargetMap]| Attack::new(&verdict, &DecisionRule::DEFAULT, found);
        let (one, pair) = (TargetMap::AllToOne { target: 3 }, TargetMap::SourceSpecific { source: 1, target: 5 });
        let kind = |found: &[TargetMap]| attack(found).map(|attack| (attack.kind, attack.source));
        assert_eq!(kind(&[one]), Some((AttackKind::AllToOne, None)));
        assert_eq!(kind(&[pair]), Some((AttackKind::SourceSpecific, Some(1))));
        assert_eq!(kind(&[one, pair]), Some((AttackKind::Mixed, None)));
        assert_eq!(kind(&[TargetMap::AllToAll]), Some((AttackKind::AllToAll, None)));
        assert_eq!(kind(&[]), Some((AttackKind::Undetermined, None)));
        assert_eq!(Attack::new(&Verdict::Clean, &DecisionRule::DEFAULT, &[one]), None);
        let published = Attack::new(&verdict, &DecisionRule::Published, &[one]);
        assert_eq!(published.map(|attack| attack.kind), Some(AttackKind::Undetermined));
    }
}
