//! What every kind of model has to offer to the loader.

use std::path::Path;

use ndarray::Array4;

use super::error::LoadError;
use super::loaded::{LoadedModel, RawRuns};
use super::request::Request;
use crate::Dataset;

/// A kind of model, such as ONNX files. Most methods are those of [`Loader`](super::Loader).
pub(super) trait Kind: Sync {
    /// Whether a model of this name is of this kind. Nothing is read to find out.
    fn takes(&self, model: &Path) -> bool;

    /// Loads the model once per worker and measures what it makes of `data`.
    fn load(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError>;

    /// Loads the model for images of the shape that it states.
    fn load_without_data(
        &self,
        request: &Request<'_>,
        make: &dyn Fn([usize; 3]) -> Array4<f32>,
    ) -> Result<(LoadedModel<dyn RawRuns>, Array4<f32>), LoadError>;

    /// Loads the model as it is stated, without a manifest, and classifies `data` once.
    fn load_plain(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError>;
}
