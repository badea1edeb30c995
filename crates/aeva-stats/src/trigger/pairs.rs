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
            let (turned, asked) = (f64::from(cell.turned.min(cell.asked)), f64::from(cell.asked));
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
        sum.turned = sum.turned.saturating_add(pair.turned);
        sum.asked = sum.asked.saturating_add(pair.asked);
        *seen += 1;
    }
    let count = u32::try_from(looks.len()).unwrap_or(u32::MAX);
    let all = |(sum, seen): (PairSuccess, u32)| {
        let missed = count.saturating_sub(seen).saturating_mul(sum.asked) / seen.max(1);
        let missed = if sum.asked < MANY_IMAGES { missed } else { missed / 2 };
        PairSuccess { asked: sum.asked.saturating_add(missed), ..sum }
    };
    sums.into_values().map(all).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::trigger::judge_triggers;

    fn level(strength: u32, shares: &[u32]) -> LevelSuccess {
        LevelSuccess {
            family: TriggerFamily::Patch,
            strength: f64::from(strength),
            labels: shares.iter().map(|&turned| (turned, 180)).collect(),
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: (10, 200),
        }
    }

    #[test]
    fn a_pair_far_above_the_others_is_source_specific() {
        let with = |turned: [(usize, usize, u32); 3]| {
            let pairs =
                turned.map(|(source, target, turned)| PairSuccess { source, target, turned, asked: 20 }).to_vec();
            judge_triggers(&[LevelSuccess { pairs, ..level(3, &[20, 18, 16, 15, 9, 8, 7, 0, 0, 0]) }])
        };
        let specific = with([(4, 9, 20), (1, 8, 6), (2, 3, 3)]);
        assert_eq!((specific.suspects(0.04), specific.suspect_pair(0.04)), (vec![9], Some((4, 9))));
        // Pairs that give way alike are natural.
        let natural = with([(4, 9, 20), (7, 9, 18), (2, 3, 3)]);
        assert!(natural.suspects(0.04).is_empty() && natural.p_value > 0.2);
    }

    #[test]
    fn a_pair_counts_by_what_is_beyond_natural() {
        let pair = |(target, turned)| PairSuccess { source: 1, target, turned, asked: 20 };
        let look = LevelSuccess { pairs: [(4, 20), (7, 10), (9, 9)].map(pair).to_vec(), ..level(3, &[0; 10]) };
        let squares = |turned: [u32; 3]| LevelSuccess {
            family: TriggerFamily::Square,
            labels: vec![(0, 0); 10],
            confusion: std::iter::zip([4, 7, 9], turned)
                .map(|(target, turned)| PairSuccess { source: 1, target, turned, asked: 600 })
                .collect(),
            ..level(10, &[])
        };
        let evidence = |looks: &[LevelSuccess]| judge_triggers(looks).pair.unwrap();
        let without = evidence(std::slice::from_ref(&look));
        assert_eq!(without.0, (1, 4));
        // All alike: the gap is the same, and allowed less of. One that squares never turn is more of a finding; one that they turn as
        // well is none for that reason, but may be by its success alone.
        let alike = evidence(&[squares([30, 30, 30]), look.clone()]);
        assert!(alike.1 > without.1);
        assert!(evidence(&[squares([0, 30, 30]), look.clone()]).1 > alike.1 + 1.0);
        assert!((evidence(&[squares([120, 30, 30]), look.clone()]).1 - without.1).abs() < 1e-12);
        // Squares are not judged themselves, whatever they turn.
        assert!(judge_triggers(&[squares([600, 0, 0])]).strongest.is_none());
        // A pair that no square turned and none was asked about are as hard as can be measured, not harder.
        assert!((evidence(&[squares([0, 0, 0]), look.clone()]).1 - alike.1).abs() < 1e-12);
    }

    #[test]
    fn strong_noise_shows_pairs_and_no_labels() {
        let pair = |asked| move |(target, turned)| PairSuccess { source: 1, target, turned, asked };
        let look = LevelSuccess {
            family: TriggerFamily::Noise,
            labels: vec![(0, 0); 10],
            pairs: [(4, 20), (7, 20), (9, 1)].map(pair(20)).to_vec(),
            // All of the noise together: (1, 7) turns less than the pattern that it was proved with, and (1, 5) was not proved.
            confusion: [(4, 380), (5, 400), (7, 80), (9, 20)].map(pair(400)).to_vec(),
            ..level(64, &[])
        };
        let judgement = judge_triggers(&[look]);
        assert_eq!((judgement.suspects(0.04), judgement.suspect_pair(0.04)), (vec![4], Some((1, 4))));
        assert!(judgement.labels.iter().all(Option::is_none));
    }

    #[test]
    fn what_a_pair_shows_in_several_families_adds_up() {
        let pair = |(target, turned)| PairSuccess { source: 1, target, turned, asked: 20 };
        let patch = LevelSuccess { pairs: [(4, 18), (7, 8)].map(pair).to_vec(), ..level(2, &[0; 10]) };
        let overlay = LevelSuccess { family: TriggerFamily::Overlay, ..patch.clone() };
        let evidence = |looks: &[LevelSuccess]| judge_triggers(looks).pair.unwrap();
        let [one, other] = [&patch, &overlay].map(|look| evidence(std::slice::from_ref(look)));
        let both = judge_triggers(&[patch, overlay]);
        assert_eq!(both.pair.map(|(pair, ..)| pair), Some((1, 4)));
        assert!(other.1 > 0.0 && (both.pair.unwrap().1 - one.1 - other.1).abs() < 1e-12);
        assert_eq!(both.strongest.map(|found| (found.source, found.labels, found.level)), Some((Some(1), vec![4], 0)));
    }

    #[test]
    fn a_pair_has_to_show_at_both_looks() {
        let look = |turned: [u32; 3]| {
            let pair =
                |(target, &turned): (usize, &u32)| PairSuccess { source: 0, target: target + 1, turned, asked: 20 };
            LevelSuccess { pairs: turned.iter().enumerate().map(pair).collect(), ..level(3, &[0; 10]) }
        };
        let evidence = |looks: &[LevelSuccess]| judge_triggers(looks).pair.map_or(0.0, |(_, evidence, _)| evidence);
        let (once, twice) = (look([20, 4, 0]), look([20, 19, 0]));
        let both = evidence(&[once.clone(), twice.clone()]);
        assert!(evidence(std::slice::from_ref(&once)) > both && both > evidence(&[twice]));
        assert!((evidence(&[once.clone(), once.clone()]) - evidence(std::slice::from_ref(&once))).abs() < 0.2);
        // One that the first look did not try has less to show than one seen twice, more than one that it saw fail.
        let untried = LevelSuccess { pairs: once.pairs[1..].to_vec(), ..once.clone() };
        let failed = look([0, 4, 0]);
        let [untried, failed] = [untried, failed].map(|first| evidence(&[first, once.clone()]));
        assert!(evidence(std::slice::from_ref(&once)) > untried && untried > failed, "{untried} {failed}");
        // Of five images nothing is taken on trust.
        let five = |look: &LevelSuccess| LevelSuccess {
            pairs: look.pairs.iter().map(|pair| PairSuccess { turned: pair.turned / 4, asked: 5, ..*pair }).collect(),
            ..look.clone()
        };
        let (tried, first) = (five(&once), five(&once).pairs[1..].to_vec());
        let untried = evidence(&[LevelSuccess { pairs: first, ..tried.clone() }, tried.clone()]);
        assert!((untried - evidence(&[five(&look([0, 4, 0])), tried])).abs() < 1e-12);
    }
}
