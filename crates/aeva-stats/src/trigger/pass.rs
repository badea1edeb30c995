//! What one pass over one setting of triggers found: the input of the test.

use crate::{Family, PairTally, Tally};

/// Attack success rates of the best trigger of each label, on images that the search had not used.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PassTally {
    /// Family of the triggers.
    pub family: Family,
    /// Their strength, in the unit of the family's shape: as it is, after rounding to whole pixels.
    pub strength: f64,
    /// `[label]` -> images that became it, of images of all other labels; no trials where the pass was about pairs alone.
    pub labels: Vec<Tally>,
    /// Pairs of labels that were searched.
    pub pairs: Vec<PairTally>,
    /// What became of the images under all random triggers of the setting together, by label of the image and answer of the model;
    /// empty where triggers were searched.
    pub confusion: Vec<PairTally>,
    /// Images that one trigger sent to the label that belongs to theirs in a map of labels, of all images.
    pub map: Tally,
}
