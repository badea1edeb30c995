//! Errors of models.

use std::io;
use std::path::PathBuf;

use crate::{Device, Layout};

/// A model that cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The model or its manifest.
        path: PathBuf,
        /// What the file system reports.
        source: io::Error,
    },
    /// The manifest is not a valid `model.toml`.
    #[error("{path} is not a valid model manifest: {why}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The model is not the file that its manifest describes.
    #[error("{path} has SHA-256 {found}, its manifest says {expected}")]
    Digest {
        /// The model.
        path: PathBuf,
        /// Digest of the file.
        found: String,
        /// Digest in the manifest.
        expected: String,
    },
    /// The file has another format.
    #[error("{path} is not an ONNX model but {found}")]
    Format {
        /// The model.
        path: PathBuf,
        /// The format that its first bytes tell.
        found: FileFormat,
    },
    /// The path names a folder, a pipe or a device.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The model, or a file that it names.
        path: PathBuf,
    },
    /// The file is larger than any model.
    #[error("{path} is too large: at most {limit} bytes are read, if the memory suffices")]
    TooLarge {
        /// The model, or a file that it names.
        path: PathBuf,
        /// Largest number of bytes that is read.
        limit: u64,
    },
    /// The file is damaged, or has another format.
    #[error("cannot load {path} ({bytes} bytes): it is not a protocol buffer message, as an ONNX model is")]
    Malformed {
        /// The model.
        path: PathBuf,
        /// Size of the file.
        bytes: usize,
    },
    /// The model keeps weights in a file that is missing, or that lies outside the model's folder.
    #[error("{path} keeps weights in `{}`, which cannot be used: {found}", location.escape_debug())]
    External {
        /// The model.
        path: PathBuf,
        /// The name of the file in the model.
        location: String,
        /// What is wrong with it.
        found: String,
    },
    /// The model exceeds a limit of this program.
    #[error("{path} has {found} {what}, at most {limit} can be handled")]
    Limit {
        /// The model.
        path: PathBuf,
        /// What exceeds the limit.
        what: &'static str,
        /// What the model has.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The model did not answer in time.
    #[error("{path} did not answer {rows} image(s) within {seconds} s")]
    TimedOut {
        /// The model.
        path: PathBuf,
        /// Number of images in the batch.
        rows: usize,
        /// Seconds that the model had.
        seconds: u64,
    },
    /// Two equal runs of the model gave different outputs.
    #[error("{path} does not answer the same image the same way twice, so that no result would be reproducible")]
    NotDeterministic {
        /// The model.
        path: PathBuf,
    },
    /// ONNX Runtime refuses the file.
    #[error("ONNX Runtime cannot load {path} ({bytes} bytes): {why}")]
    Load {
        /// The model.
        path: PathBuf,
        /// Size of the file.
        bytes: usize,
        /// What ONNX Runtime reports.
        why: String,
    },
    /// The execution provider is not available.
    #[error("{device} was asked for but is not available: {why}")]
    Device {
        /// The device.
        device: Device,
        /// What ONNX Runtime reports.
        why: String,
    },
    /// The model's input is not one batch of images of the data's shape.
    #[error("{path} has input {found}, expected {expected}")]
    Input {
        /// The model.
        path: PathBuf,
        /// Name, type and shape of the input.
        found: String,
        /// What is wrong with it, as what was expected.
        expected: ExpectedInput,
    },
    /// The model's output is neither scores nor labels.
    #[error("{path} has output {found}, expected {expected}")]
    Output {
        /// The model.
        path: PathBuf,
        /// Name, type and shape of the output.
        found: String,
        /// What is wrong with it, as what was expected.
        expected: ExpectedOutput,
    },
    /// Mean, standard deviation or value range cannot be used.
    #[error("{what} is {found}, expected {expected}")]
    Preprocessing {
        /// The setting: `mean` or `std`.
        what: &'static str,
        /// What was given.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A run of the model failed.
    #[error("running {path} failed: {why}")]
    Run {
        /// The model.
        path: PathBuf,
        /// What ONNX Runtime reports.
        why: String,
    },
    /// The model answered NaN for a clean image, within its value range.
    #[error("{path} answers NaN for a clean image, so that it has no label")]
    NotANumber {
        /// The model.
        path: PathBuf,
    },
}

/// A file format that is not ONNX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileFormat {
    /// No bytes at all.
    #[error("an empty file")]
    Empty,
    /// HDF5, the older format of Keras.
    #[error("an HDF5 file, as Keras writes it")]
    Hdf5,
    /// A zip archive, the format of PyTorch and the newer one of Keras.
    #[error("a zip archive, as Keras (.keras) and PyTorch (.pt, .pth) write it")]
    Zip,
    /// The internal format of ONNX Runtime.
    #[error("a model in ONNX Runtime's own format (.ort)")]
    Ort,
}

/// What a model's input must be. The variant is the requirement that the model does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectedInput {
    /// There must be exactly one input.
    #[error("one input: a batch of images")]
    OneInput,
    /// The input must be a tensor.
    #[error("a tensor")]
    Tensor,
    /// The tensor's elements must be of a type that pixels have.
    #[error("f32, f16 or uint8 values")]
    Pixels,
    /// A model that takes bytes has one range of pixels.
    #[error("value range 0..255 without mean and standard deviation: bytes have no other")]
    Bytes,
    /// The tensor must have four dimensions.
    #[error("rank 4: [n, h, w, c] or [n, c, h, w]")]
    Rank4,
    /// Images of this shape `[h, w, c]` fit in both layouts.
    #[error("a layout that can be told from images of shape {0:?} [h, w, c]; state it (nhwc or nchw)")]
    UnambiguousLayout([usize; 3]),
    /// Images of this shape `[h, w, c]` do not fit in the stated layout.
    #[error("images of shape {0:?} [h, w, c] in layout {1}, as stated")]
    StatedLayout([usize; 3], Layout),
    /// Images of this shape `[h, w, c]` do not fit in any layout.
    #[error("images of the data's shape {0:?} [h, w, c]")]
    ImageShape([usize; 3]),
    /// Without data, the input itself must state the image shape.
    #[error("a stated image shape, [n, h, w, c] or [n, c, h, w] with 1 or 3 channels")]
    StatedShape,
}

/// What a model's output must be. The variant is the requirement that the model does not meet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectedOutput {
    /// There must be an output.
    #[error("at least one output")]
    AnyOutput,
    /// There must be an output of this name.
    #[error("one of name `{0}`")]
    Named(String),
    /// A model that answers labels needs a stated number of classes.
    #[error("scores, or a number of classes stated in the manifest")]
    StatedClasses,
    /// The number of scores must be the stated number of classes.
    #[error("{0} classes, as stated")]
    Classes(u32),
    /// A classifier has at least two classes.
    #[error("at least 2 classes (a single score is no label without a threshold)")]
    TwoClasses,
    /// A threshold is for a single score.
    #[error("one score for each image, as a threshold is stated")]
    OneScore,
    /// A run on this number of images must give one row of scores, or one label, for each.
    #[error("f32 or f16 scores [n, classes], or i64 or i32 labels [n], n = {0}")]
    ScoresOrLabels(usize),
    /// Labels must be below the number of classes.
    #[error("labels from 0 to {}", .0.saturating_sub(1))]
    LabelBelow(u32),
}
