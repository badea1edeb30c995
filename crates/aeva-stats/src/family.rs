//! The table of trigger families.
//!
//! Everything that differs between families is in this table: names, strengths, kind of search, and margins for clean
//! models. The plan, the search, the files, the report and the documentation all use it. A new family with an existing
//! [`Shape`] needs a row here and a way to draw a random trigger (`candidate` in `aeva-attack`).

use crate::{Margins, Shape, margins};

/// Makes the enum of families from the table of their rows.
macro_rules! families {
    ($($(#[$meaning:meta])* $family:ident => $row:ident,)*) => {
        /// A family of triggers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
        pub enum Family {
            $($(#[$meaning])* $family,)*
        }

        impl Family {
            /// In the order of the table.
            const ROWS: [Self; [$(Self::$family),*].len()] = [$(Self::$family),*];

            /// Its row of the table.
            pub const fn spec(self) -> &'static FamilySpec {
                match self {
                    $(Self::$family => &$row,)*
                }
            }
        }
    };
}

// All families with their rows, by number.
families! {
    /// A square of pixels that replaces a part of the image.
    Patch => PATCH,
    /// A pattern that is added to the whole image.
    Overlay => OVERLAY,
    /// A random sine added to the whole image.
    Wave => WAVE,
    /// Random noise added to the whole image.
    Noise => NOISE,
    /// A random square of pixels at a random place. It measures the baseline of pairs of labels and is not tested itself.
    Square => SQUARE,
    /// A random change of tone, as a photo filter makes: gamma, posterising, sharpening, hue, saturation, or the gain of
    /// a channel.
    Tone => TONE,
    /// Two random squares of one colour in two corners, for triggers that work only together.
    Corners => CORNERS,
    /// A smooth warp of the whole image.
    Warp => WARP,
    /// A square of a few pixels, on large images.
    Dot => DOT,
}

/// How triggers of one strength are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Random candidates are explored, and hill climbing improves the best ones. A refining pass may follow.
    HillClimb,
    /// The same, but only in a refining pass: chance never hits such a small trigger, but a stronger one may be reduced
    /// to it.
    RefineOnly,
    /// The same for target labels alone: pairs of labels and maps are searched at other strengths, or not at all.
    ClimbLabels {
        /// Random candidates to start from.
        candidates: u32,
        /// Whether it climbs longer.
        is_patient: bool,
    },
    /// Random triggers are measured as drawn.
    Random(RandomSample),
}

/// Which random triggers are drawn, and which one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomSample {
    /// Number of triggers to draw.
    pub count: u32,
    /// How many triggers are better than the one that counts: not the best trigger is evidence, but a typical one.
    pub rank: usize,
    /// What they are evidence for.
    pub about: About,
}

/// What random triggers are evidence for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Target labels.
    Labels,
    /// Pairs of labels, which need more images. The typical trigger is measured on hold-out images for this many pairs,
    /// those with the highest success rate.
    Pairs(usize),
}

/// One strength of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength {
    /// In the unit of the family's [`Shape`].
    pub value: u32,
    /// How its triggers are found.
    pub search: Search,
}

/// A row of the table of families.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FamilySpec {
    /// The family.
    pub family: Family,
    /// Name in files, JSON and tables.
    pub name: &'static str,
    /// Name in sentences of the report.
    pub shown_as: &'static str,
    /// As the title of its rows and columns in the documentation.
    pub title: &'static str,
    /// What it is, in the documentation.
    pub summary: &'static str,
    /// How it changes images.
    pub shape: Shape,
    /// Its number in files and in the seeds of its random choices. It never changes: another number would give other
    /// triggers.
    pub number: u8,
    /// Its strengths, from weak to strong.
    pub strengths: &'static [Strength],
    /// Whether it is the baseline for pairs of labels. A baseline is not tested itself.
    pub is_baseline: bool,
    /// Whether its pairs of labels are also compared with their baseline, because its triggers cover a part of the image
    /// as the baseline's do.
    pub is_beside_baseline: bool,
    /// How far clean models go.
    pub margins: Margins,
    /// Whether its strengths are sides in pixels whatever the size of the image, and it is searched on large images only.
    pub is_absolute: bool,
    /// The family whose margins it has, because no clean models were measured with it.
    pub margins_of: Option<Family>,
}

const fn climbed(value: u32) -> Strength {
    Strength { value, search: Search::HillClimb }
}

const fn climbed_for_labels(value: u32, candidates: u32) -> Strength {
    Strength { value, search: Search::ClimbLabels { candidates, is_patient: false } }
}

const fn refined(value: u32) -> Strength {
    Strength { value, search: Search::RefineOnly }
}

const fn random(value: u32, count: u32, rank: usize, about: About) -> Strength {
    Strength { value, search: Search::Random(RandomSample { count, rank, about }) }
}

/// Sines differ much from each other: the sixth best of a hundred counts.
const WAVE: FamilySpec = FamilySpec {
    family: Family::Wave,
    name: "wave",
    shown_as: "a random sine over the whole image",
    title: "sine",
    summary: "a random sine over the whole image",
    shape: Shape::Overlay,
    number: 2,
    strengths: &[random(8, 100, 5, About::Labels)],
    is_baseline: false,
    is_beside_baseline: false,
    margins: margins::WAVE,
    is_absolute: false,
    margins_of: None,
};

/// Noise patterns are much alike. The strongest noise changes some images of every model, so it is evidence for pairs
/// only. It counts as a whole even if it is far from any trigger, hence the lower rate.
const NOISE: FamilySpec = FamilySpec {
    family: Family::Noise,
    name: "noise",
    shown_as: "random noise over the whole image",
    title: "noise",
    summary: "random squares of one to eight pixels over the whole image",
    shape: Shape::Overlay,
    number: 3,
    strengths: &[
        random(16, 40, 10, About::Labels),
        random(32, 40, 10, About::Labels),
        random(64, 25, 6, About::Pairs(12)),
    ],
    is_baseline: false,
    is_beside_baseline: false,
    margins: margins::NOISE,
    is_absolute: false,
    margins_of: None,
};

const SQUARE: FamilySpec = FamilySpec {
    family: Family::Square,
    name: "square",
    shown_as: "a random square",
    title: "square",
    summary: "a random square of pixels at any place: the baseline of pairs of labels",
    shape: Shape::Patch,
    number: 4,
    strengths: &[random(10, 60, 15, About::Pairs(0))],
    is_baseline: true,
    is_beside_baseline: false,
    margins: margins::SQUARE,
    is_absolute: false,
    margins_of: None,
};

/// Filters have few parameters, so the best of sixty is as good as a search.
const TONE: FamilySpec = FamilySpec {
    family: Family::Tone,
    name: "tone",
    shown_as: "a change of tone",
    title: "tone",
    summary: "a photo filter over the whole image: gamma, posterising, sharpening, hue, saturation, or the gain of a channel",
    shape: Shape::Tone,
    number: 5,
    strengths: &[random(1, 60, 0, About::Labels)],
    is_baseline: false,
    is_beside_baseline: false,
    margins: margins::TONE,
    is_absolute: false,
    margins_of: None,
};

/// Neither square does anything alone, so there is nothing to climb by; corners and extreme colours are few.
const CORNERS: FamilySpec = FamilySpec {
    family: Family::Corners,
    name: "corners",
    shown_as: "two squares of one colour",
    title: "corners",
    summary: "two squares of one colour in two corners of the image",
    shape: Shape::Squares,
    number: 6,
    strengths: &[random(4, 160, 0, About::Labels)],
    is_baseline: false,
    is_beside_baseline: false,
    margins: margins::CORNERS,
    is_absolute: false,
    margins_of: None,
};

/// Random warps seldom come close to a trigger, but most steps of a climb lead there. Few backdoors are warps, so they
/// come last.
const WARP: FamilySpec = FamilySpec {
    family: Family::Warp,
    name: "warp",
    shown_as: "a smooth warp of the image",
    title: "warp",
    summary: "a smooth warp of the whole image, as WaNet makes it",
    shape: Shape::Warp,
    number: 7,
    strengths: &[Strength { value: 15, search: Search::ClimbLabels { candidates: 120, is_patient: true } }],
    is_baseline: false,
    is_beside_baseline: false,
    margins: margins::WARP,
    is_absolute: false,
    margins_of: None,
};

const PATCH: FamilySpec = FamilySpec {
    family: Family::Patch,
    name: "patch",
    shown_as: "a patch",
    title: "patch",
    summary: "a square of pixels that replaces what is there, at any place",
    shape: Shape::Patch,
    number: 0,
    strengths: &[refined(1), climbed_for_labels(2, 120), refined(3), climbed(4), refined(6), climbed(8)],
    is_baseline: false,
    is_beside_baseline: true,
    margins: margins::PATCH,
    is_absolute: false,
    margins_of: None,
};

const OVERLAY: FamilySpec = FamilySpec {
    family: Family::Overlay,
    name: "overlay",
    shown_as: "a pattern over the whole image",
    title: "overlay",
    summary: "a pattern that is added to the whole image",
    shape: Shape::Overlay,
    number: 1,
    strengths: &[refined(8), climbed_for_labels(16, 300)],
    is_baseline: false,
    is_beside_baseline: false,
    margins: margins::OVERLAY,
    is_absolute: false,
    margins_of: None,
};

/// On a large image, the weakest patch has many pixels, and a trigger of a few pixels would be a small part of it.
const DOT: FamilySpec = FamilySpec {
    family: Family::Dot,
    name: "dot",
    shown_as: "a dot",
    title: "dot",
    summary: "a square of a few pixels that replaces what is there, at any place; on images more than 64 pixels wide",
    shape: Shape::Patch,
    number: 8,
    strengths: &[climbed_for_labels(3, 200)],
    is_baseline: false,
    is_beside_baseline: false,
    margins: margins::PATCH,
    is_absolute: true,
    margins_of: Some(Family::Patch),
};

impl Family {
    /// All families. The baseline of pairs comes first, because others need it; then patches, which most backdoors are.
    /// Filters, pairs of squares and warps come last. A scan explores what is cheap before, and otherwise keeps this order.
    pub const ALL: [Self; Self::ROWS.len()] = [
        Self::Square,
        Self::Patch,
        Self::Dot,
        Self::Wave,
        Self::Noise,
        Self::Overlay,
        Self::Tone,
        Self::Corners,
        Self::Warp,
    ];

    /// Whether its triggers are random as they are drawn, from the weakest on.
    pub const fn is_random(self) -> bool {
        matches!(self.spec().strengths, [Strength { search: Search::Random(_), .. }, ..])
    }

    /// The family with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.spec().name == name)
    }

    /// The family with this number.
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|family| u32::from(family.spec().number) == number)
    }
}

impl FamilySpec {
    /// How triggers of a strength are searched: like those of the strongest row that is not stronger, or else of the
    /// weakest row.
    pub fn search(&self, strength: u32) -> Search {
        let row = self.strengths.iter().rev().find(|row| row.value <= strength).or(self.strengths.first());
        row.map_or(Search::HillClimb, |row| row.search)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_family_has_a_row_a_name_and_a_number_of_its_own() {
        let specs = Family::ALL.map(Family::spec);
        assert!(Family::ALL.iter().zip(specs).all(|(&family, spec)| spec.family == family));
        assert_eq!(Family::ALL.into_iter().collect::<BTreeSet<_>>(), Family::ROWS.into_iter().collect());
        assert_eq!(specs.iter().map(|spec| spec.family).collect::<BTreeSet<_>>().len(), specs.len());
        assert_eq!(specs.iter().map(|spec| spec.number).collect::<BTreeSet<_>>().len(), specs.len());
        for spec in specs {
            assert_eq!(Family::named(spec.name), Some(spec.family));
            assert_eq!(Family::numbered(u32::from(spec.number)), Some(spec.family));
            assert!(spec.strengths.windows(2).all(|two| two[0].value < two[1].value), "{}", spec.name);
            assert!(spec.strengths.iter().all(|one| spec.search(one.value) == one.search));
        }
        assert_eq!(
            (Family::named("blur"), PATCH.search(5), PATCH.search(0)),
            (None, Search::HillClimb, Search::RefineOnly)
        );
        assert_eq!((NOISE.search(63), NOISE.search(99)), (NOISE.search(32), NOISE.search(64)));
    }

    #[test]
    fn numbers_never_change() {
        let numbers = Family::ALL.map(|family| (family.spec().name, family.spec().number));
        assert_eq!(
            numbers,
            [
                ("square", 4),
                ("patch", 0),
                ("dot", 8),
                ("wave", 2),
                ("noise", 3),
                ("overlay", 1),
                ("tone", 5),
                ("corners", 6),
                ("warp", 7),
            ]
        );
    }
}
