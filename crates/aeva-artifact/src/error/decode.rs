//! Errors of decoding an artifact.

/// Why bytes are not a valid artifact. Each kind of damage has its own variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file is shorter than the fixed parts of a container.
    #[error("{found} bytes are too few for an artifact; the smallest has {needed}")]
    TooShort {
        /// Bytes found.
        found: usize,
        /// Bytes of the fixed parts.
        needed: usize,
    },
    /// Not an artifact, or damaged by a text-mode transfer.
    #[error("the file does not start with the artifact signature, but with {found:02x?}")]
    Magic {
        /// The first eight bytes.
        found: [u8; 8],
    },
    /// Written by a later version of the container format.
    #[error("container version is {found}, but this program reads up to {supported}")]
    ContainerVersion {
        /// Version in the file.
        found: u16,
        /// Latest version that can be read.
        supported: u16,
    },
    /// An artifact of a different kind.
    #[error("artifact kind is {found}, expected {expected}")]
    Kind {
        /// Kind in the file.
        found: u16,
        /// Expected kind.
        expected: u16,
    },
    /// Written by a later version of the payload format.
    #[error("payload version is {found}, but this program reads up to {supported}")]
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
    #[error("the header has {found} bytes, at most {limit} are allowed")]
    HeaderTooLong {
        /// Claimed length.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The lengths in the file do not add up to its size: it was truncated or extended.
    #[error("the file has {found} bytes, but its lengths add up to {expected}")]
    Length {
        /// Size of the file.
        found: u64,
        /// Size computed from its lengths.
        expected: u64,
    },
    /// The content does not match the SHA-256 at its end.
    #[error("checksum mismatch: the content is not what was written")]
    Checksum,
    /// The header is not valid JSON of the expected form.
    #[error("unreadable header")]
    Header(#[source] serde_json::Error),
    /// The payload is not valid bincode of the expected form.
    #[error("unreadable payload")]
    Payload(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The payload can be decoded but contradicts itself.
    #[error("inconsistent payload: {0}")]
    Inconsistent(String),
    /// A dimension of the image is zero, or the image has too many values.
    #[error("the image shape is {found:?}; each dimension must be at least 1, and their product at most {limit}")]
    Shape {
        /// Shape `[h, w, c]` in the file.
        found: [usize; 3],
        /// Largest number of values of an image.
        limit: usize,
    },
    /// The model has too many labels.
    #[error("the model has {found} labels, at most {limit} are allowed")]
    Classes {
        /// Labels of the model, according to the header.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// A label that the model does not have.
    #[error("label {found} of {what}, but the model has {classes}")]
    Label {
        /// Where the label occurs.
        what: &'static str,
        /// The label.
        found: u32,
        /// Labels of the model.
        classes: u32,
    },
    /// A pair whose two labels are the same.
    #[error("source and target are both {label}")]
    SelfPair {
        /// The label.
        label: u32,
    },
    /// Something occurs twice that may occur only once.
    #[error("{what} occurs twice")]
    Twice {
        /// What it is.
        what: String,
    },
    /// Triggers of an unknown family; a later version of this program wrote them.
    #[error("the triggers belong to family number {found}, which this program does not know")]
    UnknownFamily {
        /// Number in the file.
        found: u32,
    },
    /// A trigger of an unknown shape; a later version of this program wrote it.
    #[error("a trigger has shape number {found}, but this program knows {supported:?}")]
    UnknownShape {
        /// Number in the file.
        found: u32,
        /// Numbers of the shapes that are known.
        supported: Vec<u8>,
    },
    /// A trigger that does not fit its setting and images.
    #[error(transparent)]
    Trigger(#[from] aeva_attack::trigger::Unfit),
    /// More images than a trigger can be stamped on.
    #[error("a trigger was stamped on {found} images, at most {limit} are possible")]
    TooManyImages {
        /// Number of images.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// More queries than are possible.
    #[error("the file claims at least {found} queries, at most {limit} are possible")]
    TooManyQueries {
        /// Number of queries.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// An invalid distance.
    #[error("the distance of sample {sample} is {found}")]
    Distance {
        /// Number of the sample.
        sample: u32,
        /// The distance.
        found: f64,
    },
    /// An image that is not in the data.
    #[error("sample {sample} uses image {found}, but the data has {images}")]
    Image {
        /// Number of the sample.
        sample: u32,
        /// Index of the image.
        found: u64,
        /// Number of images in the data.
        images: u64,
    },
}
