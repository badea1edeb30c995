//! `cargo xtask test`: all tests, with what they need.

use crate::process::{self, cargo, say};
use crate::{convert, demo, shared_data};

pub(crate) fn run() -> anyhow::Result<()> {
    demo::setup()?;
    match shared_data::folder() {
        Some(folder) => {
            for (keras, onnx) in shared_data::keras_models(&folder) {
                if !onnx.is_file() {
                    convert::run(&convert::Args::new(keras, onnx))?;
                }
            }
        }
        None => say(
            "no shared data: the tests on real models are skipped (set AEVA_SHARED_DATA to the folder that holds it)",
        ),
    }
    // `--all-targets` leaves documentation tests out, hence two calls.
    process::run(cargo().args(["test", "--workspace", "--all-targets"]))?;
    process::run(cargo().args(["test", "--workspace", "--doc"]))
}
