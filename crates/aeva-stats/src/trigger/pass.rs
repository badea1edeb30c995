//! The results of one pass over one trigger setting: the input of the test.

use crate::{Family, PairTally, Tally};

/// Attack success rates of the best trigger of each label, on images that the search did not use.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PassTally {
    /// Family of the triggers.
    pub family: Family,
    /// Their actual strength, after rounding to whole pixels, in the unit of the family's shape.
    pub strength: f64,
    /// `[label]` -> images that got it, of the images of all other labels; no trials if the pass only measured pairs.
    pub labels: Vec<Tally>,
    /// Pairs of labels that were searched.
    pub pairs: Vec<PairTally>,
    /// Outcomes of all random triggers of the setting together, by label of the image and answer of the model; empty if
    /// triggers were searched.
    pub confusion: Vec<PairTally>,
    /// Images that one trigger sent to their target label in an all-to-all map, of all images.
    pub map: Tally,
}
