//! `aeva-eval small-zoo`: a test of training, calibration and evaluation on two models of shipped data, and of the training of models
//! for large images. `cargo xtask test` runs it.

use aeva_model::{Dataset, Loader, ValueRange};
use anyhow::ensure;
use xtask::root;

use crate::{bank, evaluate, train_large, train_zoo};

/// Trains the models, calibrates and evaluates.
///
/// # Errors
/// When a step fails, the infected model does not score above the clean one, or a model for large images cannot be used.
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
    let large = root().join("target").join("small-large");
    train_large::run(&train_large::Args::tiny(large.clone()))?;
    for model in bank::models(&large)? {
        let images = Dataset::load(&model.images)?;
        let classes = Loader::plain(&model.file, &images, ValueRange::UNIT)?.spec.classes;
        ensure!(classes == 10, "{} has {classes} labels, expected 10", model.file.display());
    }
    Ok(())
}
