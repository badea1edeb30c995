//! Errors of run folders.

use std::io;
use std::path::PathBuf;

use super::{DecodeError, EncodeError, RunInfoError};

/// Errors of run folders and artifact files. Every variant names the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The operating system reported an error.
    #[error("cannot {action} {path}")]
    Io {
        /// The attempted action: "read", "write", "create", ...
        action: &'static str,
        /// The path of the file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file exists but is not a valid artifact.
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
        /// The cause.
        source: EncodeError,
    },
    /// `run.json` exists but cannot be read.
    #[error("{path} is not a valid run description")]
    RunDescription {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RunInfoError,
    },
    /// The folder is not a run folder.
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
    /// The folder was marked as unusable.
    #[error("{path} is not to be used: {why}")]
    Refused {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The run has no perturbations with these parameters.
    #[error("{path} has no perturbations with the key {key}; there are {}", if found.is_empty() { "none but those of run.json".to_owned() } else { found.join(", ") })]
    NoSuchPerturbations {
        /// The folder.
        path: PathBuf,
        /// The requested key.
        key: String,
        /// Existing keys.
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
    /// The scan is the same, but the model gives different answers: either the results belong to another model, or its
    /// answers are random.
    #[error("the model answers the clean images differently than when the run {path} was begun: {}", differences.join("; "))]
    OtherAnswers {
        /// The folder.
        path: PathBuf,
        /// Each difference as `figure: there X, now Y`.
        differences: Vec<String>,
    },
    /// Two folders have different results for what should be the same.
    #[error(
        "{path} and {other} should be the same and are not: the model did not always give the same answers, or one of them was changed"
    )]
    Differs {
        /// The one.
        path: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// The manifest of a share cannot be read.
    #[error("{path} is not a valid manifest of a share: {why}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The run was removed before its results could be written.
    #[error("{path} is no longer a run folder: its run.json is gone")]
    Vanished {
        /// The folder.
        path: PathBuf,
    },
    /// A sub-folder of a run is a link, so files would be written elsewhere.
    #[error("{path} is a link; files are not written through it")]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something that is not a folder is in the place of a sub-folder.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A folder, device or pipe is in the place of a file.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// A file is larger than any valid file.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
}
