//! What the chores (`cargo xtask`) and the evaluation (`aeva-eval`) share: other programs, Python environments, models to work on.
//!
//! A library beside the binary, because the dependency goes one way: `aeva-eval` links this library, and `xtask` starts `aeva-eval`
//! as a process. So `xtask` links no other crate of the workspace, and a chore builds without the bindings of ONNX Runtime.
//! The price is a second, smaller form of three things that the libraries have too: [`files`], [`manifest`] and the cache folder in
//! [`python`]. Tests of `aeva-eval`, which sees both sides, hold them together.

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
