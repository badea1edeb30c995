//! Target labels: one or several labels that a trigger reaches far more often than all others.

use super::limits::{IMAGES_NEEDED, LABELS_NEEDED};
use super::odds::log_odds;
use crate::{Margins, Tally};

/// Labels that stand out together.
pub(super) struct Cluster {
    /// The labels, highest success rate first.
    pub(super) labels: Vec<usize>,
    /// Gap in log odds below the last label, minus the margin.
    pub(super) evidence: f64,
}

/// The first labels that stand out together, one entry for each number of labels up to half of all.
///
/// Labels with too few trials take no part: nothing is known about them, which is not the same as a rate of one half.
pub(super) fn clusters(labels: &[Tally], margins: &Margins, strength: f64) -> Vec<Cluster> {
    let known = labels.iter().copied().enumerate().filter(|(_, tally)| tally.trials() >= IMAGES_NEEDED);
    let mut sorted: Vec<(usize, f64)> = known.map(|(label, tally)| (label, log_odds(tally))).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if sorted.len() < LABELS_NEEDED {
        return Vec::new();
    }
    let cluster = |count: usize| {
        let (last, next) = (sorted[count - 1].1, sorted[count].1);
        let gap = last - next - margins.of_labels(strength);
        let labels = sorted[..count].iter().map(|(label, _)| *label).collect();
        Cluster { labels, evidence: limited_by_rate(gap, last, margins.minimum_rate) }
    };
    (1..=sorted.len() / 2).map(cluster).collect()
}

/// Below the minimum rate, the evidence is at most the (negative) distance to it.
pub(super) fn limited_by_rate(gap: f64, log_odds: f64, minimum_rate: f64) -> f64 {
    let above = log_odds - (minimum_rate / (1.0 - minimum_rate)).ln();
    if above < 0.0 { above.min(gap) } else { gap }
}
