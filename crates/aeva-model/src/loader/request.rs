//! What a loader is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aeva_endpoint::EndpointOptions;

use super::known::KnownAnswers;
use crate::{Device, Layout, ValueRange};

/// A model, where and how to run it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The model: the path of an ONNX file, `program:COMMAND`, the address of a service, or `-` for the program that started this one.
    pub model: &'a Path,
    /// What the user states about it.
    pub stated: &'a Stated,
    /// Where it runs.
    pub device: Device,
    /// Threads of the program. On the CPU each of them gets an oracle.
    pub threads: usize,
    /// Whether to give up, asked before every batch.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// How a service is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceOptions {
    /// Protocol, token, pace and patience.
    pub options: EndpointOptions,
    /// Requests at the same time.
    pub connections: usize,
    /// What it answered at the start of an earlier run of the same scan.
    pub known: KnownAnswers,
}

/// What the user states about a model. Each item goes before the manifest's; an item that neither states is found out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stated {
    /// Path of the manifest; `NAME.toml` beside `NAME.onnx` if not stated.
    pub manifest: Option<PathBuf>,
    /// Order of the dimensions of the input.
    pub layout: Option<Layout>,
    /// Interval of the model's pixels.
    pub value_range: Option<ValueRange>,
    /// Mean of each channel, in the unit of the value range.
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel, in the same unit.
    pub std: Option<Vec<f32>>,
    /// Whether the model takes the channels in reverse order (BGR).
    pub reverse_channels: bool,
    /// Name of the output.
    pub output: Option<String>,
    /// Number of labels.
    pub classes: Option<u32>,
    /// For a model with one score: label 1 begins above it.
    pub threshold: Option<f32>,
    /// How a service is asked.
    pub service: Option<ServiceOptions>,
    /// Time that the model may take for each image of a batch.
    pub answer_timeout: Option<Duration>,
}
