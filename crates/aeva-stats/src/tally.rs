//! How often something happened, out of how many trials.

use crate::StatsError;

/// Hits of trials, for example the images that a trigger sent to its target label, of all images that it was stamped
/// on: the attack success rate as two whole numbers.
///
/// A tally never has more hits than trials, so no rate, odds or interval computed from it is NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Unchecked"))]
pub struct Tally {
    hits: u32,
    trials: u32,
}

impl Tally {
    /// No trials.
    pub const ZERO: Self = Self { hits: 0, trials: 0 };

    /// Creates a tally of `hits` of `trials`.
    ///
    /// # Errors
    /// [`StatsError::Tally`] if there are more hits than trials.
    pub fn new(hits: u32, trials: u32) -> Result<Self, StatsError> {
        if hits > trials { Err(StatsError::Tally { hits, trials }) } else { Ok(Self { hits, trials }) }
    }

    /// Creates a tally whose hits are limited to the trials, and both to 32 bits.
    pub fn clamped(hits: usize, trials: usize) -> Self {
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { hits: small(hits.min(trials)), trials: small(trials) }
    }

    /// Counts the trials for which `is_hit` is true.
    pub fn count(trials: impl IntoIterator<Item = bool>) -> Self {
        trials.into_iter().fold(Self::ZERO, |tally, is_hit| tally.plus(Self { hits: u32::from(is_hit), trials: 1 }))
    }

    /// Number of hits.
    pub fn hits(self) -> u32 {
        self.hits
    }

    /// Number of trials.
    pub fn trials(self) -> u32 {
        self.trials
    }

    /// Hits per trial, from 0 to 1; 0 without trials.
    pub fn rate(self) -> f64 {
        f64::from(self.hits) / f64::from(self.trials.max(1))
    }

    /// The odds of a hit, smoothed so that they are never 0 or infinite: `(hits + 1/2) / (trials - hits + 1/2)`.
    ///
    /// Source: J. B. S. Haldane, "The estimation and significance of the logarithm of a ratio of frequencies", Annals
    /// of Human Genetics 20 (1956).
    pub fn odds(self) -> f64 {
        (f64::from(self.hits) + 0.5) / (f64::from(self.trials - self.hits) + 0.5)
    }

    /// The logarithm of the [`odds`](Self::odds).
    pub fn log_odds(self) -> f64 {
        self.odds().ln()
    }

    /// The sum of two tallies, saturating.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let trials = self.trials.saturating_add(other.trials);
        Self { hits: self.hits.saturating_add(other.hits).min(trials), trials }
    }

    /// The same hits with `trials` additional trials, all of them misses.
    #[must_use]
    pub fn with_misses(self, trials: u32) -> Self {
        Self { trials: self.trials.saturating_add(trials), ..self }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::ZERO, Self::plus)
    }
}

/// A tally as read, before the check.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Unchecked {
    hits: u32,
    trials: u32,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for Tally {
    type Error = StatsError;

    fn try_from(Unchecked { hits, trials }: Unchecked) -> Result<Self, StatsError> {
        Self::new(hits, trials)
    }
}

/// How many images of one label a trigger sent to another label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PairTally {
    /// Label of the images.
    pub source: u32,
    /// Label that they should get.
    pub target: u32,
    /// Images that got it, of all images that the trigger was stamped on.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub tally: Tally,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_and_odds_are_the_textbooks() {
        let tally = Tally::new(3, 4).unwrap();
        assert!((tally.rate() - 0.75).abs() < 1e-15 && (tally.log_odds() - (3.5_f64 / 1.5).ln()).abs() < 1e-15);
        assert!(Tally::ZERO.rate().abs() < 1e-15 && Tally::ZERO.log_odds().abs() < 1e-15);
        assert_eq!(Tally::count([true, false, true]), Tally::new(2, 3).unwrap());
        assert_eq!(tally.with_misses(2), Tally::new(3, 6).unwrap());
        assert_eq!(Tally::clamped(5, 4), Tally::new(4, 4).unwrap());
        assert_eq!(Tally::new(5, 4), Err(StatsError::Tally { hits: 5, trials: 4 }));
    }

    #[test]
    fn sums_do_not_wrap() {
        let most = Tally::new(u32::MAX, u32::MAX).unwrap();
        assert_eq!([most, most, Tally::ZERO].into_iter().sum::<Tally>(), most);
        assert_eq!(most.with_misses(7), most);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn impossible_tallies_are_not_read() {
        let cell = PairTally { source: 1, target: 2, tally: Tally::new(3, 4).unwrap() };
        let text = serde_json::to_string(&cell).unwrap();
        assert_eq!(text, r#"{"source":1,"target":2,"hits":3,"trials":4}"#);
        assert_eq!(serde_json::from_str::<PairTally>(&text).unwrap(), cell);
        let error = serde_json::from_str::<Tally>(r#"{"hits":5,"trials":4}"#).unwrap_err();
        assert!(error.to_string().contains("5 hits of 4 trials"), "{error}");
    }

    proptest! {
        #[test]
        fn more_hits_are_higher_odds(trials in 1_u32.., part in 0.0..1.0_f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count")]
            let hits = (part * f64::from(trials)) as u32;
            let (fewer, more) = (Tally::new(hits, trials).unwrap(), Tally::new(hits + 1, trials).unwrap());
            prop_assert!(fewer.odds() <= more.odds() && fewer.log_odds().is_finite() && more.log_odds().is_finite());
        }
    }
}
