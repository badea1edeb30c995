//! The best triggers of one pass over one setting, with where they come from.

use aeva_attack::trigger::{PassId, PassResult};
use aeva_stats::PassTally;

use super::{check, wire};
use crate::container;
use crate::error::{DecodeError, EncodeError};
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

    /// The file format, latest version (`docs/formats.md`).
    ///
    /// # Errors
    /// When the artifact cannot be represented (an image above 2^32 in one dimension).
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let (header, payload) = wire::encode(self)?;
        container::encode(wire::KIND_TRIGGERS, wire::PAYLOAD_VERSION, &header, &payload)
    }

    /// Reads any version of the file format.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong; nothing is allocated for lengths that the file does not have. What is read can be computed
    /// with: triggers lie within the image, labels are the model's, sums stay within their bits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let container = container::decode(bytes, wire::KIND_TRIGGERS)?;
        let artifact = wire::decode(container.payload_version, container.header, container.payload)?;
        check::check(&artifact)?;
        Ok(artifact)
    }
}
