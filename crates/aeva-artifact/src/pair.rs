//! The perturbations of one ordered pair of labels, with where they come from.

use aeva_attack::perturbation::PairResult;

use crate::error::{DecodeError, EncodeError};
use crate::provenance::PairProvenance;
use crate::{container, wire};

/// Perturbations of one ordered pair (source, target), with where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct PairArtifact {
    /// Everything the values depend on.
    pub provenance: PairProvenance,
    /// What was found.
    pub result: PairResult,
}

impl PairArtifact {
    /// The file format, latest version (`docs/formats.md`).
    ///
    /// # Errors
    /// When the artifact cannot be represented (an image above 2^32 in one dimension).
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let (source, target) = (self.result.source, self.result.target);
        let header = wire::to_header(&wire::Header { provenance: self.provenance.clone(), source, target })?;
        container::encode(wire::KIND_PAIR, wire::PAYLOAD_VERSION, &header, &wire::encode(&self.result)?)
    }

    /// Reads any version of the file format.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong; nothing is allocated for lengths that the file does not have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let container = container::decode(bytes, wire::KIND_PAIR)?;
        let header: wire::Header = serde_json::from_slice(container.header).map_err(DecodeError::Header)?;
        wire::decode(container.payload_version, header, container.payload)
    }
}
