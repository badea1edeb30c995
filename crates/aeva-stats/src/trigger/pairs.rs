//! Pairs of labels: images of one label become one other label, as under a source-specific backdoor.
//!
//! Many pairs occur in clean models: a small patch makes fours into nines there, too. Such a pair gives way to any
//! patch that covers a part of the image, whereas random patches seldom hit the trigger of a backdoor. So the success
//! rate under random squares is the baseline of a pair.

use std::collections::BTreeMap;

use super::ahead::Ahead;
use super::attraction::Attraction;
use super::odds::{CAP, Success};
use super::pass::{PassTally, SearchedPair};
use super::standout::StandsOut;
use crate::PairTally;

/// Log odds under random squares cannot be measured below this: there are too few images.
const LOWEST_BASELINE: f64 = -5.0;

/// A pair takes part only if it was measured on this many images: close classes, such as two speed limits, give way on
/// five of five.
pub const PAIR_IMAGES_NEEDED: u32 = 10;

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

    fn of(&self, pair: &Measured) -> f64 {
        self.log_odds.get(&(pair.source, pair.target)).copied().unwrap_or(LOWEST_BASELINE)
    }
}

/// A pair over all passes over a setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    source: u32,
    target: u32,
    success: Success,
    /// Whether some pass searched it until its end.
    climbed: bool,
}

/// The pair that is furthest above the next one: by success rate or, with a baseline, by log odds ratio to it.
///
/// Both are needed: a backdoor that reacts to anything that covers a part of the image raises its own baseline. A trigger
/// that works from all labels shows many pairs, none of them far above the next. As a pair has few images, what it reaches
/// at least is compared with what the others reach at most.
///
/// Images of some labels are fragile: a small mark turns a one into a seven, and a slightly larger one into a four or a
/// six. A backdoor turns its images to one label alone. So `larger`, the pairs of slightly larger triggers, take part as
/// far as they have the same source.
pub(super) fn ahead(
    pairs: &[Measured],
    larger: &[Measured],
    baseline: Option<&Baseline>,
    attraction: Option<&Attraction<'_>>,
) -> Option<Ahead> {
    let natural = |pair: &Measured| baseline.map_or(0.0, |baseline| baseline.of(pair));
    let at_least = |pair: &Measured| pair.success.at_least() - natural(pair);
    // A pair that seldom gives way may be far above its baseline all the same, and must not hide one that always does.
    let takes_part = |pair: &&Measured| baseline.is_none() || pair.success.log_odds() >= 0.0;
    let mut sorted: Vec<&Measured> = pairs.iter().filter(takes_part).collect();
    let labels = |pair: &Measured| (pair.source, pair.target);
    sorted.sort_by(|a, b| at_least(b).total_cmp(&at_least(a)).then(labels(a).cmp(&labels(b))));
    let (&first, others) = sorted.split_first()?;
    if !first.climbed || !(others.is_empty() || others.iter().any(|pair| pair.climbed)) {
        return None;
    }
    // If there is no other pair, no candidate sent any other image to another label.
    let lowest = -CAP - baseline.map_or(0.0, |_| LOWEST_BASELINE);
    let &Measured { source, target, success, .. } = first;
    let is_fragile = |pair: &&Measured| pair.source == source && pair.target != target && takes_part(pair);
    let others = others.iter().copied().chain(larger.iter().filter(is_fragile));
    let next = others.map(|pair| pair.success.at_most() - natural(pair)).reduce(f64::max).unwrap_or(lowest);
    Some(Ahead {
        what: StandsOut::Pair { source, target },
        gap: at_least(first) - next,
        at_least: success.at_least(),
        excess: attraction.map(|attraction| success.log_odds() - attraction.of_pair(source, target)),
    })
}

/// The pairs of a setting that were measured on enough images, over all passes.
///
/// All passes measure on the same images, so they are one measurement and nothing adds up: the last pass that climbed for
/// a pair counts, because it tried hardest. What a later pass took over from an earlier one does not count again.
pub(super) fn measured<'a>(passes: impl Iterator<Item = &'a PassTally>) -> Vec<Measured> {
    let mut seen = BTreeMap::<(u32, u32), SearchedPair>::new();
    for (place, pass) in passes.enumerate() {
        for searched in counted(pass).into_iter().filter(|searched| place == 0 || searched.climbed) {
            seen.insert((searched.pair.source, searched.pair.target), searched);
        }
    }
    let success = |((source, target), SearchedPair { pair, climbed })| {
        let success = Success::of(pair.tally);
        Measured { source, target, success, climbed }
    };
    seen.into_iter().map(success).collect()
}

/// What counts in a pass, of the pairs that were measured on enough images. After a search, it is the best trigger of
/// every pair. For random triggers, it is all of them together: these are many more trials than those of a single
/// trigger, but on the same images.
fn counted(pass: &PassTally) -> Vec<SearchedPair> {
    let enough = pass.pairs.iter().filter(|searched| searched.pair.tally.trials() >= PAIR_IMAGES_NEEDED);
    if !pass.is_random() {
        return enough.copied().collect();
    }
    let enough: Vec<(u32, u32)> = enough.map(|searched| (searched.pair.source, searched.pair.target)).collect();
    let cells = pass.confusion.iter().filter(|cell| enough.contains(&(cell.source, cell.target)));
    cells.map(|&pair| SearchedPair { pair, climbed: true }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::trigger::examples::{cell, pair, pass, test};
    use crate::{Family, GoalTally, StandsOut};

    /// Evidence of the pair that stands out most.
    fn evidence(passes: &[PassTally]) -> f64 {
        test(passes).pair.map_or(0.0, |pair| pair.standout.evidence)
    }

    #[test]
    fn a_pair_far_above_the_others_is_source_specific() {
        let with = |hits: [(u32, u32, u32); 3]| {
            let pairs = hits.map(|(source, target, hits)| pair(source, target, hits, 40)).to_vec();
            test(&[PassTally { pairs, ..pass(2, &[20, 18, 16, 15, 9, 8, 7, 0, 0, 0]) }])
        };
        let specific = with([(4, 9, 40), (1, 8, 6), (2, 3, 3)]);
        assert_eq!((specific.suspects(0.04), specific.suspect_pair(0.04)), (vec![9], Some((4, 9))));
        // Pairs with similar rates do not stand out.
        let similar = with([(4, 9, 40), (7, 9, 36), (2, 3, 3)]);
        assert!(similar.suspects(0.04).is_empty() && similar.p_value > 0.2);
    }

    #[test]
    fn a_pair_counts_by_its_ratio_to_the_baseline() {
        let pairs = vec![pair(1, 4, 20, 20), pair(1, 7, 10, 20), pair(1, 9, 9, 20)];
        let patches = PassTally { pairs, ..pass(3, &[0; 10]) };
        let squares = |hits: [u32; 3]| PassTally {
            family: Family::Square,
            labels: vec![GoalTally::default(); 10],
            confusion: std::iter::zip([4, 7, 9], hits).map(|(target, hits)| cell(1, target, hits, 600)).collect(),
            ..pass(10, &[])
        };
        let without = evidence(std::slice::from_ref(&patches));
        let found = test(std::slice::from_ref(&patches)).pair.unwrap();
        assert_eq!((found.source, found.target), (1, 4));
        // With the same baseline for all, the gap is the same and the margin smaller. A pair that no square reaches is
        // stronger evidence. A pair that squares reach as well is no evidence by its ratio, but may be by its success
        // rate.
        let alike = evidence(&[squares([30, 30, 30]), patches.clone()]);
        assert!(alike > without);
        assert!(evidence(&[squares([0, 30, 30]), patches.clone()]) > alike + 1.0);
        assert!((evidence(&[squares([120, 30, 30]), patches.clone()]) - without).abs() < 1e-12);
        // Squares themselves are not tested, whatever they reach.
        assert!(test(&[squares([600, 0, 0])]).strongest.is_none());
        // Pairs that no square reached all have the lowest baseline that can be measured.
        assert!((evidence(&[squares([0, 0, 0]), patches.clone()]) - alike).abs() < 1e-12);
    }

    /// Squares never turn two into nine, so that a third of the images is far above the baseline.
    #[test]
    fn a_pair_that_seldom_gives_way_hides_no_other() {
        let with = |often: u32| {
            let patches = PassTally { pairs: vec![pair(1, 4, 40, 40), pair(2, 9, often, 40)], ..pass(3, &[0; 10]) };
            let squares = PassTally {
                family: Family::Square,
                labels: vec![GoalTally::default(); 10],
                confusion: vec![cell(1, 4, 210, 600), cell(2, 9, 0, 600)],
                ..pass(10, &[])
            };
            let baseline = Baseline::new(&[squares]);
            ahead(&measured([&patches].into_iter()), &[], baseline.as_ref(), None).unwrap().what
        };
        assert_eq!(with(13), StandsOut::Pair { source: 1, target: 4 });
        assert_eq!(with(30), StandsOut::Pair { source: 2, target: 9 });
    }

    /// A slightly larger patch that turns the images of the source to a third label shows that these are fragile.
    #[test]
    fn a_source_that_gives_way_to_others_is_fragile() {
        let small = || PassTally { pairs: vec![pair(1, 7, 40, 40), pair(3, 5, 2, 40)], ..pass(2, &[0; 10]) };
        let with = |strength, source, target, hits| {
            let pairs = vec![pair(1, 7, 40, 40), pair(source, target, hits, 40)];
            evidence(&[small(), PassTally { pairs, ..pass(strength, &[0; 10]) }])
        };
        let alone = evidence(&[small()]);
        assert!(alone > 2.0 && with(3, 1, 4, 39) < 0.0);
        assert!(with(3, 1, 4, 0) >= alone, "to no other label");
        assert!((with(3, 4, 9, 40) - alone).abs() < 1e-12, "of another source");
        assert!((with(4, 1, 4, 39) - alone).abs() < 1e-12, "twice as large is not slightly larger");
    }

    #[test]
    fn strong_noise_shows_pairs_and_no_labels() {
        let noise = PassTally {
            family: Family::Noise,
            labels: vec![GoalTally::default(); 10],
            pairs: vec![pair(1, 4, 20, 20), pair(1, 7, 20, 20), pair(1, 9, 1, 20)],
            // All of the noise together: (1, 7) has a lower rate than its measured pattern, and (1, 5) was not
            // measured.
            confusion: [(4, 380), (5, 400), (7, 80), (9, 20)].map(|(target, hits)| cell(1, target, hits, 400)).to_vec(),
            ..pass(64, &[])
        };
        let test = test(&[noise]);
        assert_eq!((test.suspects(0.04), test.suspect_pair(0.04)), (vec![4], Some((1, 4))));
        assert!(test.labels.iter().all(Option::is_none));
    }

    #[test]
    fn evidence_of_a_pair_adds_up_over_families() {
        let pairs = vec![pair(1, 4, 39, 40), pair(1, 7, 2, 40)];
        let patch = PassTally { pairs, ..pass(2, &[0; 10]) };
        let overlay = PassTally { family: Family::Overlay, ..patch.clone() };
        let [one, other] = [&patch, &overlay].map(|pass| evidence(std::slice::from_ref(pass)));
        let both = test(&[patch, overlay]);
        let found = both.pair.unwrap();
        assert_eq!((found.source, found.target), (1, 4));
        assert!(other > 0.0 && (found.standout.evidence - one - other).abs() < 1e-12);
        let strongest = both.strongest.unwrap();
        assert_eq!((strongest.what, strongest.standout.pass), (StandsOut::Pair { source: 1, target: 4 }, 0));
    }

    /// Passes over one setting measure on the same images: nothing is counted twice, and what a later pass did not search
    /// again counts as before.
    #[test]
    fn the_last_pass_that_climbed_for_a_pair_counts() {
        let with = |hits: [u32; 3], climbed: [bool; 3]| {
            let pairs = (1..).zip(hits).zip(climbed);
            let searched = |((target, hits), climbed)| SearchedPair { climbed, ..pair(0, target, hits, 20) };
            PassTally { pairs: pairs.map(searched).collect(), ..pass(3, &[0; 10]) }
        };
        let first = with([16, 4, 0], [true; 3]);
        let alone = evidence(std::slice::from_ref(&first));
        let taken_over = with([16, 4, 0], [false; 3]);
        assert!((evidence(&[first.clone(), taken_over]) - alone).abs() < 1e-12);
        assert!((evidence(&[first.clone(), first.clone()]) - alone).abs() < 1e-12);
        let harder = with([20, 4, 0], [true, true, false]);
        assert!(evidence(&[first.clone(), harder]) > alone + 0.5);
        let both_harder = with([20, 19, 0], [true, true, false]);
        assert!(evidence(&[first, both_harder]) < 0.0);
    }

    #[test]
    fn a_pair_needs_another_that_was_searched_as_hard() {
        let only = |pairs: Vec<SearchedPair>| test(&[PassTally { pairs, ..pass(3, &[0; 10]) }]).pair;
        let left_behind = SearchedPair { climbed: false, ..pair(1, 4, 2, 20) };
        assert_eq!(only(vec![pair(0, 3, 20, 20), left_behind]), None);
        assert!(only(vec![pair(0, 3, 20, 20), left_behind, pair(2, 5, 1, 20)]).is_some());
        // No candidate sent any image along another pair: that is as good as a pair without success.
        assert!(only(vec![pair(0, 3, 20, 20)]).is_some_and(|found| found.standout.evidence > 1.9));
    }

    /// With 43 labels there are five hold-out images of each, and with hundreds one: 3 of 5, 2 of 2 or 1 of 1 were alarms.
    #[test]
    fn a_pair_on_few_images_is_no_evidence() {
        let with = |images: u32| {
            let pairs =
                [images, 0, 0].into_iter().zip(1..).map(|(hits, target)| pair(0, target, hits, images)).collect();
            test(&[PassTally { pairs, ..pass(2, &[3; 43]) }])
        };
        for few in [1, 2, 5, 9] {
            assert_eq!((with(few).pair, with(few).suspect_pair(0.04)), (None, None), "{few} images");
        }
        assert_eq!(with(10).suspect_pair(0.04), Some((0, 1)));
        // Many trials on the same five images are still five images.
        let noise = PassTally {
            family: Family::Noise,
            labels: vec![GoalTally::default(); 43],
            pairs: vec![pair(1, 4, 5, 5), pair(1, 7, 0, 5)],
            confusion: [(4, 190), (7, 5)].map(|(target, hits)| cell(1, target, hits, 200)).to_vec(),
            ..pass(64, &[])
        };
        assert_eq!(test(&[noise]).pair, None);
    }
}
