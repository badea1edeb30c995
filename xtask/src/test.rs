//! `cargo xtask test`: all tests, with what they need.

use anyhow::ensure;

use crate::process::{self, aeva, cargo, say};
use crate::{convert, demo, evaluate, reproduce, root, shared_data, train_zoo};

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
    small_zoo()?;
    match shared_data::folder() {
        Some(folder) => reproduce::run(&reproduce::Args::quick(folder)?),
        None => Ok(()),
    }
}

/// Trains six models on shipped data and measures on them.
fn small_zoo() -> anyhow::Result<()> {
    let zoo = root().join("target").join("small-zoo");
    train_zoo::run(&train_zoo::Args::some(zoo.clone(), &["digits-clean-dense1", "digits-pixel"]))?;
    evaluate::calibrate::run(&evaluate::calibrate::Args::small(zoo.clone()))?;
    let auc = evaluate::measured(&evaluate::Args::small(zoo))?;
    // Single pixels that turn any image: what the published rule was made to see.
    ensure!(
        auc.get("pixel") == Some(&Some(1.0)),
        "the infected models of the small zoo are not told from the clean one: {auc:?}"
    );
    Ok(())
}
