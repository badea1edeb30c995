//! Pairs of labels: images of one label become one other label, as under a source-specific backdoor.
//!
//! Many pairs occur in clean models: a small patch makes fours into nines there, too. Such a pair gives way to any
//! patch that covers a part of the image, whereas random patches seldom hit the trigger of a backdoor. So the success
//! rate under random squares is the baseline of a pair.

use std::collections::BTreeMap;

use super::labels::limited_by_rate;
use super::odds::log_odds;
use super::pass::PassTally;
use crate::{PairTally, Tally};

/// Log odds under random squares cannot be measured below this: there are too few images.
const LOWEST_BASELINE: f64 = -5.0;

/// A pair takes part only if it was measured on this many images: close classes, such as two speed limits, give way on
/// five of five.
pub const PAIR_IMAGES_NEEDED: u32 = 10;

/// A pair that stands out from all other pairs of its setting.
pub(super) struct Pair {
    pub(super) source: u32,
    pub(super) target: u32,
    /// Gap to the next pair, minus the margin.
    pub(super) evidence: f64,
}

/// Log odds that images of one label become another label under random squares in this model.
pub(super) struct Baseline {
    log_odds: BTreeMap<(u32, u32), f64>,
}

impl Baseline {
    /// Built from the passes over baseline families; `None` if there are none.
    pub(super) fn new(passes: &[PassTally]) -> Option<Self> {
        let squares = passes.iter().filter(|pass| pass.family.spec().is_baseline);
        let log_odds = |cell: &PairTally| ((cell.source, cell.target), cell.tally.log_odds().max(LOWEST_BASELINE));
        let log_odds: BTreeMap<(u32, u32), f64> = squares.flat_map(|pass| &pass.confusion).map(log_odds).collect();
        (!log_odds.is_empty()).then_some(Self { log_odds })
    }

    fn of(&self, pair: &PairTally) -> f64 {
        self.log_odds.get(&(pair.source, pair.target)).copied().unwrap_or(LOWEST_BASELINE)
    }
}

/// The pairs that stand out from all passes over one setting: one by success rate and, in families that are compared
/// with the baseline, one by log odds ratio to it.
///
/// Both are needed: a backdoor that reacts to anything that covers a part of the image raises its own baseline.
pub(super) fn standouts<'a>(passes: impl Iterator<Item = &'a PassTally>, baseline: Option<&Baseline>) -> Vec<Pair> {
    let passes: Vec<&PassTally> = passes.collect();
    let Some(&&PassTally { family, strength, .. }) = passes.first() else { return Vec::new() };
    let margins = &family.spec().margins;
    let pairs = pooled(&passes);
    let plain = first(&pairs, None, margins.of_pairs(strength), margins.minimum_pair_rate);
    let to_baseline = baseline
        .zip(margins.of_pairs_to_baseline(strength))
        .and_then(|(baseline, margin)| first(&pairs, Some(baseline), margin, margins.minimum_pair_rate));
    plain.into_iter().chain(to_baseline).collect()
}

/// The pair that is furthest above the next one.
///
/// A trigger that works from all labels shows many pairs, none of them far above the next.
fn first(pairs: &[PairTally], baseline: Option<&Baseline>, margin: f64, minimum_rate: f64) -> Option<Pair> {
    let mut sorted: Vec<(f64, f64, &PairTally)> = pairs
        .iter()
        .filter(|pair| pair.tally.trials() > 0)
        .map(|pair| {
            let success = log_odds(pair.tally);
            (success - baseline.map_or(0.0, |baseline| baseline.of(pair)), success, pair)
        })
        .collect();
    let labels = |pair: &PairTally| (pair.source, pair.target);
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(labels(a.2).cmp(&labels(b.2))));
    match sorted.as_slice() {
        &[(above, success, first), (next, ..), ..] => {
            let evidence = limited_by_rate(above - next - margin, success, minimum_rate);
            Some(Pair { source: first.source, target: first.target, evidence })
        }
        _ => None,
    }
}

/// What counts in a pass, of the pairs that were measured on enough images. After a search, it is the best trigger of
/// every pair. For random triggers, it is all of them together: these are many more trials than those of a single
/// trigger, but on the same images.
fn counted(pass: &PassTally) -> Vec<PairTally> {
    let measured = pass.pairs.iter().filter(|pair| pair.tally.trials() >= PAIR_IMAGES_NEEDED);
    if pass.confusion.is_empty() {
        return measured.copied().collect();
    }
    let measured: Vec<(u32, u32)> = measured.map(|pair| (pair.source, pair.target)).collect();
    pass.confusion.iter().filter(|cell| measured.contains(&(cell.source, cell.target))).copied().collect()
}

/// The pairs of all passes over a setting, added up.
///
/// A pass that did not search a pair counts as trials without a hit, because luck in one pass seldom repeats in
/// another. It counts half, because it may just not have tried that pair.
fn pooled(passes: &[&PassTally]) -> Vec<PairTally> {
    let mut sums = BTreeMap::<(u32, u32), (Tally, u32)>::new();
    for pair in passes.iter().flat_map(|pass| counted(pass)) {
        let (sum, seen) = sums.entry((pair.source, pair.target)).or_default();
        *sum = sum.plus(pair.tally);
        *seen += 1;
    }
    let count = u32::try_from(passes.len()).unwrap_or(u32::MAX);
    let all = |((source, target), (sum, seen)): ((u32, u32), (Tally, u32))| {
        let missed = count.saturating_sub(seen).saturating_mul(sum.trials()) / seen.max(1);
        PairTally { source, target, tally: sum.with_misses(missed / 2) }
    };
    sums.into_iter().map(all).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::{Family, StandsOut, test_triggers};

    fn tally(hits: u32, trials: u32) -> Tally {
        Tally::new(hits, trials).unwrap()
    }

    fn pair(source: u32, target: u32, hits: u32, trials: u32) -> PairTally {
        PairTally { source, target, tally: tally(hits, trials) }
    }

    fn pass(strength: u32, hits: &[u32]) -> PassTally {
        PassTally {
            family: Family::Patch,
            strength: f64::from(strength),
            labels: hits.iter().map(|&hits| tally(hits, 180)).collect(),
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: tally(10, 200),
        }
    }

    /// Evidence of the pair that stands out most.
    fn evidence(passes: &[PassTally]) -> f64 {
        test_triggers(passes).pair.map_or(0.0, |pair| pair.standout.evidence)
    }

    #[test]
    fn a_pair_far_above_the_others_is_source_specific() {
        let with = |hits: [(u32, u32, u32); 3]| {
            let pairs = hits.map(|(source, target, hits)| pair(source, target, hits, 20)).to_vec();
            test_triggers(&[PassTally { pairs, ..pass(3, &[20, 18, 16, 15, 9, 8, 7, 0, 0, 0]) }])
        };
        let specific = with([(4, 9, 20), (1, 8, 6), (2, 3, 3)]);
        assert_eq!((specific.suspects(0.04), specific.suspect_pair(0.04)), (vec![9], Some((4, 9))));
        // Pairs with similar rates do not stand out.
        let similar = with([(4, 9, 20), (7, 9, 18), (2, 3, 3)]);
        assert!(similar.suspects(0.04).is_empty() && similar.p_value > 0.2);
    }

    #[test]
    fn a_pair_counts_by_its_ratio_to_the_baseline() {
        let pairs = vec![pair(1, 4, 20, 20), pair(1, 7, 10, 20), pair(1, 9, 9, 20)];
        let patches = PassTally { pairs, ..pass(3, &[0; 10]) };
        let squares = |hits: [u32; 3]| PassTally {
            family: Family::Square,
            labels: vec![Tally::ZERO; 10],
            confusion: std::iter::zip([4, 7, 9], hits).map(|(target, hits)| pair(1, target, hits, 600)).collect(),
            ..pass(10, &[])
        };
        let without = evidence(std::slice::from_ref(&patches));
        let found = test_triggers(std::slice::from_ref(&patches)).pair.unwrap();
        assert_eq!((found.source, found.target), (1, 4));
        // With the same baseline for all, the gap is the same and the margin smaller. A pair that no square reaches is
        // stronger evidence. A pair that squares reach as well is no evidence by its ratio, but may be by its success
        // rate.
        let alike = evidence(&[squares([30, 30, 30]), patches.clone()]);
        assert!(alike > without);
        assert!(evidence(&[squares([0, 30, 30]), patches.clone()]) > alike + 1.0);
        assert!((evidence(&[squares([120, 30, 30]), patches.clone()]) - without).abs() < 1e-12);
        // Squares themselves are not tested, whatever they reach.
        assert!(test_triggers(&[squares([600, 0, 0])]).strongest.is_none());
        // Pairs that no square reached all have the lowest baseline that can be measured.
        assert!((evidence(&[squares([0, 0, 0]), patches.clone()]) - alike).abs() < 1e-12);
    }

    #[test]
    fn strong_noise_shows_pairs_and_no_labels() {
        let noise = PassTally {
            family: Family::Noise,
            labels: vec![Tally::ZERO; 10],
            pairs: vec![pair(1, 4, 20, 20), pair(1, 7, 20, 20), pair(1, 9, 1, 20)],
            // All of the noise together: (1, 7) has a lower rate than its measured pattern, and (1, 5) was not
            // measured.
            confusion: [(4, 380), (5, 400), (7, 80), (9, 20)].map(|(target, hits)| pair(1, target, hits, 400)).to_vec(),
            ..pass(64, &[])
        };
        let test = test_triggers(&[noise]);
        assert_eq!((test.suspects(0.04), test.suspect_pair(0.04)), (vec![4], Some((1, 4))));
        assert!(test.labels.iter().all(Option::is_none));
    }

    #[test]
    fn evidence_of_a_pair_adds_up_over_families() {
        let pairs = vec![pair(1, 4, 18, 20), pair(1, 7, 8, 20)];
        let patch = PassTally { pairs, ..pass(2, &[0; 10]) };
        let overlay = PassTally { family: Family::Overlay, ..patch.clone() };
        let [one, other] = [&patch, &overlay].map(|pass| evidence(std::slice::from_ref(pass)));
        let both = test_triggers(&[patch, overlay]);
        let found = both.pair.unwrap();
        assert_eq!((found.source, found.target), (1, 4));
        assert!(other > 0.0 && (found.standout.evidence - one - other).abs() < 1e-12);
        let strongest = both.strongest.unwrap();
        assert_eq!((strongest.what, strongest.standout.pass), (StandsOut::Pair { source: 1, target: 4 }, 0));
    }

    #[test]
    fn a_pair_has_to_show_in_both_passes() {
        let with = |hits: [u32; 3]| {
            let pairs = (1..).zip(hits).map(|(target, hits)| pair(0, target, hits, 20)).collect();
            PassTally { pairs, ..pass(3, &[0; 10]) }
        };
        let (once, twice) = (with([20, 4, 0]), with([20, 19, 0]));
        let both = evidence(&[once.clone(), twice.clone()]);
        assert!(evidence(std::slice::from_ref(&once)) > both && both > evidence(&[twice]));
        assert!((evidence(&[once.clone(), once.clone()]) - evidence(std::slice::from_ref(&once))).abs() < 0.2);
        // A pair that the first pass did not try has less evidence than one seen twice, but more than one that failed
        // there.
        let untried = PassTally { pairs: once.pairs[1..].to_vec(), ..once.clone() };
        let failed = with([0, 4, 0]);
        let [untried, failed] = [untried, failed].map(|first| evidence(&[first, once.clone()]));
        assert!(evidence(std::slice::from_ref(&once)) > untried && untried > failed, "{untried} {failed}");
    }

    /// With 43 labels there are five hold-out images of each, and with hundreds one: 3 of 5, 2 of 2 or 1 of 1 were alarms.
    #[test]
    fn a_pair_on_few_images_is_no_evidence() {
        let with = |images: u32| {
            let pairs =
                [images, 0, 0].into_iter().zip(1..).map(|(hits, target)| pair(0, target, hits, images)).collect();
            test_triggers(&[PassTally { pairs, ..pass(2, &[3; 43]) }])
        };
        for few in [1, 2, 5, 9] {
            assert_eq!((with(few).pair, with(few).suspect_pair(0.04)), (None, None), "{few} images");
        }
        assert_eq!(with(10).suspect_pair(0.04), Some((0, 1)));
        // Many trials on the same five images are still five images.
        let noise = PassTally {
            family: Family::Noise,
            labels: vec![Tally::ZERO; 43],
            pairs: vec![pair(1, 4, 5, 5), pair(1, 7, 0, 5)],
            confusion: [(4, 190), (7, 5)].map(|(target, hits)| pair(1, target, hits, 200)).to_vec(),
            ..pass(64, &[])
        };
        assert_eq!(test_triggers(&[noise]).pair, None);
    }
}
