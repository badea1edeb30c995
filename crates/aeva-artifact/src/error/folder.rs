//! What can go wrong with run folders.

use std::io;
use std::path::PathBuf;

use super::{DecodeError, EncodeError, RunInfoError};

/// Errors of run folders and artifact files. Every variant names the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The file system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried: "read", "write", "create", ...
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is there but is no valid artifact.
    #[error("{path} is not a valid artifact")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// An artifact could not be encoded.
    #[error("cannot encode the artifact for {path}")]
    Encode {
        /// The file it was meant for.
        path: PathBuf,
        /// Why not.
        source: EncodeError,
    },
    /// `run.json` is there but unreadable.
    #[error("{path} is not a valid run description")]
    RunDescription {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RunInfoError,
    },
    /// The folder is no run folder.
    #[error("{path} is not a run folder: it has no run.json")]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds another scan.
    #[error("{path} belongs to another scan; it differs in: {}", differences.join("; "))]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// Each difference as `field: there X, asked for Y`.
        differences: Vec<String>,
    },
    /// The run has no perturbations with these parameters.
    #[error("{path} has no perturbations with the key {key}; there are {}", if found.is_empty() { "none but those of run.json".to_owned() } else { found.join(", ") })]
    NoSuchPerturbations {
        /// The folder.
        path: PathBuf,
        /// The key that was asked for.
        key: String,
        /// Keys that are there.
        found: Vec<String>,
    },
    /// An artifact in the folder belongs to another scan or another pair.
    #[error("{path} does not belong to this run: {why}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        why: String,
    },
    /// The same scan, but the model answers otherwise: the results were found in another model, or its answers are random.
    #[error("the model answers the clean images differently than when the run {path} was begun: {}", differences.join("; "))]
    OtherAnswers {
        /// The folder.
        path: PathBuf,
        /// Each difference as `figure: there X, now Y`.
        differences: Vec<String>,
    },
    /// The run was removed while results were to be written into it.
    #[error("{path} is no run folder any more: its run.json is gone")]
    Vanished {
        /// The folder.
        path: PathBuf,
    },
    /// A sub-folder of a run is a link, through which files would be written elsewhere.
    #[error("{path} is a link; files are not written through it")]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something else is in the place of a sub-folder.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// What is there.
        path: PathBuf,
    },
    /// A folder, device or pipe is in the place of a file.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// What is there.
        path: PathBuf,
    },
    /// A file is larger than any that is meant.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
}
