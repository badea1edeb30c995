//! The best triggers of one pass over one setting, with their provenance.

use aeva_attack::trigger::{PassId, PassResult};
use aeva_stats::PassTally;

use crate::provenance::Provenance;

/// The best triggers of one pass over one setting, with their provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerArtifact {
    /// Everything that the triggers depend on, except the version of their search.
    pub provenance: Provenance,
    /// Version of the trigger search.
    pub trigger_search_version: u32,
    /// The pass.
    pub id: PassId,
    /// Image shape `[h, w, c]`.
    pub shape: [usize; 3],
    /// The findings of the pass.
    pub result: PassResult,
}

impl TriggerArtifact {
    /// Whether its triggers fit images of this shape `[h, w, c]`.
    pub fn fits(&self, shape: [usize; 3]) -> bool {
        self.shape == shape
    }

    /// Success on hold-out images, in the form that the test takes.
    pub fn tally(&self) -> PassTally {
        self.result.tally(self.id.setting, self.shape, self.provenance.model.classes)
    }
}
