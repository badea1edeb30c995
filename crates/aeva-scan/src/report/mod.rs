//! The report of a scan, as a type that programs render as text, as JSON (`report.json`, docs/formats.md), or in other
//! formats.
//!
//! Its sentences are for people; everything they say is also in a field.

mod triggers;

use aeva_artifact::RunInfo;
use aeva_attack::perturbation::QueryCounts;
use aeva_stats::{LabelAnomaly, PublishedRule, Reason, TargetMap, Verdict};
use serde::Serialize;

pub use triggers::{FoundTrigger, PassReport, TriggerReport};

use crate::{Assessment, DecisionRule, Observations, PairSummary};

/// Version of the report format.
pub const SCHEMA_VERSION: u32 = 3;

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
    /// The trigger lens, if it was used.
    pub triggers: Option<TriggerReport>,
    /// The perturbation lens, if it was used: GAP and anomaly index of each label.
    pub labels: Vec<LabelAnomaly>,
    /// The perturbation lens: all pairs that were searched.
    pub pairs: Vec<PairSummary>,
    /// Files that show where the perturbations towards each suspect agree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consensus: Vec<String>,
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
    /// Searching for triggers.
    pub triggers: u64,
    /// Searching for perturbations.
    #[serde(flatten)]
    pub search: QueryCounts,
}

impl QueriesByPhase {
    fn total(&self) -> u64 {
        // All fields by name, so that no lens is forgotten here.
        let Self { clean, triggers, search } = self;
        clean.saturating_add(*triggers).saturating_add(search.total())
    }
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
        // All fields by name, so that no lens is forgotten here.
        let Observations { triggers: _, perturbations, holdout: _ } = seen;
        // The triggers are shown only if they take part in the assessment.
        let shown = seen.triggers.as_ref().zip(assessment.triggers.as_ref());
        let (of_triggers, _) = rule.of_triggers();
        let alpha = of_triggers.trigger_alpha();
        let found = shown.map_or_else(Vec::new, |(_, test)| test.target_maps(alpha));
        let triggers = shown.map(|(seen, test)| TriggerReport::new(seen, test, &found));
        let queries_by_phase = QueriesByPhase {
            clean: run.clean_queries,
            triggers: seen.triggers.as_ref().map_or(0, |triggers| triggers.passes.queries()),
            search: perturbations.queries,
        };
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
            triggers,
            labels: if perturbations.pairs.is_empty() { Vec::new() } else { perturbations.decision.labels.clone() },
            pairs: perturbations.pairs.clone(),
            consensus: Vec::new(),
            queries: queries_by_phase.total(),
            queries_by_phase,
            seconds: None,
            clean_accuracy: run.clean_accuracy,
            notes: notes(&perturbations.pairs, run),
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

fn notes(pairs: &[PairSummary], run: &RunInfo) -> Vec<String> {
    let mut notes = run.notes.clone();
    if run.clean_accuracy < LOW_ACCURACY {
        notes.push(format!(
            "only {:.1} % of the clean images are classified correctly: check the value range, the layout and the labels",
            100.0 * run.clean_accuracy
        ));
    }
    let wanted = run.perturbations.samples as usize;
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
