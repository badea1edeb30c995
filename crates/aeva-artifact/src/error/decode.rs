//! Why bytes are no artifact.

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
    Payload(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The payload decodes, but contradicts itself.
    #[error("inconsistent payload: {0}")]
    Inconsistent(String),
    /// The image has a dimension of nothing, or more values than any image.
    #[error("an image of {found:?} values; each dimension has at least 1, all together at most {limit}")]
    Shape {
        /// Shape `[h, w, c]` in the file.
        found: [usize; 3],
        /// Most values of an image.
        limit: usize,
    },
    /// A model of more labels than any.
    #[error("a model with {found} labels, at most {limit} are allowed")]
    Classes {
        /// Labels of the model, by the header.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// A label that the model does not have.
    #[error("label {found} of {what}, but the model has {classes}")]
    Label {
        /// Where it stands.
        what: &'static str,
        /// The label.
        found: u32,
        /// Labels of the model.
        classes: u32,
    },
    /// A pair of one label.
    #[error("source and target are both {label}")]
    SelfPair {
        /// The label.
        label: u32,
    },
    /// Something that can be there once is there again.
    #[error("{what} is there twice")]
    Twice {
        /// What.
        what: String,
    },
    /// Triggers of a family that this program does not know: a later version wrote them.
    #[error("triggers of family number {found}, which this program does not know")]
    UnknownFamily {
        /// Number in the file.
        found: u32,
    },
    /// A patch of another size than its setting has.
    #[error("a patch of side {found}, its setting has {expected}")]
    Side {
        /// Side of the patch.
        found: usize,
        /// Side of the setting on such images.
        expected: usize,
    },
    /// A patch where the family has patterns, or a pattern where it has patches.
    #[error("setting {setting} holds a trigger that is no {expected}")]
    Family {
        /// The setting.
        setting: String,
        /// What its triggers are.
        expected: &'static str,
    },
    /// A pattern of another strength than its setting has, or than an image can show.
    #[error("a pattern of amplitude {found}, its setting has {expected}; at most 1 is possible")]
    Amplitude {
        /// Amplitude of the pattern.
        found: f32,
        /// Amplitude of the setting.
        expected: f32,
    },
    /// A value outside of its range.
    #[error("a {what} has the value {found}, which is not within {low}..={high}")]
    Value {
        /// Of what.
        what: &'static str,
        /// The value.
        found: f32,
        /// Lowest possible value.
        low: f32,
        /// Highest possible value.
        high: f32,
    },
    /// More images than a trigger can have been stamped on.
    #[error("a trigger on {found} images, at most {limit} are possible")]
    TooManyImages {
        /// Images.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// More queries than can have been made.
    #[error("at least {found} queries, at most {limit} are possible")]
    TooManyQueries {
        /// Queries.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A distance that is none.
    #[error("sample {sample} is at distance {found}")]
    Distance {
        /// Number of the sample.
        sample: u32,
        /// The distance.
        found: f64,
    },
    /// An image that the data does not have.
    #[error("sample {sample} is of image {found}, but the data has {images}")]
    Image {
        /// Number of the sample.
        sample: u32,
        /// Index of the image.
        found: u64,
        /// Images of the data.
        images: u64,
    },
}
