//! How strong a trigger may be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A family of triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// A square of pixels that replaces what is there.
    Patch,
    /// A pattern that is added to the whole image.
    Overlay,
    /// A random sine added to the whole image, as it comes: nothing is improved.
    Wave,
    /// Random noise added to the whole image, likewise.
    Noise,
    /// A random square of pixels at a random place, likewise.
    Square,
}

impl Family {
    /// Whether its triggers are random as they come, none of them improved.
    pub fn is_random(self) -> bool {
        matches!(self, Self::Wave | Self::Noise | Self::Square)
    }
}

/// A family at one strength, independent of the size of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Level {
    /// What kind of trigger.
    pub family: Family,
    /// Patch and square: side in pixels of an image that is 32 pixels wide; others: amplitude in 255ths.
    pub strength: u32,
}

/// How thoroughly a level was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// All labels, going up from weak to strong.
    #[default]
    First,
    /// What stood out, longer, going down from strong to weak.
    Second,
}

/// Single pixels.
const FINEST: Level = Level { family: Family::Patch, strength: 1 };

const LEVELS: [Level; 14] = [
    Level { family: Family::Wave, strength: 8 },
    Level { family: Family::Noise, strength: 16 },
    Level { family: Family::Noise, strength: 32 },
    Level { family: Family::Noise, strength: 64 },
    Level { family: Family::Square, strength: 10 },
    FINEST,
    Level { family: Family::Patch, strength: 2 },
    Level { family: Family::Patch, strength: 3 },
    Level { family: Family::Patch, strength: 4 },
    Level { family: Family::Patch, strength: 6 },
    Level { family: Family::Patch, strength: 8 },
    Level { family: Family::Overlay, strength: 8 },
    Level { family: Family::Overlay, strength: 16 },
    Level { family: Family::Overlay, strength: 32 },
];

/// Side of the images for which patch strengths are sides in pixels.
const REFERENCE_SIDE: usize = 32;

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::Patch => "patch",
            Family::Overlay => "overlay",
            Family::Wave => "wave",
            Family::Noise => "noise",
            Family::Square => "square",
        };
        write!(f, "{family}-{:02}", self.strength)
    }
}

impl Level {
    /// Every level there is, within a family from weak to strong.
    pub const EVERY: [Self; 14] = LEVELS;

    /// The levels of a first look at images `[h, w, c]`, in order: random patterns, which cost little, then those that are searched;
    /// within a family each may begin with what the weaker one found. On small images different strengths may be the same side; the
    /// first of them stays.
    pub fn all(shape: [usize; 3]) -> Vec<Self> {
        let mut levels: Vec<Self> = LEVELS.into_iter().filter(|&level| level != FINEST).collect();
        levels.dedup_by_key(|level| match level.family {
            Family::Patch | Family::Square => (level.family, level.side(shape)),
            Family::Overlay | Family::Wave | Family::Noise => (level.family, level.strength as usize),
        });
        levels
    }

    /// A level below all of them, single pixels, if it is another one: chance does not hit what it takes, but a second look may come
    /// down to it.
    pub fn finest(shape: [usize; 3]) -> Option<Self> {
        let weakest = Self { strength: 2, ..FINEST };
        (FINEST.side(shape) < weakest.side(shape)).then_some(FINEST)
    }

    /// Side in pixels of a patch on images `[h, w, c]`, at least 1 and at most the image.
    pub fn side(self, [height, width, _]: [usize; 3]) -> usize {
        let smaller = height.min(width).max(1);
        ((self.strength as usize * smaller + REFERENCE_SIDE / 2) / REFERENCE_SIDE).clamp(1, smaller)
    }

    /// Strength after rounding to whole pixels of images `[h, w, c]`, in the family's unit.
    pub fn actual_strength(self, shape: [usize; 3]) -> f64 {
        match self.family {
            Family::Patch | Family::Square => {
                (self.side(shape) * REFERENCE_SIDE) as f64 / shape[0].min(shape[1]).max(1) as f64
            }
            Family::Overlay | Family::Wave | Family::Noise => f64::from(self.strength),
        }
    }

    /// Largest change of a value by a pattern over the whole image, images in `[0, 1]`.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub fn amplitude(self) -> f32 {
        self.strength as f32 / 255.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_follow_the_image() {
        let patch = |strength| Level { family: Family::Patch, strength };
        assert_eq!(patch(4).side([32, 32, 3]), 4);
        assert_eq!(patch(3).side([28, 28, 1]), 3);
        assert_eq!(patch(8).side([224, 256, 3]), 56);
        assert_eq!(patch(2).side([4, 4, 1]), 1);
        assert_eq!((Level::finest([28, 28, 1]), Level::finest([16, 16, 1])), (Some(patch(1)), None));
        assert!((patch(3).actual_strength([16, 16, 1]) - 4.0).abs() < 1e-12);
        let sides = |shape| {
            Level::all(shape).iter().filter(|l| l.family == Family::Patch).map(|l| l.strength).collect::<Vec<u32>>()
        };
        assert_eq!(sides([32, 32, 3]), [2, 3, 4, 6, 8]);
        assert_eq!(sides([16, 16, 1]), [2, 3, 6, 8]);
    }
}
