//! Log odds of success, capped to what the hold-out images can show.

use super::limits::IMAGES_NEEDED;
use super::pass::GoalTally;
use crate::Tally;

/// There are too few hold-out images to measure log odds beyond this.
pub(super) const CAP: f64 = 3.0;

/// With fewer labels, a map has to turn all of them.
const LABELS_OF_A_MAP: usize = 6;

/// How often a trigger reaches its goal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Success {
    /// Smoothed log odds.
    exact: f64,
    /// Their standard error. Source: as for [`Tally::odds`].
    error: f64,
}

impl Success {
    /// From hits, which may come from a mean of rates and so be no whole number, of trials.
    fn new(hits: f64, trials: f64) -> Self {
        let (hits, misses) = (hits + 0.5, trials - hits + 0.5);
        Self { exact: (hits / misses).ln(), error: (1.0 / hits + 1.0 / misses).sqrt() }
    }

    /// Success on the images of one label.
    pub(super) fn of(tally: Tally) -> Self {
        Self::new(f64::from(tally.hits()), f64::from(tally.trials()))
    }

    /// Success of a trigger that should work on the images of every label; `None` on too few images.
    ///
    /// Every source label counts alike, however many images it has, and the one that gives way most is left out: a
    /// natural pair of labels must not look like a trigger for all. With three labels, such a pair is half of the
    /// images.
    pub(super) fn of_goal(goal: &GoalTally) -> Option<Self> {
        if goal.pooled().trials() < IMAGES_NEEDED {
            return None;
        }
        let mut rates: Vec<f64> =
            goal.by_source.iter().filter(|source| source.trials() > 0).map(|source| source.rate()).collect();
        rates.sort_by(f64::total_cmp);
        let (sources, kept) = (rates.len(), rates.len().saturating_sub(1).max(1));
        rates.truncate(kept);
        let trials = f64::from(goal.pooled().trials()) * kept as f64 / sources.max(1) as f64;
        Some(Self::new(trials * rates.iter().sum::<f64>() / kept as f64, trials))
    }

    /// Success of a map of labels; `None` on too few images. With few labels, two that swap are most of the map, so that
    /// it has to turn the images of every label.
    pub(super) fn of_map(map: &GoalTally) -> Option<Self> {
        let measured = || map.by_source.iter().copied().filter(|source| source.trials() > 0);
        if measured().count() >= LABELS_OF_A_MAP || map.pooled().trials() < IMAGES_NEEDED {
            return Self::of_goal(map);
        }
        let hardest = measured().map(Tally::rate).reduce(f64::min)?;
        let trials = f64::from(map.pooled().trials());
        Some(Self::new(trials * hardest, trials))
    }

    /// Log odds, capped.
    pub(super) fn log_odds(self) -> f64 {
        self.exact.clamp(-CAP, CAP)
    }

    /// Log odds less their standard error, capped.
    pub(super) fn at_least(self) -> f64 {
        (self.exact - self.error).clamp(-CAP, CAP)
    }

    /// Log odds and their standard error, capped.
    pub(super) fn at_most(self) -> f64 {
        (self.exact + self.error).clamp(-CAP, CAP)
    }
}

/// The log odds of a rate.
pub(super) fn logit(rate: f64) -> f64 {
    (rate / (1.0 - rate)).ln()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tally(hits: u32, trials: u32) -> Tally {
        Tally::new(hits, trials).unwrap()
    }

    fn goal(by_source: &[(u32, u32)]) -> GoalTally {
        GoalTally { by_source: by_source.iter().map(|&(hits, trials)| tally(hits, trials)).collect(), climbed: true }
    }

    /// 17 of 20 images of one label and one other image of nine: 18 of 29 together, but one label alone.
    #[test]
    fn a_natural_pair_is_no_trigger_for_all_labels() {
        let unbalanced: Vec<(u32, u32)> = [(17, 20), (1, 1)].into_iter().chain([(0, 1); 8]).collect();
        let pooled = Success::of(goal(&unbalanced).pooled());
        let balanced = Success::of_goal(&goal(&unbalanced)).unwrap();
        assert!(pooled.log_odds() > 0.3 && balanced.log_odds() < -1.5, "{pooled:?} {balanced:?}");
        // With three labels, a pair that gives way is half of the images.
        assert!(Success::of_goal(&goal(&[(20, 20), (0, 20)])).unwrap().log_odds() < -2.9);
        assert!(Success::of_goal(&goal(&[(20, 20), (20, 20)])).unwrap().log_odds() > 2.9);
    }

    #[test]
    fn a_map_of_few_labels_has_to_turn_them_all() {
        let log_odds = |by_source: &[(u32, u32)]| Success::of_map(&goal(by_source)).unwrap().log_odds();
        assert!(log_odds(&[(20, 20), (20, 20), (0, 20)]) < -2.9 && log_odds(&[(20, 20), (20, 20), (18, 20)]) > 1.9);
        let most = [[(20, 20); 8].as_slice(), &[(0, 20); 2]].concat();
        assert!((log_odds(&most) - Success::of_goal(&goal(&most)).unwrap().log_odds()).abs() < 1e-12);
        assert_eq!(Success::of_map(&goal(&[(9, 9), (10, 10)])), None, "19 images are too few");
    }

    #[test]
    fn what_is_the_same_for_all_labels_stays_the_same() {
        let same = Success::of_goal(&goal(&[(5, 20); 9])).unwrap();
        assert!((same.log_odds() - Success::of(tally(40, 160)).log_odds()).abs() < 1e-12);
        assert_eq!(Success::of_goal(&goal(&[(1, 9), (0, 10)])), None, "19 images are too few");
        assert_eq!(Success::of_goal(&goal(&[(20, 20)])).unwrap(), Success::of(tally(20, 20)));
    }

    proptest! {
        #[test]
        fn log_odds_and_errors_are_finite(hits in 0_u32..=u32::MAX, more in 0_u32..=u32::MAX) {
            let found = Success::of(tally(hits.min(more), more));
            let [least, middle, most] = [found.at_least(), found.log_odds(), found.at_most()];
            prop_assert!(-CAP <= least && least <= middle && middle <= most && most <= CAP);
        }
    }
}
