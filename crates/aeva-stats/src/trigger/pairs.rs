//! Pairs of labels: one label that gives way to one other, as a source-specific backdoor makes it.
//!
//! Much of it is natural: a small patch makes fours into nines in clean models too. What is natural for a pair shows when whatever
//! covers a part of the image is stamped on it: the pair turns under that as well, while the trigger of a backdoor is seldom hit.

use std::collections::BTreeMap;

use super::{LevelSuccess, PairSuccess, TriggerFamily, log_odds};

/// Log odds under random squares below this are too few images to be measured.
const LEAST_NATURAL: f64 = -5.0;

/// The pair that stands out most at a level.
pub(super) struct FirstPair {
    pub(super) source: usize,
    pub(super) target: usize,
    /// How far it is above the next pair.
    pub(super) gap: f64,
    /// Log odds of its own success.
    pub(super) success: f64,
}

/// Log odds by which images of one label turn into another in this model under random squares.
#[derive(Default)]
pub(super) struct Natural {
    odds: BTreeMap<(usize, usize), f64>,
}

impl Natural {
    /// From the looks at random squares among these; without one, all pairs are alike.
    pub(super) fn new(looks: &[LevelSuccess]) -> Self {
        let squares = looks.iter().filter(|look| look.family == TriggerFamily::Square);
        let odds = |cell: &PairSuccess| {
            let (turned, asked) = (f64::from(cell.turned), f64::from(cell.asked));
            ((cell.source, cell.target), ((turned + 0.5) / (asked - turned + 0.5)).ln().max(LEAST_NATURAL))
        };
        Self { odds: squares.flat_map(|look| &look.confusion).map(odds).collect() }
    }

    /// What is natural for a pair at a level: random squares say it of patches, nothing does of patterns over the whole image.
    fn of(&self, family: TriggerFamily, pair: &PairSuccess) -> f64 {
        match family {
            TriggerFamily::Patch | TriggerFamily::Square => {
                self.odds.get(&(pair.source, pair.target)).copied().unwrap_or(LEAST_NATURAL)
            }
            TriggerFamily::Overlay | TriggerFamily::Wave | TriggerFamily::Noise => 0.0,
        }
    }
}

/// The pair whose success is furthest beyond what is natural for it, all looks at the level pooled.
///
/// Of a trigger that works from all labels there are many pairs, none far above the next.
pub(super) fn first<'a>(looks: impl Iterator<Item = &'a LevelSuccess>, natural: &Natural) -> Option<FirstPair> {
    let looks: Vec<&LevelSuccess> = looks.collect();
    let family = looks.first()?.family;
    let mut sorted: Vec<(f64, f64, PairSuccess)> = pooled(&looks)
        .into_iter()
        .filter(|pair| pair.asked > 0)
        .map(|pair| {
            let success = log_odds((pair.turned, pair.asked));
            (success - natural.of(family, &pair), success, pair)
        })
        .collect();
    let labels = |pair: &PairSuccess| (pair.source, pair.target);
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(labels(&a.2).cmp(&labels(&b.2))));
    match sorted.as_slice() {
        &[(beyond, success, first), (next, ..), ..] => {
            Some(FirstPair { source: first.source, target: first.target, gap: beyond - next, success })
        }
        _ => None,
    }
}

/// The pairs of all looks at a level, added up; a look that did not see a pair counts as one that turned none of its images.
fn pooled(looks: &[&LevelSuccess]) -> Vec<PairSuccess> {
    let mut sums = BTreeMap::<(usize, usize), (PairSuccess, u32)>::new();
    for pair in looks.iter().flat_map(|look| &look.pairs) {
        let empty = (PairSuccess { turned: 0, asked: 0, ..*pair }, 0);
        let (sum, seen) = sums.entry((pair.source, pair.target)).or_insert(empty);
        (sum.turned, sum.asked, *seen) = (sum.turned + pair.turned, sum.asked + pair.asked, *seen + 1);
    }
    let count = u32::try_from(looks.len()).unwrap_or(u32::MAX);
    let all = |(sum, seen): (PairSuccess, u32)| PairSuccess { asked: sum.asked * count / seen.max(1), ..sum };
    sums.into_values().map(all).collect()
}
