//! The baseline: how readily images of one label become another when anything covers a part of them. A trigger has to
//! beat it before a pair of labels is worth a search.

use std::collections::BTreeMap;

use aeva_stats::{PairTally, Tally, TargetMap};

use super::TriggerFinding;
use crate::Label;

/// Smaller odds cannot be measured with so few images.
///
/// The test of pairs in `aeva-stats` has a lowest baseline of its own, `exp(-5)`, which is about the same. They are
/// separate because changing this one changes the search.
const LOWEST_ODDS: f64 = 1.0 / 150.0;

/// The success of a trigger for a goal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) goal: TargetMap,
    pub(super) tally: Tally,
}

impl From<&TriggerFinding> for Outcome {
    /// Uses the success on the search images.
    fn from(finding: &TriggerFinding) -> Self {
        Self { goal: finding.goal, tally: finding.search }
    }
}

/// The odds of each pair of labels under random squares.
#[derive(Debug, Clone, Default)]
pub(super) struct Baseline {
    odds: BTreeMap<(Label, Label), f64>,
}

impl Baseline {
    /// Reads the outcomes under random squares. Without cells, all pairs have the same baseline.
    pub(super) fn new(confusion: &[PairTally]) -> Self {
        let odds = |cell: &PairTally| ((cell.source, cell.target), cell.tally.odds());
        Self { odds: confusion.iter().map(odds).collect() }
    }

    /// The most promising goals, alternating between the highest odds ratio to the baseline and the highest odds. Both
    /// rankings are needed: a backdoor that reacts to anything that covers a part of the image raises its own baseline.
    /// `tie` orders goals with the same odds, the lowest value first.
    pub(super) fn leaders(&self, found: &[Outcome], count: usize, tie: impl Fn(TargetMap) -> usize) -> Vec<TargetMap> {
        let ranked = |baseline: &Self| {
            let odds = |outcome: &Outcome| (baseline.odds_ratio(outcome.goal, outcome.tally), outcome.goal);
            let mut order: Vec<(f64, TargetMap)> = found.iter().map(odds).collect();
            order.sort_by(|a, b| b.0.total_cmp(&a.0).then(tie(a.1).cmp(&tie(b.1))).then(a.1.cmp(&b.1)));
            order
        };
        let mut leaders = Vec::new();
        for ((_, by_ratio), (_, by_odds)) in ranked(self).into_iter().zip(ranked(&Self::default())) {
            for goal in [by_ratio, by_odds] {
                if leaders.len() < count && !leaders.contains(&goal) {
                    leaders.push(goal);
                }
            }
        }
        leaders
    }

    /// Odds ratio of the success to the baseline of a pair. Other goals are compared with the lowest odds.
    pub(super) fn odds_ratio(&self, goal: TargetMap, tally: Tally) -> f64 {
        let baseline = match goal {
            TargetMap::SourceSpecific { source, target } => self.odds.get(&(source, target)).copied().unwrap_or(0.0),
            TargetMap::AllToOne { .. } | TargetMap::AllToAll => 0.0,
        };
        tally.odds() / baseline.max(LOWEST_ODDS)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn what_is_easy_anyway_counts_less() {
        let tally = |hits, trials| Tally::new(hits, trials).unwrap();
        let cell = |target, hits| PairTally { source: 4, target, tally: tally(hits, 100) };
        let baseline = Baseline::new(&[cell(9, 30), cell(4, 69), cell(2, 1)]);
        let pair = |target| TargetMap::SourceSpecific { source: 4, target };
        let ratio = |target, hits| baseline.odds_ratio(pair(target), tally(hits, 6));
        assert!(ratio(2, 5) > ratio(9, 6));
        // A pair that no square reached has the lowest baseline that can be measured.
        assert!(ratio(7, 5) > ratio(2, 5));
        assert!(ratio(9, 5) < ratio(9, 6));
        let outcome = |target, hits| Outcome { goal: pair(target), tally: tally(hits, 6) };
        let found = [outcome(9, 6), outcome(8, 5), outcome(2, 4), outcome(7, 3)];
        let baseline = Baseline::new(&[cell(9, 90), cell(8, 80), cell(2, 1)]);
        assert_eq!(
            baseline.leaders(&found, 3, |_| 0),
            [pair(7), pair(9), pair(2)],
            "the hardest pairs and the most frequent ones"
        );
        assert_eq!(baseline.leaders(&found, 9, |_| 0).len(), 4);
        let none = Baseline::default();
        assert_eq!(none.leaders(&found, 2, |_| 0), [pair(9), pair(8)]);
        let alike = [outcome(9, 6), outcome(8, 6)];
        assert_eq!(none.leaders(&alike, 1, |goal| usize::from(goal == pair(8))), [pair(9)]);
        assert_eq!(none.leaders(&alike, 1, |goal| usize::from(goal == pair(9))), [pair(8)]);
        assert!((none.odds_ratio(pair(9), tally(3, 6)) - none.odds_ratio(pair(2), tally(3, 6))).abs() < 1e-12);
    }
}
