//! What can be wrong with models, data and the runtime. Every variant names the file.

use std::io;
use std::path::PathBuf;

/// ONNX Runtime could not be found or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No library anywhere.
    #[error("ONNX Runtime for {device} is not installed; looked at {}", searched.join(", "))]
    NotFound {
        /// The device that was asked for.
        device: String,
        /// Places that were looked at, in order.
        searched: Vec<String>,
    },
    /// `ORT_DYLIB_PATH` names a file that is not there.
    #[error("ORT_DYLIB_PATH is {path}, but there is no such file")]
    OverrideMissing {
        /// Its value.
        path: PathBuf,
    },
    /// Telemetry is not switched off, and could not be any more once the library is loaded.
    #[error("ONNX Runtime is not loaded, as its telemetry is on: the environment does not have {variable}={value}")]
    Telemetry {
        /// The environment variable.
        variable: &'static str,
        /// What it must be.
        value: &'static str,
    },
    /// The library that `aeva setup` installed is not what it installed.
    #[error("{path} has SHA-256 {found}, expected {expected}: it was damaged or replaced")]
    Digest {
        /// The library.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Of the file that was installed.
        expected: &'static str,
    },
    /// The library does not load, or is too old.
    #[error("cannot load ONNX Runtime from {path}: {why}")]
    Load {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        why: String,
    },
}

/// A model that cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The model or manifest.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The manifest is no valid `model.toml`.
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
        /// Of the file.
        found: String,
        /// In the manifest.
        expected: String,
    },
    /// The file is of another format.
    #[error("{path} is not an ONNX model but {found}")]
    Format {
        /// The model.
        path: PathBuf,
        /// What it looks like.
        found: &'static str,
    },
    /// The path names a folder, a pipe or a device.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The model, or a file that it names.
        path: PathBuf,
    },
    /// The file is larger than any model, or than the memory.
    #[error("{path} is too large: at most {limit} bytes are read, if the memory suffices")]
    TooLarge {
        /// The model, or a file that it names.
        path: PathBuf,
        /// Bytes that are read at most.
        limit: u64,
    },
    /// The file is damaged, or of another format.
    #[error("cannot load {path} ({bytes} bytes): it is not a protocol buffer message, as an ONNX model is")]
    Malformed {
        /// The model.
        path: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// The model keeps weights in a file that is not there, or not in its own folder.
    #[error("{path} keeps weights in `{}`, which cannot be used: {found}", location.escape_debug())]
    External {
        /// The model.
        path: PathBuf,
        /// The name that it has for the file.
        location: String,
        /// What is wrong with it.
        found: String,
    },
    /// The model takes or answers more than can be handled.
    #[error("{path} has {found} {what}, at most {limit} can be handled")]
    Limit {
        /// The model.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The model did not answer in time.
    #[error("{path} did not answer {rows} image(s) within {seconds} s")]
    TimedOut {
        /// The model.
        path: PathBuf,
        /// Images of the batch.
        rows: usize,
        /// Seconds that it had.
        seconds: u64,
    },
    /// The model answers the same image in different ways.
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
        /// Its size.
        bytes: usize,
        /// What ONNX Runtime says.
        why: String,
    },
    /// The execution provider is not there.
    #[error("{device} was asked for but is not available: {why}")]
    Device {
        /// The device.
        device: String,
        /// What ONNX Runtime says.
        why: String,
    },
    /// The model takes something else than one batch of images.
    #[error("{path} has input {found}, expected {expected}")]
    Input {
        /// The model.
        path: PathBuf,
        /// Name, type and shape of what it takes.
        found: String,
        /// What can be asked.
        expected: String,
    },
    /// The model answers something else than scores or labels.
    #[error("{path} has output {found}, expected {expected}")]
    Output {
        /// The model.
        path: PathBuf,
        /// Name, type and shape of what it answers.
        found: String,
        /// What can be understood.
        expected: String,
    },
    /// Mean, standard deviation or value range make no sense.
    #[error("{what} is {found}, expected {expected}")]
    Preprocessing {
        /// The setting.
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
        /// What ONNX Runtime says.
        why: String,
    },
    /// The model answered NaN for an image within its value range.
    #[error("{path} answers NaN")]
    NotANumber {
        /// The model.
        path: PathBuf,
    },
}

/// Images that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file system refused.
    #[error("cannot read {path}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The kind of data cannot be told from the name.
    #[error("{path} is neither a .npz file, a CIFAR .bin file nor a folder of images")]
    UnknownKind {
        /// The path.
        path: PathBuf,
    },
    /// The content does not have the form it must have.
    #[error("{path}: found {found}, expected {expected}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What must be there.
        expected: String,
    },
    /// The file is damaged, or packed in a way that is not read.
    #[error("{path} cannot be decoded: {why}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}
