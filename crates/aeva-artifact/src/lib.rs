//! What the search leaves on disk: one typed perturbation artifact (`.aeva`) per ordered pair of labels, in a run folder
//! that belongs to one model, one data set, one set of parameters and one seed.
//!
//! - [`PairArtifact`] is the domain type; [`PairArtifact::to_bytes`] and [`PairArtifact::from_bytes`] are its file format
//!   (`docs/formats.md`): a container with versions and a SHA-256, a JSON header with the [`Provenance`], a bincode payload.
//! - [`TriggerArtifact`] is what the second lens leaves: the best triggers of one family and strength, in the same container.
//! - [`RunDir`] is the folder: it refuses results of another [`Provenance`], writes files whole or not at all, and
//!   knows which pairs are finished. [`RunInfo`] is what it says of itself.
//!
//! A file may have been damaged, or made by anybody: whatever is read is checked before anything is computed with it, and checksums
//! are no signatures.
//!
//! Everything in a file is a function of the provenance, so the same scan gives the same bytes.

mod answers;
mod atomic;
mod container;
mod error;
mod limits;
mod pair;
mod provenance;
mod read;
mod run_dir;
mod run_file;
mod run_info;
mod trigger;
mod wire;

pub use answers::{AnsweredSearch, PartialAnswers};
pub use atomic::write_atomically;
pub use error::{ArtifactError, DecodeError, RunInfoError};
pub use pair::{Outcome, PairArtifact, QueryCounts, SampleRecord};
pub use provenance::{DataProvenance, ModelProvenance, Provenance, SEARCH_VERSION, SearchProvenance, hex, sha256_hex};
pub use read::{MAX_ARTIFACT_BYTES, read_regular};
pub use run_dir::RunDir;
pub use run_info::{MAX_CLASSES, RunInfo};
pub use trigger::{Aim, Family, Level, Look, Overlay, Patch, Trigger, TriggerArtifact, TriggerFinding, Turned};
