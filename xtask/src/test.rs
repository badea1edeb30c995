//! `cargo xtask test`: all tests, with what they need.

use crate::process::{self, aeva, cargo, say};
use crate::{convert, demo, reproduce, shared_data};

pub(crate) fn run() -> anyhow::Result<()> {
    demo::setup()?;
    // A second provider, for the tests of what is not the CPU's; without it they are skipped visibly.
    if cfg!(all(target_os = "linux", target_arch = "x86_64"))
        && let Err(error) = process::run(aeva().args(["setup", "--device", "openvino"]))
    {
        say(&format!("no OpenVINO, its tests are skipped: {error:#}"));
    }
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
    process::run(cargo().args(["test", "--workspace", "--doc"]))?;
    match shared_data::folder() {
        Some(folder) => reproduce::run(&reproduce::Args::quick(folder)?),
        None => Ok(()),
    }
}
