//! Pair scores of a whole model, and the Global Adversarial Peak of every label.

use std::collections::BTreeMap;

use crate::StatsError;

/// Scores of the ordered pairs (source, target) of a model with `classes` labels; pairs may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct PairScores {
    classes: usize,
    /// By target, then source. Missing pairs have no entry, so a small part of very many pairs takes little memory.
    scores: BTreeMap<(usize, usize), f64>,
}

/// Global Adversarial Peak of one target label.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LabelGap {
    /// The target label.
    pub label: usize,
    /// Sum of the available pair scores, over all sources.
    pub gap: f64,
    /// How many of the label's `classes - 1` pairs are missing. A GAP with missing pairs is too low for comparisons.
    pub missing: usize,
}

/// The GAP of every label: `GAP_t = sum over sources s != t of score(s, t)`, in label order.
///
/// Source: arXiv 2110.14880, section 4.3. Unlike in the published program, labels with missing pairs are marked.
pub fn global_adversarial_peaks(scores: &PairScores) -> Vec<LabelGap> {
    (0..scores.classes)
        .map(|label| {
            let mut gap = LabelGap { label, gap: 0.0, missing: scores.classes - 1 };
            for (_, score) in scores.scores.range((label, 0)..(label + 1, 0)) {
                gap.gap += score;
                gap.missing -= 1;
            }
            gap
        })
        .collect()
}

impl PairScores {
    /// Creates the scores of `classes` labels with every pair missing.
    pub fn new(classes: usize) -> Self {
        Self { classes, scores: BTreeMap::new() }
    }

    /// Number of labels.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of ordered pairs of different labels, `classes * (classes - 1)`.
    pub fn expected(&self) -> usize {
        self.classes * self.classes.saturating_sub(1)
    }

    /// Number of pairs without a score.
    pub fn missing(&self) -> usize {
        self.expected() - self.scores.len()
    }

    /// Sets the score of a pair, normally from [`pair_score`](crate::pair_score).
    ///
    /// # Errors
    /// [`StatsError::Pair`] for labels out of range or equal, [`StatsError::DuplicatePair`], [`StatsError::NotFinite`].
    pub fn insert(&mut self, source: usize, target: usize, score: f64) -> Result<(), StatsError> {
        if source >= self.classes || target >= self.classes || source == target {
            return Err(StatsError::Pair { source, target, classes: self.classes });
        }
        if !score.is_finite() {
            return Err(StatsError::NotFinite { index: source * self.classes + target });
        }
        if self.scores.contains_key(&(target, source)) {
            return Err(StatsError::DuplicatePair { source, target });
        }
        self.scores.insert((target, source), score);
        Ok(())
    }

    /// Score of a pair; `None` if it is missing or not a valid pair.
    pub fn get(&self, source: usize, target: usize) -> Option<f64> {
        self.scores.get(&(target, source)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gap_sums_over_sources_not_targets() {
        let mut scores = PairScores::new(3);
        for (source, target, score) in [(0, 1, 0.1), (2, 1, 0.2), (0, 2, 0.5), (1, 2, 0.25), (1, 0, 0.75)] {
            scores.insert(source, target, score).unwrap();
        }
        let gaps = global_adversarial_peaks(&scores);
        assert_eq!(gaps[0], LabelGap { label: 0, gap: 0.75, missing: 1 });
        assert_eq!(gaps[1], LabelGap { label: 1, gap: 0.1 + 0.2, missing: 0 });
        assert_eq!(gaps[2], LabelGap { label: 2, gap: 0.75, missing: 0 });
        assert_eq!((scores.expected(), scores.missing()), (6, 1));
    }

    #[test]
    fn only_real_pairs_are_taken_and_only_once() {
        let mut scores = PairScores::new(3);
        assert_eq!(scores.insert(1, 1, 0.5), Err(StatsError::Pair { source: 1, target: 1, classes: 3 }));
        assert_eq!(scores.insert(0, 3, 0.5), Err(StatsError::Pair { source: 0, target: 3, classes: 3 }));
        assert!(matches!(scores.insert(0, 1, f64::NAN), Err(StatsError::NotFinite { .. })));
        scores.insert(0, 1, 0.5).unwrap();
        assert_eq!(scores.insert(0, 1, 0.6), Err(StatsError::DuplicatePair { source: 0, target: 1 }));
        assert_eq!(scores.get(0, 1), Some(0.5));
        assert_eq!(scores.get(3, 0), None);
    }
}
