//! How strong a trigger may be.

use std::fmt;

use serde::Serialize;

/// A family of triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// A square of pixels that replaces what is there.
    Patch,
    /// A pattern that is added to the whole image.
    Overlay,
}

/// A family at one strength, independent of the size of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Level {
    /// What kind of trigger.
    pub family: Family,
    /// Patch: side in pixels of an image that is 32 pixels wide; overlay: amplitude in 255ths.
    pub strength: u32,
}

const LEVELS: [Level; 8] = [
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
        };
        write!(f, "{family}-{:02}", self.strength)
    }
}

impl Level {
    /// Every level there is, within a family from weak to strong.
    pub const EVERY: [Self; 8] = LEVELS;

    /// The levels for images `[h, w, c]`, in order: within a family each may begin with what the weaker one found. On small images
    /// different strengths may be the same side; the first of them stays.
    pub fn all(shape: [usize; 3]) -> Vec<Self> {
        let mut levels = LEVELS.to_vec();
        levels.dedup_by_key(|level| match level.family {
            Family::Patch => (level.family, level.side(shape)),
            Family::Overlay => (level.family, level.strength as usize),
        });
        levels
    }

    /// Side in pixels of a patch on images `[h, w, c]`, at least 1 and at most the image.
    pub fn side(self, [height, width, _]: [usize; 3]) -> usize {
        let smaller = height.min(width).max(1);
        ((self.strength as usize * smaller + REFERENCE_SIDE / 2) / REFERENCE_SIDE).clamp(1, smaller)
    }

    /// Largest change of a value by an overlay, images in `[0, 1]`.
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
        let sides = |shape| {
            Level::all(shape).iter().filter(|l| l.family == Family::Patch).map(|l| l.strength).collect::<Vec<u32>>()
        };
        assert_eq!(sides([32, 32, 3]), [2, 3, 4, 6, 8]);
        assert_eq!(sides([16, 16, 1]), [2, 3, 6, 8]);
    }
}
