//! `cargo xtask test`: installs what the tests need, and runs all of them.

use std::fs;

use anyhow::Context;
use xtask::evaluation::aeva_eval;
use xtask::process::{self, aeva, cargo, say};
use xtask::{convert, demo, root, shared_data};

use crate::wheel;

pub(crate) fn run() -> anyhow::Result<()> {
    demo::setup()?;
    // A second execution provider, for the tests of devices other than the CPU. Without it they are skipped, and say so.
    if cfg!(all(target_os = "linux", target_arch = "x86_64"))
        && let Err(error) = process::run(aeva().args(["setup", "--device", "openvino"]))
    {
        say(&format!("the tests with OpenVINO are skipped: {error:#}"));
    }
    let shared = shared_data::folder();
    match &shared {
        Some(folder) => {
            for (keras, onnx) in shared_data::keras_models(folder) {
                if !onnx.is_file() {
                    convert::run(&convert::Args::new(keras, onnx))?;
                }
            }
        }
        None => say(
            "there is no shared data: the tests on real models are skipped (set AEVA_SHARED_DATA to the folder of the shared data)",
        ),
    }
    // Two calls, because `--all-targets` leaves out documentation tests.
    process::run(cargo().args(["test", "--workspace", "--all-targets"]))?;
    process::run(cargo().args(["test", "--workspace", "--doc"]))?;
    wheel::run()?;
    process::run(aeva_eval().arg("small-zoo"))?;
    let Some(folder) = shared else { return Ok(()) };
    // Removed first, because experiments that have run are not run again.
    let out = root().join("target").join("tmp").join("reproduce");
    if out.is_dir() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    process::run(
        aeva_eval().args(["reproduce-paper", "--scale", "trial", "--assets"]).arg(folder).arg("--out").arg(out),
    )
}
