//! How perturbations are searched.

use std::num::NonZeroUsize;

use crate::HopSkipJumpParams;

/// How perturbations are searched.
#[derive(Debug, Clone)]
pub struct PerturbationSettings {
    /// Parameters of every search.
    pub params: HopSkipJumpParams,
    /// Seed of the noise.
    pub seed: u64,
    /// Images per batch. Changes the speed, not the result.
    pub batch_rows: NonZeroUsize,
    /// Threads; more than there are oracles help them to fill their batches. Changes the speed, not the result.
    pub threads: NonZeroUsize,
}
