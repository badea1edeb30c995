//! The telemetry of ONNX Runtime, which is kept off.
//!
//! From version 1.29 on, ONNX Runtime writes a device identifier and events into the user's cache folder and sends them to its
//! makers. It does so as soon as it is initialised, before its interface accepts any setting. An environment variable prevents this,
//! which the library reads when it is loaded. So [`Runtime::load`](crate::Runtime::load) refuses to load the library unless that
//! variable is set.

use std::env;

/// The environment variable that keeps the telemetry of ONNX Runtime off. It must be [`TELEMETRY_OFF`] before
/// [`Runtime::load`](crate::Runtime::load) is called.
pub const TELEMETRY_SWITCH: &str = "ORT_DISABLE_TELEMETRY";

/// The value of [`TELEMETRY_SWITCH`] that switches telemetry off.
pub const TELEMETRY_OFF: &str = "1";

/// Whether the environment keeps the telemetry off.
pub(crate) fn is_off() -> bool {
    env::var_os(TELEMETRY_SWITCH).is_some_and(|value| value == TELEMETRY_OFF)
}
