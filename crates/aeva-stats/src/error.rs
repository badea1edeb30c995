//! Invalid inputs of the statistics.

use std::fmt;

/// Why a statistic is undefined. Every variant says what was found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StatsError {
    /// No values, although a median, a maximum or a share needs at least one.
    Empty,
    /// A perturbation's length is not a multiple of its channel count (or the channel count is zero).
    Channels {
        /// Values in the perturbation.
        values: usize,
        /// Number of channels given.
        channels: usize,
    },
    /// A perturbation has a different size from the earlier ones.
    Size {
        /// Pixels of this perturbation.
        found: usize,
        /// Pixels of the earlier ones.
        expected: usize,
    },
    /// More hits than trials.
    Tally {
        /// The hits that were given.
        hits: u32,
        /// The trials that were given.
        trials: u32,
    },
    /// A rate of false alarms outside the supported range.
    Rate {
        /// The rate that was given.
        found: f64,
    },
    /// A value is NaN or infinite.
    NotFinite {
        /// Its index in the input.
        index: usize,
    },
    /// The perturbation is zero everywhere, so it has no peak share.
    ZeroMass,
    /// The median absolute deviation is zero: at least half of the values are equal, so distances from the median
    /// cannot be expressed in units of it.
    ZeroDeviation,
    /// A pair of labels outside the matrix, or on its diagonal.
    Pair {
        /// The source label that was given.
        source: usize,
        /// The target label that was given.
        target: usize,
        /// Labels in the matrix.
        classes: usize,
    },
    /// The pair already has a score.
    DuplicatePair {
        /// The source label.
        source: usize,
        /// The target label.
        target: usize,
    },
}

impl fmt::Display for StatsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "no values were given; at least one is needed"),
            Self::Channels { values, channels } => {
                write!(f, "a perturbation of {values} values cannot be split into pixels of {channels} channels")
            }
            Self::Size { found, expected } => {
                write!(f, "the perturbation has {found} pixels, but earlier ones have {expected}")
            }
            Self::Tally { hits, trials } => {
                write!(f, "{hits} hits of {trials} trials: there cannot be more hits than trials")
            }
            Self::Rate { found } => write!(f, "the rate of false alarms is {found}, expected 0.0001 to 0.5"),
            Self::NotFinite { index } => write!(f, "value {index} is NaN or infinite"),
            Self::ZeroMass => write!(f, "the perturbation is zero everywhere, so it has no peak share"),
            Self::ZeroDeviation => {
                write!(f, "the median absolute deviation is zero: at least half of the values are equal")
            }
            Self::Pair { source, target, classes } => {
                write!(f, "pair {source} -> {target} is not an ordered pair of two different labels below {classes}")
            }
            Self::DuplicatePair { source, target } => write!(f, "pair {source} -> {target} was given twice"),
        }
    }
}

impl std::error::Error for StatsError {}
