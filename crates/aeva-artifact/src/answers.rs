//! The model's answers to unfinished work. When the work is resumed, no query is sent twice.

use serde::{Deserialize, Serialize};

use crate::container;
use crate::error::{DecodeError, EncodeError};
use crate::provenance::{PairProvenance, Provenance};
use crate::wire::{from_payload, to_header, to_payload};

const KIND_ANSWERS: u16 = 3;
const PAYLOAD_VERSION: u16 = 1;

/// The model's answers to one piece of work. The queries are a function of the provenance and of the answers so far, so
/// these are enough to resume the work. Unlike an artifact, the file is removed when the work is done.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialAnswers {
    /// Everything that the queries depend on, except the version of the search.
    pub provenance: WorkProvenance,
    /// Version of the search that made the queries.
    pub search_version: u32,
    /// Name of the piece of work, also used in the file name.
    pub work: String,
    /// Answers in the order of the queries, for each search of the work.
    pub searches: Vec<AnsweredSearch>,
}

/// What a piece of work depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WorkProvenance {
    /// A search for perturbations. (Files of earlier versions use it for triggers, too.)
    Perturbations(PairProvenance),
    /// A search that depends on nothing else than the run, such as one for triggers.
    Run(Provenance),
}

/// The answers to one search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredSearch {
    /// Identifier of the search, in the work's own numbers.
    pub id: [u32; 3],
    /// The answers, in order.
    pub answers: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    provenance: WorkProvenance,
    search_version: u32,
    work: String,
}

/// Identifier and answers of each search.
#[derive(Serialize, Deserialize)]
struct AnswersV1(Vec<([u32; 3], Vec<u32>)>);

impl PartialAnswers {
    /// Encodes the file format (`docs/formats.md`).
    ///
    /// # Errors
    /// If the header is longer than a reader accepts.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let header = Header {
            provenance: self.provenance.clone(),
            search_version: self.search_version,
            work: self.work.clone(),
        };
        let header = to_header(&header)?;
        let searches = self.searches.iter().map(|search| (search.id, search.answers.clone())).collect();
        let payload = to_payload(AnswersV1(searches))?;
        container::encode(KIND_ANSWERS, PAYLOAD_VERSION, &header, &payload)
    }

    /// Reads the file format.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let container = container::decode(bytes, KIND_ANSWERS)?;
        if container.payload_version != PAYLOAD_VERSION {
            let (found, supported) = (container.payload_version, PAYLOAD_VERSION);
            return Err(DecodeError::PayloadVersion { found, supported });
        }
        let Header { provenance, search_version, work } =
            serde_json::from_slice(container.header).map_err(DecodeError::Header)?;
        let AnswersV1(searches) = from_payload(container.payload)?;
        let searches = searches.into_iter().map(|(id, answers)| AnsweredSearch { id, answers }).collect();
        Ok(Self { provenance, search_version, work, searches })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::examples;

    #[test]
    fn round_trip() {
        let search = |id, answers: &[u32]| AnsweredSearch { id, answers: answers.to_vec() };
        let searches = vec![search([0, 1, 0], &[3, 3, 7]), search([0, 2, 1], &[])];
        for provenance in [WorkProvenance::Run(examples::run()), WorkProvenance::Perturbations(examples::pair())] {
            let (work, searches) = ("patch-03".to_owned(), searches.clone());
            let answers = PartialAnswers { provenance, search_version: 4, work, searches };
            assert_eq!(PartialAnswers::from_bytes(&answers.to_bytes().unwrap()).unwrap(), answers);
        }
        let (work, provenance) = ("patch-03".to_owned(), WorkProvenance::Run(examples::run()));
        let answers = PartialAnswers { provenance, search_version: 4, work, searches };
        let bytes = answers.to_bytes().unwrap();
        for cut in [0, 8, 40, bytes.len() - 1] {
            assert!(PartialAnswers::from_bytes(&bytes[..cut]).is_err());
        }
        assert!(matches!(crate::PairArtifact::from_bytes(&bytes), Err(DecodeError::Kind { found: 3, expected: 1 })));
    }
}
