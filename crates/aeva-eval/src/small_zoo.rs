//! `aeva-eval small-zoo`: trains a few models on shipped data and measures on them, to see that training, calibration and
//! evaluation work. `cargo xtask test` runs it.

use anyhow::ensure;
use xtask::root;

use crate::{evaluate, train_zoo};

/// Trains, calibrates and evaluates.
///
/// # Errors
/// When a step fails, or an infected model is not told from the clean ones.
pub(crate) fn run() -> anyhow::Result<()> {
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
