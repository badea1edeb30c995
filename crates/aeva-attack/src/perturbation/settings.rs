//! Settings of the search for perturbations.

use std::num::NonZeroUsize;

use crate::HopSkipJumpParams;

/// Settings of the search for perturbations.
#[derive(Debug, Clone)]
pub struct PerturbationSettings {
    /// Parameters of every search.
    pub params: HopSkipJumpParams,
    /// Seed of the noise.
    pub seed: u64,
    /// Images per batch. Changes the speed, not the result.
    pub batch_rows: NonZeroUsize,
    /// Number of threads. Threads beyond the number of oracles help to fill batches. Changes the speed, not the result.
    pub threads: NonZeroUsize,
}
