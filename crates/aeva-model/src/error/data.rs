//! Errors of data sets.

use std::io;
use std::path::PathBuf;

/// Images that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file system refused.
    #[error("cannot read {path}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the file system reports.
        source: io::Error,
    },
    /// The name does not tell what kind of data this is.
    #[error("{path} is neither a .npz, .npy or .csv file, a CIFAR .bin file nor a folder of images")]
    UnknownKind {
        /// The path.
        path: PathBuf,
    },
    /// A `.npy` file has images alone.
    #[error("{path} has images without labels: a .npy file is one array")]
    NoLabels {
        /// The file.
        path: PathBuf,
    },
    /// Something is stated that has no meaning for this kind of data.
    #[error("{path}: --{option} is stated, which is for {takes}")]
    Unused {
        /// The data.
        path: PathBuf,
        /// What is stated: the name of the option.
        option: &'static str,
        /// The kind of data that it is for.
        takes: &'static str,
    },
    /// A stated order of classes cannot be used.
    #[error("{path}: found {found}, expected the names of all classes, one a line, in the order of the model's labels")]
    ClassOrder {
        /// The file with the order.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The content does not have the required form.
    #[error("{path}: found {found}, expected {expected}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What the file contains.
        found: String,
        /// What it should contain.
        expected: String,
    },
    /// A `.npz` file has no array under any of the usual names.
    #[error("{path}: found arrays {found:?}, expected {what} under one of the names {names:?}")]
    MissingArray {
        /// The file.
        path: PathBuf,
        /// What is missing: `images` or `labels`.
        what: &'static str,
        /// Names of the arrays in the file; the first ones if there are many.
        found: Vec<String>,
        /// The names that are looked for, in order of preference.
        names: &'static [&'static str],
    },
    /// A CIFAR file does not consist of whole records.
    #[error(
        "{path}: found {bytes} bytes ({records} whole CIFAR-10 records and {remainder} bytes), expected {}",
        Self::CIFAR_RECORDS
    )]
    PartialRecord {
        /// The file.
        path: PathBuf,
        /// Size of the file.
        bytes: usize,
        /// Whole CIFAR-10 records in it.
        records: usize,
        /// Bytes after the last whole record.
        remainder: usize,
    },
    /// The images of a folder have different sizes.
    #[error(
        "{path}: found shape {found:?} [h, w, c], expected {expected:?} as in {}: all images of one size",
        first.display()
    )]
    ImageSize {
        /// The image that differs.
        path: PathBuf,
        /// Its shape `[h, w, c]`.
        found: [usize; 3],
        /// Shape of the first image.
        expected: [usize; 3],
        /// The first image.
        first: PathBuf,
    },
    /// The images of a folder have different numbers of channels.
    #[error(
        "{path}: found {}, expected {} as in {}: all images with the same channels",
        channels(*found),
        channels(*expected),
        first.display()
    )]
    ImageChannels {
        /// The image that differs.
        path: PathBuf,
        /// Its number of channels.
        found: usize,
        /// Channels of the first image.
        expected: usize,
        /// The first image.
        first: PathBuf,
    },
    /// The file is damaged, or packed in a way that is not supported.
    #[error("{path} cannot be decoded: {why}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl DataError {
    /// What a CIFAR file consists of.
    pub(crate) const CIFAR_RECORDS: &'static str = "records of 3073 bytes with a label below 10 (CIFAR-10), or of 3074 bytes with labels below 20 and 100 (CIFAR-100)";
}

fn channels(count: usize) -> String {
    format!("{count} {}", if count == 1 { "channel" } else { "channels" })
}
