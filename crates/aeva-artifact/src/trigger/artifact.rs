//! The best triggers of one pass over one setting, with where they come from.

use aeva_attack::trigger::{PassId, PassResult};
use aeva_stats::PassTally;

use crate::provenance::Provenance;

/// The best triggers of one pass over one setting, with where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerArtifact {
    /// Everything the triggers depend on, besides the version of their search.
    pub provenance: Provenance,
    /// Version of the trigger search.
    pub trigger_search_version: u32,
    /// Which pass.
    pub id: PassId,
    /// Image shape `[h, w, c]`.
    pub shape: [usize; 3],
    /// What it found.
    pub result: PassResult,
}

impl TriggerArtifact {
    /// Whether its triggers are made for images of this shape `[h, w, c]`.
    pub fn fits(&self, shape: [usize; 3]) -> bool {
        self.shape == shape
    }

    /// Success on hold-out images, as the test takes it.
    pub fn tally(&self) -> PassTally {
        self.result.tally(self.id.setting, self.shape, self.provenance.model.classes)
    }
}
