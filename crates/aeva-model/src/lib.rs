//! The black boxes and images of AEVA.
//!
//! - [`OnnxOracle`] runs an ONNX model through ONNX Runtime on the CPU or a CUDA device and answers with labels only;
//!   [`Runtime`] finds and loads the library. No type of ONNX Runtime's bindings is in this crate's interface.
//! - [`Manifest`] (`model.toml`) states what a model file is and what it takes; [`Preprocessing`] how images in `[0, 1]`
//!   become its input.
//! - [`Dataset`] loads CIFAR binaries, `.npz` files and image folders.
//! - [`settle`](conventions::settle) finds out which usual preprocessing a model understands, [`diagnose`](clean::diagnose) why it
//!   gets clean images wrong.

mod bound;
pub mod clean;
pub mod conventions;
pub mod data;
mod error;
mod external_data;
mod form;
mod guard;
mod input;
mod label_graph;
mod library;
mod manifest;
mod model_file;
mod onnx;
mod pins;
mod preprocessing;
mod protobuf;
mod provider;
mod rows;
mod runtime;
mod session;
mod telemetry;
mod watch;

pub use data::Dataset;
pub use error::{DataError, ModelError, RuntimeError};
pub use manifest::{InputManifest, Manifest, ModelManifest, OutputManifest};
pub use model_file::ModelFile;
pub use onnx::{MOST_CLASSES, OnnxOptions, OnnxOracle, Transfer};
pub use pins::{Library, Wheel, wheels};
pub use preprocessing::{Layout, Preprocessing, ValueRange};
pub use provider::{Build, Device, OpenVinoHardware};
pub use runtime::{Runtime, cache_folder, check_installation, library_file_name, library_folder};
pub use telemetry::{TELEMETRY_OFF, TELEMETRY_SWITCH};
pub use watch::on_unresponsive_model;
