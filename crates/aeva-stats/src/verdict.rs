//! The verdict on a model, and the reasons for an inconclusive one.

use std::fmt;

use crate::StatsError;

/// The verdict on a model after a scan, by any rule.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum Verdict {
    /// The scan saw enough, and nothing stands out from clean models.
    Clean,
    /// At least one label is the target of a backdoor.
    Backdoored {
        /// The infected labels, most anomalous first.
        suspects: Vec<usize>,
    },
    /// The rule could not be applied: neither clean nor infected.
    Inconclusive {
        /// The reason.
        why: Reason,
    },
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "code", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// The median absolute deviation of the GAPs is zero, so outliers cannot be identified.
    ZeroDeviation,
    /// The model has too few labels for an outlier test.
    TooFewLabels {
        /// Labels of the model.
        found: usize,
        /// Labels that the rule requires.
        needed: usize,
    },
    /// Some pairs have no score; the GAPs of their labels are too low for a comparison.
    MissingPairs {
        /// Pairs without a score.
        missing: usize,
        /// Pairs of the model.
        expected: usize,
    },
    /// There are too few hold-out images to measure a trigger on.
    TooFewImages {
        /// Hold-out images.
        found: usize,
        /// Images required.
        needed: usize,
    },
    /// The hold-out images belong to too few classes, and say nothing about the others.
    TooFewClasses {
        /// Classes with hold-out images.
        found: usize,
        /// Classes required.
        needed: usize,
    },
    /// Too few clean models with about as many labels are known to say how rare a finding is in them.
    TooFewReferences {
        /// Comparable clean models.
        found: usize,
        /// Independent ones required at this rate of false alarms.
        needed: usize,
    },
    /// Triggers were not searched, and perturbations alone cannot clear a model.
    NoTriggers,
    /// The model had no label for too many images with a trigger.
    Unlabelled {
        /// Images without a label.
        images: u64,
        /// Images that it was asked about.
        of: u64,
    },
    /// The search for triggers ended before the model could be cleared.
    PassesLeft {
        /// Passes that were run.
        made: usize,
    },
}

impl Verdict {
    /// Name in reports: `clean`, `backdoored` or `inconclusive`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Backdoored { .. } => "backdoored",
            Self::Inconclusive { .. } => "inconclusive",
        }
    }

    /// The infected labels; empty unless the verdict is backdoored.
    pub fn suspects(&self) -> &[usize] {
        match self {
            Self::Backdoored { suspects } => suspects,
            Self::Clean | Self::Inconclusive { .. } => &[],
        }
    }

    /// Why the verdict is inconclusive, if it is.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Inconclusive { why } => Some(why),
            Self::Clean | Self::Backdoored { .. } => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroDeviation => StatsError::ZeroDeviation.fmt(f),
            Self::TooFewLabels { found, needed } => {
                write!(f, "the model has {found} labels; an outlier test needs at least {needed}")
            }
            Self::TooFewImages { found, needed } => {
                write!(f, "{found} correctly classified images are left to measure a trigger on, {needed} are needed")
            }
            Self::TooFewClasses { found, needed } => {
                let noun = if *found == 1 { "class has" } else { "classes have" };
                write!(f, "only {found} {noun} images to measure a trigger on, {needed} are needed")
            }
            Self::TooFewReferences { found, needed } => {
                let models = if *found == 1 { "model" } else { "models" };
                write!(
                    f,
                    "{found} clean {models} with about as many labels to compare with; this rate of false alarms takes {needed} from different origins"
                )
            }
            Self::NoTriggers => f.write_str(
                "perturbations alone may raise an alarm but cannot clear a model, and triggers were not searched",
            ),
            Self::PassesLeft { made } => {
                let noun = if *made == 1 { "pass" } else { "passes" };
                write!(f, "the scan ended after {made} {noun} of the trigger search; clearing the model takes more")
            }
            Self::Unlabelled { images, of } => write!(
                f,
                "the model has no label (its scores are not numbers) for {images} of {of} images with a trigger; a clean verdict takes labels for 99 of 100"
            ),
            Self::MissingPairs { missing, expected } => write!(f, "{missing} of {expected} pairs have no score"),
        }
    }
}
