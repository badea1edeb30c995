//! Errors of reading the description of a run.

/// What is wrong with `run.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunInfoError {
    /// Not JSON, or not JSON of this form.
    #[error("unreadable JSON")]
    Json(#[source] serde_json::Error),
    /// A version that this program does not know.
    #[error("schema_version is {found}, but this program reads 1 to {supported}")]
    Version {
        /// Version in the file.
        found: u64,
        /// Latest version that can be read.
        supported: u32,
    },
    /// A file of this version always has a checksum.
    #[error("there is no checksum")]
    NoChecksum,
    /// The content does not match the SHA-256 in the file.
    #[error("checksum mismatch: the file says {found}, its content has {expected}")]
    Checksum {
        /// Checksum in the file.
        found: String,
        /// Checksum of the other fields.
        expected: String,
    },
    /// The key does not match the provenance.
    #[error("key is {found}, but the provenance gives {expected}")]
    Key {
        /// Key in the file.
        found: String,
        /// Key of the provenance.
        expected: String,
    },
    /// The model has too many labels.
    #[error("the model has {found} labels, at most {limit} are allowed")]
    Classes {
        /// Labels of the model.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// The clean accuracy is not between 0 and 1.
    #[error("clean_accuracy is {found}, which is not within 0..=1")]
    Accuracy {
        /// Accuracy in the file.
        found: f64,
    },
    /// More queries than are possible.
    #[error("clean_queries is {found}, at most {limit} are possible")]
    Queries {
        /// Queries in the file.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The image counts are not one per label.
    #[error("clean_correct has {correct} counts and clean_images {images}, expected {classes} each, or none")]
    Counted {
        /// Number of counts of correct images.
        correct: usize,
        /// Number of counts of images.
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
    /// The digest of the answers is not a SHA-256.
    #[error("clean_answers is {found:?}, expected a SHA-256 in lower-case hexadecimal")]
    Answers {
        /// Value in the file.
        found: String,
    },
}
