//! End-to-end tests: the program as users run it. They need the ONNX Runtime that `aeva setup` installs; `cargo xtask test`
//! installs it and runs them.

mod bad_input;
mod demo;
mod determinism;
mod formats;
mod harness;
mod shared_models;
