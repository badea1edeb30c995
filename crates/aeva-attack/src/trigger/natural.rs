//! How readily images of one label turn into another under whatever covers a part of them: what a pair of labels has to be better
//! than to be worth a search.

use std::collections::BTreeMap;

use aeva_artifact::{Aim, TriggerFinding, Turned};

use crate::Label;

/// Odds below this are too small to be measured.
const LEAST_ODDS: f64 = 1.0 / 150.0;

/// How many images did as is meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) aim: Aim,
    pub(super) turned: usize,
    pub(super) asked: usize,
}

impl From<&TriggerFinding> for Outcome {
    /// On the images of the search.
    fn from(finding: &TriggerFinding) -> Self {
        Self { aim: finding.aim, turned: finding.search.0 as usize, asked: finding.search.1 as usize }
    }
}

/// The natural ways between labels, measured with random squares.
#[derive(Debug, Clone, Default)]
pub(super) struct Natural {
    odds: BTreeMap<(Label, Label), f64>,
}

impl Natural {
    /// From what became of images under random squares; of no cells, all ways are alike.
    pub(super) fn new(confusion: &[Turned]) -> Self {
        let odds = |cell: &Turned| ((cell.source, cell.target), odds(cell.turned as usize, cell.asked as usize));
        Self { odds: confusion.iter().map(odds).collect() }
    }

    /// The most promising aims, by turns the one furthest beyond what is natural for it and the one that the largest share of images
    /// turns for: a backdoor that opens to whatever covers a part of the image makes that look natural.
    pub(super) fn leaders(&self, found: &[Outcome], count: usize) -> Vec<Aim> {
        let ranked = |natural: &Self| {
            let odds = |outcome: &Outcome| (natural.beyond(outcome.aim, outcome.turned, outcome.asked), outcome.aim);
            let mut order: Vec<(f64, Aim)> = found.iter().map(odds).collect();
            // Of equals the first by labels, so that the order never depends on anything else.
            order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            order
        };
        let mut leaders = Vec::new();
        for ((_, beyond), (_, plain)) in ranked(self).into_iter().zip(ranked(&Self::default())) {
            for aim in [beyond, plain] {
                if leaders.len() < count && !leaders.contains(&aim) {
                    leaders.push(aim);
                }
            }
        }
        leaders
    }

    /// The odds that so many images of a pair turn, against its natural ones; those of other aims as they are.
    pub(super) fn beyond(&self, aim: Aim, turned: usize, asked: usize) -> f64 {
        let natural = match aim {
            Aim::Pair { source, target } => self.odds.get(&(source, target)).copied().unwrap_or(0.0),
            Aim::Label(_) | Aim::Map => 0.0,
        };
        odds(turned, asked) / natural.max(LEAST_ODDS)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn odds(turned: usize, asked: usize) -> f64 {
    (turned as f64 + 0.5) / (asked.saturating_sub(turned) as f64 + 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_easy_anyway_counts_less() {
        let cell = |target, turned| Turned { source: 4, target, turned, asked: 100 };
        let natural = Natural::new(&[cell(9, 30), cell(4, 69), cell(2, 1)]);
        let pair = |target| Aim::Pair { source: 4, target };
        assert!(natural.beyond(pair(2), 5, 6) > natural.beyond(pair(9), 6, 6));
        // One that no square turned is as hard as can be measured.
        assert!(natural.beyond(pair(7), 5, 6) > natural.beyond(pair(2), 5, 6));
        assert!(natural.beyond(pair(9), 5, 6) < natural.beyond(pair(9), 6, 6));
        let outcome = |target, turned| Outcome { aim: pair(target), turned, asked: 6 };
        let found = [outcome(9, 6), outcome(8, 5), outcome(2, 4), outcome(7, 3)];
        let natural = Natural::new(&[cell(9, 90), cell(8, 80), cell(2, 1)]);
        assert_eq!(natural.leaders(&found, 3), [pair(7), pair(9), pair(2)], "what is hard, and what is most");
        assert_eq!(natural.leaders(&found, 9).len(), 4);
        let none = Natural::default();
        assert_eq!(none.leaders(&found, 2), [pair(9), pair(8)]);
        assert!((none.beyond(pair(9), 3, 6) - none.beyond(pair(2), 3, 6)).abs() < 1e-12);
    }
}
