//! The black boxes and the images of AEVA.
//!
//! - [`Loader`] turns what the user names and states into a [`LoadedModel`]: oracles, the images that they classify correctly, and
//!   what was found out on the way. Nothing above it depends on the kind of model.
//! - [`OnnxOracle`] runs an ONNX model through ONNX Runtime, on the CPU or on a [`Device`] of another kind, and answers with labels
//!   only. [`Runtime`] finds and loads the library. No type of ONNX Runtime's bindings is public.
//! - A program of any kind can answer for a model: it gets images over a pipe and answers with labels (`program:COMMAND`).
//! - [`Manifest`] (`model.toml`) states what a model file is and what it takes. [`Preprocessing`] states how images in `[0, 1]`
//!   become the model's input.
//! - [`Dataset`] loads CIFAR binaries, `.npz` and `.npy` files, and folders and lists of images.
//! - [`settle`](conventions::settle) finds out which common preprocessing a model was made for, and
//!   [`diagnose`](diagnosis::diagnose) why a model misclassifies clean images.

mod answer;
mod batching;
pub mod conventions;
pub mod data;
pub mod diagnosis;
mod digest;
mod element;
mod error;
mod external_data;
mod guard;
mod input;
mod io_binding;
mod label_graph;
mod layout;
mod library;
pub mod loader;
mod manifest;
mod model_file;
mod onnx;
mod pins;
mod preprocessing;
mod program;
mod protobuf;
mod provider;
mod read_model;
mod regular_file;
mod runtime;
mod session;
mod signature;
mod telemetry;
mod watch;

pub use aeva_endpoint::{Attempt, AwsKeys, EndpointError, EndpointOptions, Found, Protocol, Secret, Template, probe};
pub use data::{DataOptions, Dataset, ImageSize};
pub use error::{DataError, ExpectedInput, ExpectedOutput, FileFormat, ModelError, ProgramError, RuntimeError};
pub use layout::Layout;
pub use loader::{LoadError, LoadedModel, Loader, Stated};
pub use manifest::{InputManifest, Manifest, ModelManifest, OutputManifest};
pub use model_file::ModelFile;
pub use onnx::{MOST_CLASSES, OnnxOptions, OnnxOracle, Transfer};
pub use pins::{Library, Wheel, wheels};
pub use preprocessing::{Preprocessing, ValueRange};
pub use provider::{Build, Device, OpenVinoHardware};
pub use runtime::{Runtime, cache_folder, check_installation, library_file_name, library_folder};
pub use telemetry::{TELEMETRY_OFF, TELEMETRY_SWITCH};
pub use watch::on_unresponsive_model;
