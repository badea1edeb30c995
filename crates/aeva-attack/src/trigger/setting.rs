//! A family of triggers at one strength, and the passes over it.

use std::fmt;
use std::str::FromStr;

use aeva_stats::{Family, Search};

/// A family at one strength, independent of the image size. Its text form is the name of the family and the strength,
/// for example `patch-03`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setting {
    /// Kind of trigger.
    pub family: Family,
    /// Strength in the unit of the family's shape. Patches: side in pixels on an image 32 pixels wide. Dots: side in
    /// pixels. Overlays: amplitude in 255ths.
    pub strength: u32,
}

/// How thoroughly the triggers of a setting are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pass {
    /// All labels, from weak settings to strong ones.
    Explore,
    /// Labels and pairs that stood out, with more effort, from strong settings to weak ones.
    Refine,
}

/// One pass over one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassId {
    /// The setting.
    pub setting: Setting,
    /// Which pass over it.
    pub pass: Pass,
}

impl PassId {
    /// Both passes over every setting, whether a scan has them or not.
    pub fn all() -> impl Iterator<Item = Self> {
        Setting::all().flat_map(|setting| [Pass::Explore, Pass::Refine].map(|pass| Self { setting, pass }))
    }
}

/// On images of at most this side in pixels, the weakest patch is hardly larger than a dot.
const SIDE_WITHOUT_DOTS: usize = 64;

/// Image side for which the strengths of patches are sides in pixels.
pub(super) const REFERENCE_SIDE: usize = 32;

impl Setting {
    /// All settings, in the order of the table of families; within a family from weak to strong.
    pub fn all() -> impl Iterator<Item = Self> {
        Family::ALL.into_iter().flat_map(Self::of_family)
    }

    fn of_family(family: Family) -> impl Iterator<Item = Self> {
        family.spec().strengths.iter().map(move |strength| Self { family, strength: strength.value })
    }

    /// The settings of the exploring passes over images `[h, w, c]`, in the order of the families. Within a
    /// family, each setting may start from the findings of the next weaker one. On small images, different strengths may
    /// have the same side in pixels; only the first of them is kept.
    pub fn explored(shape: [usize; 3]) -> Vec<Self> {
        let is_explored = |setting: &Self| setting.search() != Search::RefineOnly && setting.is_for(shape);
        let mut settings: Vec<Self> = Self::all().filter(is_explored).collect();
        settings.dedup_by_key(|setting| (setting.family, setting.size(shape)));
        settings
    }

    /// The settings of the refining passes, in order: family by family, from strong to weak. They are those that are
    /// explored and some between and below them; those with the same side on small images count once.
    pub fn refined(shape: [usize; 3]) -> Vec<Self> {
        let mut refined = Vec::new();
        for family in Family::ALL {
            let is_refined = |setting: &Self| !setting.is_random() && setting.is_for(shape);
            let mut own: Vec<Self> = Self::of_family(family).filter(is_refined).collect();
            // Of settings that are the same on this image, the one that is explored counts.
            own.sort_by_key(|setting| (setting.size(shape), setting.search() == Search::RefineOnly));
            own.dedup_by_key(|setting| setting.size(shape));
            refined.extend(own.into_iter().rev());
        }
        refined
    }

    /// How its triggers are searched.
    pub fn search(self) -> Search {
        self.family.spec().search(self.strength)
    }

    /// Whether its triggers are random and measured as drawn.
    pub fn is_random(self) -> bool {
        matches!(self.search(), Search::Random(_))
    }

    /// Whether it is searched on images `[h, w, c]`.
    fn is_for(self, [height, width, _]: [usize; 3]) -> bool {
        !self.family.spec().is_absolute || height.min(width) > SIDE_WITHOUT_DOTS
    }

    /// The size that distinguishes strengths on images `[h, w, c]`.
    fn size(self, shape: [usize; 3]) -> usize {
        if self.is_in_pixels() { self.side(shape) } else { self.strength as usize }
    }

    /// Side of a patch in pixels on images `[h, w, c]`: at least 1, at most the image.
    pub fn side(self, [height, width, _]: [usize; 3]) -> usize {
        let smaller = height.min(width).max(1);
        if self.family.spec().is_absolute {
            return (self.strength as usize).clamp(1, smaller);
        }
        ((self.strength as usize * smaller + REFERENCE_SIDE / 2) / REFERENCE_SIDE).clamp(1, smaller)
    }

    /// Strength after rounding to whole pixels of images `[h, w, c]`, in the unit of the family's shape.
    pub fn actual_strength(self, shape: [usize; 3]) -> f64 {
        if self.is_in_pixels() {
            (self.side(shape) * REFERENCE_SIDE) as f64 / shape[0].min(shape[1]).max(1) as f64
        } else {
            f64::from(self.strength)
        }
    }

    fn is_in_pixels(self) -> bool {
        self.family.spec().shape.spec().is_in_pixels
    }

    /// Largest change of a value by a pattern over the whole image, for images in `[0, 1]`.
    pub fn amplitude(self) -> f32 {
        self.strength as f32 / 255.0
    }

    /// The next weaker setting that is explored. Its triggers may be enlarged or taken over.
    pub(crate) fn weaker(self, shape: [usize; 3]) -> Option<Self> {
        self.before(&Self::explored(shape))
    }

    /// The next stronger setting that is refined. Its triggers may be reduced.
    pub(crate) fn stronger(self, shape: [usize; 3]) -> Option<Self> {
        self.before(&Self::refined(shape))
    }

    /// The one before it in a list of settings, if it is of the same family.
    fn before(self, settings: &[Self]) -> Option<Self> {
        let place = settings.iter().position(|&other| other == self)?;
        let before = *settings.get(place.checked_sub(1)?)?;
        (before.family == self.family).then_some(before)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.family.spec().name, self.strength)
    }
}

/// A text that is not the name of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a trigger setting: expected a family and a strength, for example patch-03")]
pub struct UnknownSetting(String);

impl FromStr for Setting {
    type Err = UnknownSetting;

    fn from_str(text: &str) -> Result<Self, UnknownSetting> {
        let unknown = || UnknownSetting(text.to_owned());
        let (name, strength) = text.rsplit_once('-').ok_or_else(unknown)?;
        let family = Family::named(name).ok_or_else(unknown)?;
        let setting = Self { family, strength: strength.parse().map_err(|_| unknown())? };
        // Only the canonical spelling is accepted: no signs, no extra zeros.
        if setting.to_string() == text { Ok(setting) } else { Err(unknown()) }
    }
}

impl fmt::Display for PassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pass {
            Pass::Explore => self.setting.fmt(f),
            Pass::Refine => write!(f, "{}-again", self.setting),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    const fn patch(strength: u32) -> Setting {
        Setting { family: Family::Patch, strength }
    }

    #[test]
    fn sides_follow_the_image() {
        assert_eq!(patch(4).side([32, 32, 3]), 4);
        assert_eq!(patch(3).side([28, 28, 1]), 3);
        assert_eq!(patch(8).side([224, 256, 3]), 56);
        assert_eq!(patch(2).side([4, 4, 1]), 1);
        let dot = Setting { family: Family::Dot, strength: 3 };
        assert_eq!((dot.side([224, 256, 3]), dot.side([2, 4, 1])), (3, 2));
        assert!((dot.actual_strength([96, 128, 3]) - 1.0).abs() < 1e-12, "as a patch of one pixel of 32");
        let with_dots = |side| [Setting::explored, Setting::refined].map(|of| of([side, side, 3]).contains(&dot));
        assert_eq!((with_dots(64), with_dots(65)), ([false; 2], [true; 2]));
        assert!((patch(3).actual_strength([16, 16, 1]) - 4.0).abs() < 1e-12);
        let sides = |settings: Vec<Setting>| {
            settings.iter().filter(|s| s.family == Family::Patch).map(|s| s.strength).collect::<Vec<u32>>()
        };
        assert_eq!(sides(Setting::explored([32, 32, 3])), [2, 4, 8]);
        assert_eq!(sides(Setting::explored([8, 8, 1])), [2, 8], "one pixel, one pixel, two pixels");
        assert_eq!(sides(Setting::refined([28, 28, 1])), [8, 6, 4, 3, 2, 1]);
        // Of two settings with one side, the one that is explored is refined.
        assert_eq!(sides(Setting::refined([16, 16, 1])), [8, 6, 4, 2]);
    }

    #[test]
    fn passes_have_an_order() {
        let names = |settings: Vec<Setting>| settings.iter().map(ToString::to_string).collect::<Vec<String>>();
        let explored = names(Setting::explored([32, 32, 3]));
        let patches = ["square-10", "patch-02", "patch-04", "patch-08"];
        let patterns = ["wave-08", "noise-16", "noise-32", "noise-64", "overlay-16"];
        assert_eq!(explored, [&patches[..], &patterns, &["tone-01", "corners-04", "warp-15"]].concat());
        let refined = names(Setting::refined([32, 32, 3]));
        let back = [
            "patch-08",
            "patch-06",
            "patch-04",
            "patch-03",
            "patch-02",
            "patch-01",
            "overlay-16",
            "overlay-08",
            "warp-15",
        ];
        assert_eq!(refined, back);
    }

    #[test]
    fn neighbours_are_of_the_same_family() {
        let shape = [32, 32, 3];
        assert_eq!((patch(4).weaker(shape), patch(4).stronger(shape)), (Some(patch(2)), Some(patch(6))));
        assert_eq!((patch(1).weaker(shape), patch(1).stronger(shape)), (None, Some(patch(2))));
        assert_eq!((patch(3).weaker(shape), patch(3).stronger(shape)), (None, Some(patch(4))), "it is only refined");
        assert_eq!((patch(2).weaker(shape), patch(8).stronger(shape)), (None, None));
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for setting in Setting::all() {
            assert_eq!(setting.to_string().parse::<Setting>(), Ok(setting));
        }
        for wrong in ["", "patch", "patch-", "patch-3", "patch-003", "patch-+3", "blur-03", "-03", "patch-03-again"] {
            assert!(wrong.parse::<Setting>().is_err(), "{wrong}");
        }
        let again = PassId { setting: patch(3), pass: Pass::Refine };
        assert_eq!(again.to_string(), "patch-03-again");
    }
}
