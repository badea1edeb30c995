//! Errors of ONNX Runtime itself.

use std::path::PathBuf;

use crate::Device;

/// ONNX Runtime could not be found or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The library was not found in any of the usual places.
    #[error("ONNX Runtime for {device} is not installed; looked at {}", searched.join(", "))]
    NotFound {
        /// The requested device.
        device: Device,
        /// The places that were searched, in order.
        searched: Vec<String>,
    },
    /// `ORT_DYLIB_PATH` names a file that does not exist.
    #[error("ORT_DYLIB_PATH is {path}, but there is no such file")]
    OverrideMissing {
        /// Value of the variable.
        path: PathBuf,
    },
    /// Telemetry is not switched off, which is impossible once the library is loaded.
    #[error("ONNX Runtime is not loaded, as its telemetry is on: the environment does not have {variable}={value}")]
    Telemetry {
        /// The environment variable that switches telemetry off.
        variable: &'static str,
        /// The value that it must have.
        value: &'static str,
    },
    /// The library in the cache folder is not the one that `aeva setup` installed.
    #[error("{path} has SHA-256 {found}, expected {expected}: it was damaged or replaced")]
    Digest {
        /// The library.
        path: PathBuf,
        /// Digest of the file.
        found: String,
        /// Digest of the file that was installed.
        expected: &'static str,
    },
    /// The library cannot be loaded, or it is too old.
    #[error("cannot load ONNX Runtime from {path}: {why}")]
    Load {
        /// The library.
        path: PathBuf,
        /// What the system's loader reports.
        why: String,
    },
}
