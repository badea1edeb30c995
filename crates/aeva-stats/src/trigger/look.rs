//! What one look at one level of triggers saw.

/// A family of triggers; how strong one is counts in the family's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TriggerFamily {
    /// A square of pixels; its side, on an image of 32 pixels.
    Patch,
    /// A pattern over the whole image; its amplitude in 255ths.
    Overlay,
    /// A random sine over the whole image that few others are better than; its amplitude in 255ths.
    Wave,
    /// Random noise over the whole image, likewise.
    Noise,
    /// A random square of pixels, with the unit of patches. It tells what is natural for pairs of labels, and is not judged itself.
    Square,
}

/// How many images the best trigger of each label turned at one look at a level, on images that the search had not used.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LevelSuccess {
    /// Family of the triggers.
    pub family: TriggerFamily,
    /// Their strength, in the family's unit: as it is, not as it was meant before it was rounded to whole pixels.
    pub strength: f64,
    /// `[label]` -> (images turned into it, images of other labels); none of the latter where the look was about pairs alone.
    pub labels: Vec<(u32, u32)>,
    /// Pairs of labels that were looked at.
    pub pairs: Vec<PairSuccess>,
    /// What became of images under random triggers of the level all together, by label of the image and answer of the model; empty
    /// where triggers were searched.
    pub confusion: Vec<PairSuccess>,
    /// Images that one trigger turned each into the label that belongs to theirs in a map of labels, and all images.
    pub map: (u32, u32),
}

/// How many images of one label a trigger turned into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PairSuccess {
    /// Label of the images.
    pub source: usize,
    /// Label they were to turn into.
    pub target: usize,
    /// Images that did.
    pub turned: u32,
    /// All of them.
    pub asked: u32,
}
