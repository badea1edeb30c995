//! From the name of a model to oracles that are ready for a scan.
//!
//! A search on images that the model misunderstands ends in a confident verdict that means nothing. So a [`Loader`] settles how
//! images go in, measures the accuracy on clean images and makes sure that the answers can be relied on. What it cannot settle is a
//! [`LoadError`] that names the cause.
//!
//! Only `KINDS` and the file of each kind (`onnx.rs`, `program.rs`, `endpoint.rs`) know what kind of model was named.

mod endpoint;
mod error;
mod fingerprint;
mod kind;
mod known;
mod loaded;
mod onnx;
mod precision;
mod preprocessing;
mod probes;
mod program;
mod questions;
mod request;
mod sight;

use std::num::NonZero;
use std::path::Path;
use std::thread;

use ndarray::Array4;

pub use error::{LoadError, Misunderstanding};
pub use known::KnownAnswers;
pub use loaded::{Identity, LoadedModel, PreprocessingSource, RawRuns};
pub use precision::Precision;
pub use request::{Request, ServiceOptions, Stated};

use self::kind::Kind;
use crate::{Dataset, Device, ValueRange};

/// Loads the model that a [`Request`] names.
pub struct Loader<'a> {
    request: Request<'a>,
    kind: &'static dyn Kind,
}

/// The kinds of models. The first that takes the name of a model loads it; a file is what no other kind takes.
const KINDS: &[&dyn Kind] = &[&endpoint::Service, &program::Program, &onnx::OnnxFile];

impl<'a> Loader<'a> {
    /// A loader for the kind of model that `request` names. Nothing is read yet.
    pub fn new(request: Request<'a>) -> Self {
        let kind = KINDS.iter().copied().find(|kind| kind.takes(request.model)).unwrap_or(&onnx::OnnxFile);
        Self { request, kind }
    }

    /// Loads the model once per worker, settles how images go in and measures what the model makes of `data`.
    ///
    /// # Errors
    /// [`LoadError`], also for a model that does not understand the images, answers at random or always the same.
    pub fn load(&self, data: &Dataset) -> Result<LoadedModel, LoadError> {
        self.load_raw(data).map(LoadedModel::from)
    }

    /// The same as [`load`](Self::load), with oracles whose throughput can be measured.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_raw(&self, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        self.kind.load(&self.request, data)
    }

    /// Loads the model for images that `make` makes up, given their shape `[h, w, c]`, and returns both. The labels that the model
    /// gives to the images are taken for the true ones.
    ///
    /// # Errors
    /// [`LoadError`], also for a model that does not state the shape of its images.
    pub fn load_without_data(
        &self,
        make: &dyn Fn([usize; 3]) -> Array4<f32>,
    ) -> Result<(LoadedModel<dyn RawRuns>, Array4<f32>), LoadError> {
        self.kind.load_without_data(&self.request, make)
    }

    /// Loads a model whose preprocessing is known to be `value_range` alone: one oracle a core, on the CPU. It classifies `data`
    /// once and checks nothing.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn plain(model: &Path, data: &Dataset, value_range: ValueRange) -> Result<LoadedModel, LoadError> {
        let stated = Stated { value_range: Some(value_range), ..Stated::default() };
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let loader = Loader::new(Request { model, stated: &stated, device: Device::Cpu, threads, stop: &|| false });
        loader.kind.load_plain(&loader.request, data).map(LoadedModel::from)
    }
}
