//! What a scan leaves on disk: typed artifacts (`.aeva`) in a run folder that belongs to one model, one data set and
//! one seed.
//!
//! - [`PairArtifact`] has the perturbations of one ordered pair of labels, [`TriggerArtifact`] the best triggers of one
//!   pass over one setting. Their file format (`docs/formats.md`) is a container with versions and a SHA-256, a JSON
//!   header with the [`Provenance`], and a bincode payload.
//! - [`RunDir`] is the folder. It refuses results of another [`Provenance`], writes files atomically, and knows what is
//!   finished. [`RunInfo`] is its description.
//!
//! The result types are those of `aeva-attack`; this crate adds their provenance and stores them.
//!
//! A file may be damaged, and anybody can make one. Checksums are not signatures, so every value is checked before it
//! is used.
//!
//! Everything in a file is a function of the provenance, so the same scan gives the same bytes.
//!
//! ```
//! use aeva_artifact::{
//!     DataProvenance, ModelProvenance, PairArtifact, PerturbationProvenance, Provenance, RunDir, RunInfo, sha256_hex,
//! };
//! use aeva_attack::HopSkipJumpBuilder;
//! use aeva_attack::perturbation::PairResult;
//!
//! let provenance = Provenance {
//!     model: ModelProvenance { sha256: sha256_hex(b"model"), classes: 10, preprocessing: "none".to_owned() },
//!     data: DataProvenance { sha256: sha256_hex(b"images"), images: 100 },
//!     seed: 7,
//!     provider: "example".to_owned(),
//! };
//! let perturbations = PerturbationProvenance::new(&HopSkipJumpBuilder::PUBLISHED.check()?, 40);
//! let folder = tempfile::tempdir()?;
//! let run = RunDir::open_or_create(folder.path(), RunInfo::new(provenance, perturbations))?;
//!
//! let result = PairResult { source: 0, target: 1, shape: [2, 2, 1], samples: Vec::new() };
//! run.store(&PairArtifact { provenance: run.pair_provenance(), result })?;
//! assert_eq!(run.stored_pairs()?, [(0, 1)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod atomic;
mod container;
mod error;
mod journal;
mod limits;
mod manifest;
mod merge;
mod pair;
mod provenance;
mod read;
mod run_dir;
mod run_file;
mod run_info;
mod teamwork;
mod trigger;
mod wire;

pub use answers::{AnsweredSearch, PartialAnswers, WorkProvenance};
pub use atomic::write_atomically;
pub use error::{ArtifactError, DecodeError, EncodeError, RunInfoError};
pub use journal::{Journal, Record, with_records};
pub use limits::MAX_CLASSES;
pub use manifest::{Completeness, MAX_SHARDS, ShardManifest, ShardState};
pub use merge::{Merged, merge};
pub use pair::PairArtifact;
pub use provenance::{
    DataProvenance, ModelProvenance, PairProvenance, PerturbationProvenance, Provenance, SEARCH_VERSION,
    SearchProvenance, hex, sha256_hex,
};
pub use read::{MAX_ARTIFACT_BYTES, read_regular};
pub use run_dir::RunDir;
pub use run_info::RunInfo;
pub use teamwork::Teamwork;
pub use trigger::TriggerArtifact;
