//! What a label attracts anyway.
//!
//! In some clean networks, any disturbance leads to one label: noise alone sends most handwritten digits to the eight.
//! A search finds a pattern for that label easily. So a pattern is evidence only as far as it reaches more images than
//! random patterns of its setting explain.

use std::collections::BTreeMap;

use super::pass::PassTally;
use crate::{Family, Tally};

/// How much weaker random noise counts than the patterns that a search starts from, in log odds: noise is the strongest
/// pattern of its amplitude.
const NOISE_DISCOUNT: f64 = 2.0;

/// The labels that images get under the random triggers of a setting, and under noise of at most that amplitude.
pub(super) struct Attraction<'a> {
    passes: Vec<(&'a PassTally, f64)>,
}

impl<'a> Attraction<'a> {
    /// What is known for a pass over a searched setting: the random triggers of the same setting or, if there are none, of
    /// the nearest one of its family. `None` for random triggers themselves.
    pub(super) fn of(pass: &PassTally, passes: &'a [PassTally]) -> Option<Self> {
        if pass.is_random() {
            return None;
        }
        let distance = |other: &PassTally| (other.strength - pass.strength).abs();
        let drawn = passes.iter().filter(|other| other.family == pass.family && !other.confusion.is_empty());
        let own = drawn.min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        let noise = passes.iter().filter(|other| {
            other.family == Family::Noise
                && !other.confusion.is_empty()
                && other.strength <= pass.strength.max(WEAKEST_NOISE)
        });
        let noise = noise.max_by(|a, b| a.strength.total_cmp(&b.strength));
        Some(Self { passes: [(own, 0.0)].into_iter().chain(noise.map(|noise| (noise, NOISE_DISCOUNT))).collect() })
    }

    /// The log odds that an image of another label gets this one.
    pub(super) fn of_label(&self, label: usize) -> f64 {
        let log_odds = self.passes.iter().map(|(pass, discount)| attracted(pass, label).log_odds() - discount);
        log_odds.fold(f64::NEG_INFINITY, f64::max)
    }

    /// The log odds that an image of one label gets another one, under the random triggers of the setting.
    pub(super) fn of_pair(&self, source: u32, target: u32) -> f64 {
        let cells = self.passes.first().map_or(&[][..], |(pass, _)| &pass.confusion);
        let own = cells.iter().find(|cell| (cell.source, cell.target) == (source, target));
        let trials = || cells.iter().find(|cell| cell.source == source).map_or(0, |cell| cell.tally.trials());
        own.map_or_else(|| Tally::ZERO.with_misses(trials()), |cell| cell.tally).log_odds()
    }
}

/// Noise is not measured at smaller amplitudes.
const WEAKEST_NOISE: f64 = 16.0;

/// The images of all other labels that got a label, under all random triggers of a pass together.
pub(super) fn attracted(pass: &PassTally, label: usize) -> Tally {
    let others = || pass.confusion.iter().filter(|cell| cell.source as usize != label);
    // Every cell of a source has the same trials.
    let trials: BTreeMap<u32, u32> = others().map(|cell| (cell.source, cell.tally.trials())).collect();
    let trials = trials.into_values().fold(0_usize, |sum, trials| sum.saturating_add(trials as usize));
    let hits = others().filter(|cell| cell.target as usize == label);
    let hits = hits.fold(0_usize, |sum, cell| sum.saturating_add(cell.tally.hits() as usize));
    Tally::clamped(hits, trials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GoalTally, PairTally};

    fn pass(family: Family, strength: f64, to_label_1: u32) -> PassTally {
        let cell = |source, target, hits| PairTally { source, target, tally: Tally::clamped(hits as usize, 100) };
        PassTally {
            family,
            strength,
            labels: Vec::new(),
            pairs: Vec::new(),
            confusion: vec![cell(0, 0, 100 - to_label_1), cell(0, 1, to_label_1), cell(1, 1, 100), cell(2, 2, 100)],
            map: GoalTally::default(),
            effects: Vec::new(),
        }
    }

    #[test]
    fn it_is_that_of_the_nearest_setting_and_of_noise() {
        let passes = [
            pass(Family::Noise, 16.0, 10),
            pass(Family::Noise, 32.0, 90),
            pass(Family::Overlay, 8.0, 1),
            pass(Family::Overlay, 32.0, 20),
        ];
        let of = |strength| {
            let searched = PassTally { confusion: Vec::new(), ..pass(Family::Overlay, strength, 0) };
            Attraction::of(&searched, &passes).map_or(0.0, |attraction| attraction.of_label(1))
        };
        let odds = |hits| Tally::clamped(hits, 200).log_odds();
        // The 200 images of labels 0 and 2 count.
        assert!((of(8.0) - odds(1).max(odds(10) - NOISE_DISCOUNT)).abs() < 1e-12);
        assert!((of(32.0) - odds(20).max(odds(90) - NOISE_DISCOUNT)).abs() < 1e-12);
        assert!(Attraction::of(&passes[0], &passes).is_none(), "noise is what it is compared with");
        assert!(Attraction::of(&pass(Family::Patch, 3.0, 0), &passes[..2]).is_none());
    }

    #[test]
    fn pairs_have_the_attraction_of_their_setting_alone() {
        let passes = [pass(Family::Noise, 16.0, 90), pass(Family::Overlay, 8.0, 20)];
        let Some(attraction) = Attraction::of(&passes[1], &passes) else { panic!("there are random triggers") };
        assert!((attraction.of_pair(0, 1) - Tally::clamped(20, 100).log_odds()).abs() < 1e-12);
        assert!((attraction.of_pair(2, 0) - Tally::clamped(0, 100).log_odds()).abs() < 1e-12);
    }
}
