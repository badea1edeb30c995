//! Errors of encoding an artifact.

/// Why an artifact cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An image dimension, or a position in an image, does not fit into the 32 bits of the file format.
    #[error("an image dimension of {found} does not fit 32 bits")]
    Dimension {
        /// The dimension.
        found: usize,
    },
    /// The header cannot be written as JSON.
    #[error("the header cannot be written as JSON")]
    Header(#[source] serde_json::Error),
    /// The header is longer than a reader accepts.
    #[error("the header has {found} bytes, at most {limit} are allowed")]
    HeaderTooLong {
        /// Length of the header.
        found: usize,
        /// The limit.
        limit: u64,
    },
    /// The payload cannot be encoded.
    #[error("the payload cannot be encoded")]
    Payload(#[source] Box<dyn std::error::Error + Send + Sync>),
}
