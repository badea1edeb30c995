//! End-to-end tests: the program as users run it. They need the ONNX Runtime that `aeva setup` installs; `cargo xtask
//! test` installs it and runs them.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "tests stop at what is unexpected, and compare bits on purpose"
)]

mod bad_input;
mod bench;
mod blocks;
mod browser;
mod budgets;
mod corpus;
mod demo;
mod determinism;
mod devices;
mod doctor;
mod endpoints;
mod evidence;
mod formats;
mod harness;
mod inputs;
mod messages;
mod model_files;
mod onnx;
mod pages;
mod privacy;
mod programs;
mod references;
mod services;
mod shards;
mod shared_models;
mod snapshots;
#[cfg(unix)]
mod stopping;
mod triggers;
