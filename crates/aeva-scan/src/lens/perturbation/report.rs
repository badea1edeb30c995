//! The perturbation lens in a report.

use aeva_artifact::RunInfo;
use aeva_stats::LabelAnomaly;
use serde::Serialize;

use super::observations::{PairSummary, PerturbationObservations};

/// The perturbation lens; empty if it was not used.
#[derive(Debug, Clone, Serialize)]
pub struct PerturbationReport {
    /// GAP and anomaly index of each label.
    pub labels: Vec<LabelAnomaly>,
    /// All pairs that were searched.
    pub pairs: Vec<PairSummary>,
    /// Files that show where the perturbations towards each suspect agree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consensus: Vec<String>,
}

impl PerturbationReport {
    pub(super) fn new(seen: &PerturbationObservations) -> Self {
        Self {
            labels: if seen.pairs.is_empty() { Vec::new() } else { seen.decision.labels.clone() },
            pairs: seen.pairs.clone(),
            consensus: Vec::new(),
        }
    }
}

/// What the reader should know about the figures.
pub(super) fn notes(pairs: &[PairSummary], run: &RunInfo) -> Vec<String> {
    let mut notes = Vec::new();
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
