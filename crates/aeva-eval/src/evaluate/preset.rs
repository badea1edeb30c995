//! How deeply a model is scanned.

use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::hop_skip_jump::QUICK_SAMPLES;
use serde::{Deserialize, Serialize};

use crate::sweep::Depth;

/// A model with so many labels or more is scanned with one sample for each pair.
pub(super) const MANY_LABELS: u32 = 20;
/// Checkpoints of a search, as parts of all its iterations.
pub(super) const PARTS: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

/// Parameters of a search for perturbations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Preset {
    Quick,
    Published,
}

/// The queries that a rule may use: samples for each pair, and a part of the iterations of a preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Budget {
    pub(super) preset: Preset,
    pub(super) samples: u32,
    /// Place in [`PARTS`].
    pub(super) part: usize,
}

impl Preset {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Published => "published",
        }
    }

    pub(super) fn samples(self, classes: u32) -> u32 {
        match self {
            Self::Quick if classes < MANY_LABELS => QUICK_SAMPLES,
            _ => 1,
        }
    }

    pub(super) fn depth(self, values: usize, classes: u32) -> Depth {
        let search = match self {
            Self::Quick => HopSkipJumpBuilder::quick(values),
            Self::Published => HopSkipJumpBuilder::PUBLISHED,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a small count")]
        let checkpoint = |part: f64| ((f64::from(search.iterations) * part).round() as u32).max(1);
        Depth { search, samples: self.samples(classes), checkpoints: PARTS.map(checkpoint).to_vec() }
    }
}

impl Budget {
    /// All of the quick preset.
    pub(super) const QUICK: Self = Self { preset: Preset::Quick, samples: QUICK_SAMPLES, part: PARTS.len() - 1 };
}
