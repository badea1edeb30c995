//! The perturbations of one ordered pair of labels, with where they come from.

use aeva_attack::perturbation::PairResult;

use crate::provenance::PairProvenance;

/// Perturbations of one ordered pair (source, target), with where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct PairArtifact {
    /// Everything the values depend on.
    pub provenance: PairProvenance,
    /// What was found.
    pub result: PairResult,
}
