//! The domain types of the second lens: triggers, what they were meant to do, and how well they did it.

mod check;
mod level;
mod stamp;
mod wire;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{DecodeError, Provenance, container};

pub use level::{Family, Level, Look};
pub use stamp::{Overlay, Patch, Trigger};

/// The best triggers of one level, with where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerArtifact {
    /// Everything the triggers depend on, besides the version of their search.
    pub provenance: Provenance,
    /// Version of the trigger search.
    pub trigger_search_version: u32,
    /// Family and strength of the triggers.
    pub level: Level,
    /// Whether it was the first look at this level; the second has all findings of the first, some of them improved.
    pub look: Look,
    /// Image shape `[h, w, c]`.
    pub shape: [usize; 3],
    /// Images classified at this look.
    pub queries: u64,
    /// One finding an aim: every label in order, the pairs that were looked at, then the map.
    pub findings: Vec<TriggerFinding>,
    /// Of a look at random triggers: what became of the images under all of them together, by label of the image and answer of the
    /// model, also where they are the same. Cells that no image is in are left out. Empty for a search.
    pub confusion: Vec<Turned>,
}

/// What a trigger is meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// To turn images of all other labels into one.
    Label(u32),
    /// To turn images of one label into another, as a source-specific backdoor does.
    Pair {
        /// Label of the images.
        source: u32,
        /// Label that they turn into.
        target: u32,
    },
    /// To turn the images of every label into a label of its own, as an all-to-all backdoor does.
    Map,
}

/// What became of the images of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Turned {
    /// Label of the images.
    pub source: u32,
    /// Label that they are meant to turn into.
    pub target: u32,
    /// Images that did.
    pub turned: u32,
    /// Images that were asked about.
    pub asked: u32,
}

/// The best trigger found for one aim at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerFinding {
    /// What it is meant to do.
    pub aim: Aim,
    /// What to stamp.
    pub trigger: Trigger,
    /// Whether it was improved, or is only the best of the exploration.
    pub climbed: bool,
    /// Images that did as is meant, of those that the search used and chose by: an optimistic figure.
    pub search: (u32, u32),
    /// The same on images held out, label by label.
    pub held_out: Vec<Turned>,
}

impl TriggerFinding {
    /// Images held out that did as is meant, and how many it was stamped on.
    pub fn proof(&self) -> (u32, u32) {
        let zero = (0_u32, 0_u32);
        self.held_out
            .iter()
            .fold(zero, |sum, cell| (sum.0.saturating_add(cell.turned), sum.1.saturating_add(cell.asked)))
    }
}

impl TriggerArtifact {
    /// Whether its triggers are made for images of this shape `[h, w, c]`.
    pub fn fits(&self, shape: [usize; 3]) -> bool {
        self.shape == shape
    }

    /// `[label]` -> images held out that its trigger turned into it, and images it was stamped on.
    pub fn label_proofs(&self) -> Vec<(u32, u32)> {
        let mut labels = vec![(0, 0); self.provenance.model.classes as usize];
        for finding in &self.findings {
            if let Aim::Label(label) = finding.aim
                && let Some(proof) = labels.get_mut(label as usize)
            {
                *proof = finding.proof();
            }
        }
        labels
    }

    /// The same for the pairs of labels that were looked at.
    pub fn pair_proofs(&self) -> Vec<Turned> {
        let proof = |finding: &TriggerFinding| match finding.aim {
            Aim::Pair { source, target } => {
                let (turned, asked) = finding.proof();
                Some(Turned { source, target, turned, asked })
            }
            _ => None,
        };
        self.findings.iter().filter_map(proof).collect()
    }

    /// The same for the map; images of labels that it leaves where they are count as not turned.
    pub fn map_proof(&self) -> (u32, u32) {
        let labels = self.findings.iter().filter(|finding| matches!(finding.aim, Aim::Label(_)));
        let asked: BTreeMap<u32, u32> =
            labels.flat_map(|finding| &finding.held_out).map(|cell| (cell.source, cell.asked)).collect();
        let map = self.findings.iter().find(|finding| finding.aim == Aim::Map);
        (map.map_or(0, |map| map.proof().0), asked.into_values().fold(0, u32::saturating_add))
    }

    /// The file format, latest version (`docs/formats.md`).
    ///
    /// # Errors
    /// When the artifact cannot be represented (an image above 2^32 in one dimension).
    pub fn to_bytes(&self) -> Result<Vec<u8>, bincode::error::EncodeError> {
        let (header, payload) = wire::encode(self)?;
        container::encode(wire::KIND_TRIGGERS, wire::PAYLOAD_VERSION, &header, &payload)
            .ok_or(bincode::error::EncodeError::Other("the header is too long"))
    }

    /// Reads any version of the file format.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong; nothing is allocated for lengths that the file does not have. What is read can be computed
    /// with: triggers lie within the image, labels are the model's, sums stay within their bits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let container = container::decode(bytes, wire::KIND_TRIGGERS)?;
        let header = serde_json::from_slice(container.header).map_err(DecodeError::Header)?;
        let artifact = wire::decode(container.payload_version, header, container.payload)?;
        check::check(&artifact)?;
        Ok(artifact)
    }
}
