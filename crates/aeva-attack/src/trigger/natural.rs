//! How readily images of one label turn into another under whatever covers a part of them: what a pair of labels has to be better
//! than to be worth a search.

use std::collections::BTreeMap;

use aeva_artifact::{Aim, Turned};

use crate::Label;

/// Odds below this are too small to be measured.
const LEAST_ODDS: f64 = 1.0 / 150.0;

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
        let none = Natural::default();
        assert!((none.beyond(pair(9), 3, 6) - none.beyond(pair(2), 3, 6)).abs() < 1e-12);
    }
}
