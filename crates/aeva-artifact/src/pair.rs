//! The perturbations of one ordered pair of labels, with their provenance.

use aeva_attack::perturbation::PairResult;

use crate::provenance::PairProvenance;

/// Perturbations of one ordered pair (source, target), with their provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct PairArtifact {
    /// Everything that the values depend on.
    pub provenance: PairProvenance,
    /// The perturbations.
    pub result: PairResult,
}
