//! Code that the chores (`cargo xtask`) and the evaluation (`aeva-eval`) share: other programs, Python environments, models to work on.
//!
//! Dependencies go one way: `aeva-eval` links this library, and the binary `xtask` starts `aeva-eval` as a process. So `xtask` links no
//! other crate of the workspace, and the chores build without the bindings of ONNX Runtime. The price is a second, smaller version of
//! three things that the libraries have too: [`files`], [`manifest`] and the cache folder in [`python`]. Tests of `aeva-eval`, which
//! links both, make sure that the two versions agree.

pub mod convert;
pub mod demo;
pub mod evaluation;
pub mod files;
pub mod manifest;
pub mod process;
pub mod python;
pub mod shared_data;

use std::path::PathBuf;

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
