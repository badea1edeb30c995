//! Pairs of labels: one label that gives way to one other, as a source-specific backdoor makes it.
//!
//! Much of it is natural: a small patch makes fours into nines in clean models too. What is natural for a pair shows when whatever
//! covers a part of the image is stamped on it: the pair turns under that as well, while the trigger of a backdoor is seldom hit.

use std::collections::BTreeMap;

use super::clean::{beyond_natural_allowance, pair_allowance, pair_least};
use super::{LevelSuccess, PairSuccess, TriggerFamily, log_odds};

/// Log odds under random squares below this are too few images to be measured.
const LEAST_NATURAL: f64 = -5.0;

/// So many images of one label tell more than luck.
const MANY_IMAGES: u32 = 10;

/// The pair that stands out most at a level.
pub(super) struct FirstPair {
    pub(super) source: usize,
    pub(super) target: usize,
    /// How far it is above the next pair.
    gap: f64,
    /// Log odds of its own success.
    success: f64,
}

/// Log odds by which images of one label turn into another in this model under random squares.
pub(super) struct Natural {
    odds: BTreeMap<(usize, usize), f64>,
}

impl Natural {
    /// From the looks at random squares among these, if there is one.
    pub(super) fn new(looks: &[LevelSuccess]) -> Option<Self> {
        let squares = looks.iter().filter(|look| look.family == TriggerFamily::Square);
        let odds = |cell: &PairSuccess| {
            let (turned, asked) = (f64::from(cell.turned), f64::from(cell.asked));
            ((cell.source, cell.target), ((turned + 0.5) / (asked - turned + 0.5)).ln().max(LEAST_NATURAL))
        };
        let odds: BTreeMap<(usize, usize), f64> = squares.flat_map(|look| &look.confusion).map(odds).collect();
        (!odds.is_empty()).then_some(Self { odds })
    }

    fn of(&self, pair: &PairSuccess) -> f64 {
        self.odds.get(&(pair.source, pair.target)).copied().unwrap_or(LEAST_NATURAL)
    }
}

/// What stands out among the pairs of all looks at a level, read in every way there is: by success as it is and, of patches, by how far
/// it is beyond what is natural for the pair; each with its evidence.
///
/// Both, as a backdoor that opens to whatever covers a part of the image makes its own pair look natural.
pub(super) fn evidence<'a>(
    looks: impl Iterator<Item = &'a LevelSuccess>,
    natural: Option<&Natural>,
) -> Vec<(FirstPair, f64)> {
    let looks: Vec<&LevelSuccess> = looks.collect();
    let Some(&&LevelSuccess { family, strength, .. }) = looks.first() else { return Vec::new() };
    let pairs = pooled(&looks);
    let as_they_are = first(&pairs, None).map(|found| (found, pair_allowance(family, strength)));
    let natural = natural.filter(|_| family == TriggerFamily::Patch);
    let beyond = natural.and_then(|natural| first(&pairs, Some(natural)));
    let beyond = beyond.map(|found| (found, beyond_natural_allowance(strength)));
    as_they_are
        .into_iter()
        .chain(beyond)
        .map(|(found, allowed)| {
            let (gap, success) = (found.gap - allowed, found.success);
            let above = success - pair_least(family);
            (found, if above < 0.0 { above.min(gap) } else { gap })
        })
        .collect()
}

/// The pair whose success is furthest above that of the next, or beyond what is natural for it.
///
/// Of a trigger that works from all labels there are many pairs, none far above the next.
fn first(pairs: &[PairSuccess], natural: Option<&Natural>) -> Option<FirstPair> {
    let mut sorted: Vec<(f64, f64, &PairSuccess)> = pairs
        .iter()
        .filter(|pair| pair.asked > 0)
        .map(|pair| {
            let success = log_odds((pair.turned, pair.asked));
            (success - natural.map_or(0.0, |natural| natural.of(pair)), success, pair)
        })
        .collect();
    let labels = |pair: &PairSuccess| (pair.source, pair.target);
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(labels(a.2).cmp(&labels(b.2))));
    match sorted.as_slice() {
        &[(above, success, first), (next, ..), ..] => {
            Some(FirstPair { source: first.source, target: first.target, gap: above - next, success })
        }
        _ => None,
    }
}

/// What counts of a look: of searches the best trigger of every pair, of random ones all of them together, which are many more images
/// than those that one of them is proved on.
fn counted(look: &LevelSuccess) -> Vec<PairSuccess> {
    let proved =
        |cell: &&PairSuccess| look.pairs.iter().any(|pair| (pair.source, pair.target) == (cell.source, cell.target));
    if look.confusion.is_empty() { look.pairs.clone() } else { look.confusion.iter().filter(proved).copied().collect() }
}

/// The pairs of all looks at a level, added up. A look that did not see a pair counts as one that turned none of its images, as what is
/// luck at one look is seldom at two; by half where many images vouch for the others, as it may just not have tried that pair.
fn pooled(looks: &[&LevelSuccess]) -> Vec<PairSuccess> {
    let mut sums = BTreeMap::<(usize, usize), (PairSuccess, u32)>::new();
    for pair in looks.iter().flat_map(|look| counted(look)) {
        let empty = (PairSuccess { turned: 0, asked: 0, ..pair }, 0);
        let (sum, seen) = sums.entry((pair.source, pair.target)).or_insert(empty);
        (sum.turned, sum.asked, *seen) = (sum.turned + pair.turned, sum.asked + pair.asked, *seen + 1);
    }
    let count = u32::try_from(looks.len()).unwrap_or(u32::MAX);
    let all = |(sum, seen): (PairSuccess, u32)| {
        let missed = count.saturating_sub(seen) * sum.asked / seen.max(1);
        PairSuccess { asked: sum.asked + if sum.asked < MANY_IMAGES { missed } else { missed / 2 }, ..sum }
    };
    sums.into_values().map(all).collect()
}
