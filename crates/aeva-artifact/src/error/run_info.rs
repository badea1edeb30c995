//! Why a file is no description of a run.

/// What is wrong with `run.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunInfoError {
    /// Not JSON, or not of this form.
    #[error("unreadable JSON")]
    Json(#[source] serde_json::Error),
    /// Of a version that this program does not know.
    #[error("schema_version {found}, this program reads 1 to {supported}")]
    Version {
        /// Version in the file.
        found: u64,
        /// Latest version that can be read.
        supported: u32,
    },
    /// A file of this version always has a checksum.
    #[error("there is no checksum")]
    NoChecksum,
    /// The content does not have the SHA-256 that is in it.
    #[error("checksum mismatch: the file says {found}, its content has {expected}")]
    Checksum {
        /// Checksum in the file.
        found: String,
        /// Checksum of the other fields.
        expected: String,
    },
    /// The key is not that of the provenance.
    #[error("key {found}, but the provenance has {expected}")]
    Key {
        /// Key in the file.
        found: String,
        /// Key of the provenance.
        expected: String,
    },
    /// A model of more labels than any.
    #[error("a model with {found} labels, at most {limit} are allowed")]
    Classes {
        /// Labels of the model.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// The clean accuracy is no share.
    #[error("clean_accuracy {found} is not within 0..=1")]
    Accuracy {
        /// Accuracy in the file.
        found: f64,
    },
    /// More queries than can have been made.
    #[error("clean_queries {found}, at most {limit} are possible")]
    Queries {
        /// Queries in the file.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Counts of images that are not one a label.
    #[error("clean_correct has {correct} counts and clean_images {images}, expected {classes} each, or none")]
    Counted {
        /// Counts of correct images.
        correct: usize,
        /// Counts of images.
        images: usize,
        /// Labels of the model.
        classes: u32,
    },
    /// More correct images than images.
    #[error("{correct} of {images} images of label {label} are correct")]
    MoreThanAll {
        /// The label.
        label: u32,
        /// Its correct images.
        correct: u32,
        /// Its images.
        images: u32,
    },
    /// The digest of the answers is none.
    #[error("clean_answers is {found:?}, expected a SHA-256 in lower-case hexadecimal")]
    Answers {
        /// What is there instead.
        found: String,
    },
}
