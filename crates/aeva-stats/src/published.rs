//! From GAPs to a verdict, by the published rule.

use crate::{PairScores, Reason, Verdict, anomaly_indices, global_adversarial_peaks};

/// The published decision rule: a model is backdoored if some label's anomaly index exceeds the threshold (one-sided).
///
/// Its limits (see `docs/method.md`): with 10 labels it flags a clean model in 4.5 % of draws if GAPs are normally
/// distributed, and in 16 % if they are Gumbel distributed. It cannot detect anything if half of the labels are
/// infected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedRule {
    /// An index above this is an outlier.
    pub threshold: f64,
    /// With fewer labels, the verdict is inconclusive.
    pub labels_needed: usize,
}

/// The decision of the published rule, with the figures behind it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PublishedDecision {
    /// The verdict.
    pub verdict: Verdict,
    /// One entry per label, in label order.
    pub labels: Vec<LabelAnomaly>,
}

/// The figures of one label.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LabelAnomaly {
    /// The label.
    pub label: usize,
    /// Global Adversarial Peak: the sum of the available pair scores.
    pub gap: f64,
    /// Signed anomaly index among the labels with all pairs; `None` for the other labels, or if it is undefined.
    pub anomaly_index: Option<f64>,
    /// How many of the label's pairs are missing.
    pub missing_pairs: usize,
}

impl PublishedRule {
    /// Threshold 4, as published. A median absolute deviation needs at least three labels to single out one.
    pub const PUBLISHED: Self = Self { threshold: 4.0, labels_needed: 3 };

    /// Applies the rule to the pair scores of a model.
    ///
    /// If pairs are missing, the verdict is always [`Verdict::Inconclusive`]; complete labels still get their index.
    pub fn decide(&self, scores: &PairScores) -> PublishedDecision {
        let gaps = global_adversarial_peaks(scores);
        let complete: Vec<f64> = gaps.iter().filter(|gap| gap.missing == 0).map(|gap| gap.gap).collect();
        let indices = anomaly_indices(&complete);

        let mut next_index = indices.iter().flatten();
        let labels: Vec<LabelAnomaly> = gaps
            .iter()
            .map(|gap| LabelAnomaly {
                label: gap.label,
                gap: gap.gap,
                anomaly_index: if gap.missing == 0 { next_index.next().copied() } else { None },
                missing_pairs: gap.missing,
            })
            .collect();

        let verdict = if scores.classes() < self.labels_needed {
            let (found, needed) = (scores.classes(), self.labels_needed);
            Verdict::Inconclusive { why: Reason::TooFewLabels { found, needed } }
        } else if scores.missing() > 0 {
            let (missing, expected) = (scores.missing(), scores.expected());
            Verdict::Inconclusive { why: Reason::MissingPairs { missing, expected } }
        } else {
            match indices {
                // Scores are finite and there are labels, so a zero deviation is the only error left.
                Err(_) => Verdict::Inconclusive { why: Reason::ZeroDeviation },
                Ok(indices) => self.verdict(&indices),
            }
        };
        PublishedDecision { verdict, labels }
    }

    fn verdict(&self, indices: &[f64]) -> Verdict {
        let mut suspects: Vec<usize> = (0..indices.len()).filter(|&label| indices[label] > self.threshold).collect();
        suspects.sort_by(|&a, &b| indices[b].total_cmp(&indices[a]));
        if suspects.is_empty() { Verdict::Clean } else { Verdict::Backdoored { suspects } }
    }
}

impl PublishedDecision {
    /// The highest anomaly index and its label; `None` if no label has one.
    pub fn highest(&self) -> Option<(f64, usize)> {
        let indices = self.labels.iter().filter_map(|label| Some((label.anomaly_index?, label.label)));
        indices.max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A matrix whose labels have the given GAPs, each spread evenly over its sources.
    fn matrix(gaps: &[f64]) -> PairScores {
        let classes = gaps.len();
        let mut scores = PairScores::new(classes);
        for (target, gap) in gaps.iter().enumerate() {
            for source in (0..classes).filter(|&source| source != target) {
                scores.insert(source, target, gap / (classes - 1) as f64).unwrap();
            }
        }
        scores
    }

    #[test]
    fn the_verdict_names_suspects_by_index() {
        let decision = PublishedRule::PUBLISHED.decide(&matrix(&[1.0, 1.1, 9.0, 0.9, 1.05, 30.0, 0.95]));
        assert_eq!(decision.verdict, Verdict::Backdoored { suspects: vec![5, 2] });
    }

    #[test]
    fn a_low_outlier_is_clean() {
        let decision = PublishedRule::PUBLISHED.decide(&matrix(&[1.0, 1.1, 0.9, 1.05, 0.0, 0.95]));
        assert_eq!(decision.verdict, Verdict::Clean);
        assert!(decision.labels[4].anomaly_index.unwrap() < -4.0);
    }

    #[test]
    fn exactly_the_threshold_is_not_above_it() {
        let indices = [0.0, 4.0, -1.0];
        assert_eq!(PublishedRule::PUBLISHED.verdict(&indices), Verdict::Clean);
    }

    #[test]
    fn what_cannot_be_decided_is_inconclusive() {
        let verdict = |scores: &PairScores| PublishedRule::PUBLISHED.decide(scores).verdict;
        // Every label has the same two scores, hence the same GAP to the last bit.
        assert_eq!(verdict(&matrix(&[1.0; 5])), Verdict::Inconclusive { why: Reason::ZeroDeviation });
        assert_eq!(
            verdict(&matrix(&[1.0, 2.0])),
            Verdict::Inconclusive { why: Reason::TooFewLabels { found: 2, needed: 3 } }
        );
        assert_eq!(
            verdict(&PairScores::new(0)),
            Verdict::Inconclusive { why: Reason::TooFewLabels { found: 0, needed: 3 } }
        );
        let mut partial = PairScores::new(3);
        partial.insert(0, 1, 0.5).unwrap();
        partial.insert(2, 1, 0.5).unwrap();
        let decision = PublishedRule::PUBLISHED.decide(&partial);
        assert_eq!(decision.verdict, Verdict::Inconclusive { why: Reason::MissingPairs { missing: 4, expected: 6 } });
        assert_eq!(decision.labels.iter().map(|label| label.missing_pairs).collect::<Vec<_>>(), [2, 0, 2]);
    }

    #[test]
    fn complete_labels_keep_their_index_beside_incomplete_ones() {
        let full = matrix(&[1.0, 1.2, 0.9, 5.0, 1.05]);
        let mut partial = PairScores::new(5);
        for source in 0..5 {
            for target in (0..5).filter(|&target| target != source && (source, target) != (0, 1)) {
                partial.insert(source, target, full.get(source, target).unwrap()).unwrap();
            }
        }
        let decision = PublishedRule::PUBLISHED.decide(&partial);
        assert_eq!(decision.labels[1].anomaly_index, None);
        // Among 1.0, 0.9, 5.0, 1.05: median 1.025, deviations 0.025, 0.125, 3.975, 0.025, their median 0.075.
        let expected = (5.0 - 1.025) / (1.4826 * 0.075);
        assert!((decision.labels[3].anomaly_index.unwrap() - expected).abs() < 1e-9);
        assert!(matches!(decision.verdict, Verdict::Inconclusive { .. }));
    }

    proptest! {
        #[test]
        fn renaming_labels_renames_suspects(gaps in prop::collection::vec(0.1..1.0_f64, 4..12), by in 0_usize..12, spike in 0_usize..12) {
            let classes = gaps.len();
            let mut gaps = gaps;
            gaps[spike % classes] = 50.0;
            let by = by % classes;
            let mut turned = gaps.clone();
            turned.rotate_left(by);
            let before = PublishedRule::PUBLISHED.decide(&matrix(&gaps)).verdict;
            let after = PublishedRule::PUBLISHED.decide(&matrix(&turned)).verdict;
            if let (Verdict::Backdoored { suspects: before }, Verdict::Backdoored { suspects: after }) = (&before, &after) {
                let renamed: Vec<usize> = before.iter().map(|label| (label + classes - by) % classes).collect();
                prop_assert_eq!(&renamed, after);
            } else {
                prop_assert!(false, "a spike of 50 over values below 1 is always found: {:?} {:?}", before, after);
            }
        }
    }
}
