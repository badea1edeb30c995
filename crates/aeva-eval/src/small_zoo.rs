//! `aeva-eval small-zoo`: a test of training, calibration and evaluation on two models of shipped data. `cargo xtask test` runs it.

use anyhow::ensure;
use xtask::root;

use crate::{evaluate, train_zoo};

/// Trains the models, calibrates and evaluates.
///
/// # Errors
/// When a step fails, or the infected model does not score above the clean one.
pub(crate) fn run() -> anyhow::Result<()> {
    let zoo = root().join("target").join("small-zoo");
    train_zoo::run(&train_zoo::Args::some(zoo.clone(), &["digits-clean-dense1", "digits-pixel"]))?;
    evaluate::calibrate::run(&evaluate::calibrate::Args::small(zoo.clone()))?;
    let auc = evaluate::measured(&evaluate::Args::small(zoo))?;
    // A single pixel that changes the label of any image is what the published rule sees best.
    ensure!(
        auc.get("pixel") == Some(&Some(1.0)),
        "the infected model of the small zoo does not score above the clean one: {auc:?}"
    );
    Ok(())
}
