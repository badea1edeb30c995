//! Margins, clean models and passes for tests, which do not change with the calibration.

use super::gap_test::test_triggers_with;
use super::pass::{GoalTally, PassTally, SearchedPair};
use super::standout::{Strongest, TriggerTest};
use crate::{Family, Margins, Offsets, PairTally, Reference, ReferenceModel, Tally};

pub(super) fn margins(family: Family) -> Margins {
    let none = Margins {
        labels: &[],
        levels: &[],
        pairs: &[],
        pairs_to_baseline: &[],
        maps: &[],
        excess: None,
        pair_excess: None,
        ..family.spec().margins
    };
    match family {
        Family::Patch => Margins {
            labels: &[(3.0, 0.0), (4.0, 0.5), (8.0, 2.0)],
            levels: &[(2.0, -1.0), (4.0, 2.0), (8.0, 3.0)],
            pairs: &[(3.0, 1.0), (8.0, 3.0)],
            pairs_to_baseline: &[(4.0, 0.75), (8.0, 2.0)],
            maps: &[(3.0, -2.5)],
            ..none
        },
        Family::Overlay => Margins { labels: &[(8.0, 1.0)], pairs: &[(8.0, 2.0)], excess: Some(&[(8.0, 4.0)]), ..none },
        Family::Noise => Margins { labels: &[(16.0, 2.0), (32.0, 3.0)], pairs: &[(64.0, 0.5)], ..none },
        Family::Wave | Family::Square | Family::Tone | Family::Corners | Family::Warp | Family::Dot => none,
    }
}

/// Forty clean models, comparable with ten labels and with 43, with evidence from -2 to 1.9.
pub(super) fn reference() -> Reference {
    let model = |at: i32| ReferenceModel { origin: None, labels: 20, evidence: f64::from(at) / 10.0 };
    Reference::of((-20..20).map(model).collect())
}

pub(super) fn test(passes: &[PassTally]) -> TriggerTest {
    test_triggers_with(passes, margins, Offsets { levels: 1.5, pairs: 0.0, maps: 0.0, selective: 1.5 }, &reference())
}

pub(super) fn strongest(passes: &[PassTally]) -> Strongest {
    match test(passes).strongest {
        Some(strongest) => strongest,
        None => panic!("nothing stands out"),
    }
}

pub(super) fn tally(hits: u32, trials: u32) -> Tally {
    Tally::clamped(hits as usize, trials as usize)
}

/// Success from each of nine labels alike, as far as the numbers allow.
pub(super) fn goal(hits: u32) -> GoalTally {
    let of_source = |source: u32| tally(hits / 9 + u32::from(source < hits % 9), 20);
    GoalTally { by_source: (0..9).map(of_source).collect(), climbed: true }
}

/// A pass over patches with these hits of 180 for each label.
pub(super) fn pass(strength: u32, hits: &[u32]) -> PassTally {
    PassTally {
        family: Family::Patch,
        strength: f64::from(strength),
        labels: hits.iter().map(|&hits| goal(hits)).collect(),
        pairs: Vec::new(),
        confusion: Vec::new(),
        map: tally(2, 200).into(),
        effects: Vec::new(),
    }
}

pub(super) fn cell(source: u32, target: u32, hits: u32, trials: u32) -> PairTally {
    PairTally { source, target, tally: tally(hits, trials) }
}

pub(super) fn pair(source: u32, target: u32, hits: u32, trials: u32) -> SearchedPair {
    SearchedPair { pair: cell(source, target, hits, trials), climbed: true }
}
