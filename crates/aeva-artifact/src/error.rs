//! What can go wrong with files.

use std::io;
use std::path::PathBuf;

/// Why bytes are no artifact. Each way to be damaged has its own name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Shorter than the fixed parts of a container.
    #[error("{found} bytes are too few for an artifact, which has at least {needed}")]
    TooShort {
        /// Bytes there are.
        found: usize,
        /// Bytes of the fixed parts.
        needed: usize,
    },
    /// Not an artifact, or one damaged by a text-mode transfer.
    #[error("the file does not start with the artifact signature, but with {found:02x?}")]
    Magic {
        /// The first eight bytes.
        found: [u8; 8],
    },
    /// Written by a later version of the container.
    #[error("container version {found}, this program reads up to {supported}")]
    ContainerVersion {
        /// Version in the file.
        found: u16,
        /// Latest version that can be read.
        supported: u16,
    },
    /// An artifact, but of another kind.
    #[error("artifact kind {found}, expected {expected}")]
    Kind {
        /// Kind in the file.
        found: u16,
        /// Kind that was asked for.
        expected: u16,
    },
    /// Written by a later version of the payload.
    #[error("payload version {found}, this program reads up to {supported}")]
    PayloadVersion {
        /// Version in the file.
        found: u16,
        /// Latest version that can be read.
        supported: u16,
    },
    /// The reserved field is not zero.
    #[error("reserved field is {found}, expected 0")]
    Reserved {
        /// Value in the file.
        found: u16,
    },
    /// The header claims a length beyond the limit.
    #[error("header of {found} bytes, at most {limit} are allowed")]
    HeaderTooLong {
        /// Claimed length.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The lengths in the file do not add up to its size: truncated, or bytes were added.
    #[error("the file has {found} bytes, its lengths say {expected}")]
    Length {
        /// Size of the file.
        found: u64,
        /// Size by its own lengths.
        expected: u64,
    },
    /// The content does not have the SHA-256 at its end.
    #[error("checksum mismatch: the content is not what was written")]
    Checksum,
    /// The header is no valid JSON of the expected form.
    #[error("unreadable header")]
    Header(#[source] serde_json::Error),
    /// The payload is no valid bincode of the expected form.
    #[error("unreadable payload")]
    Payload(#[source] bincode::error::DecodeError),
    /// The payload decodes, but contradicts itself.
    #[error("inconsistent payload: {0}")]
    Inconsistent(String),
}

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
        source: bincode::error::EncodeError,
    },
    /// `run.json` is there but unreadable.
    #[error("{path} is not a valid run description")]
    RunDescription {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
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
    /// An artifact in the folder belongs to another scan or another pair.
    #[error("{path} does not belong to this run: {why}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        why: String,
    },
}
