//! Converts command-line options to a request to the loader.

use std::path::Path;
use std::time::Duration;

use aeva_model::loader::{KnownAnswers, PreprocessingSource, Request};
use aeva_model::{Dataset, Device, LoadError, LoadedModel, Loader, Stated, ValueRange};

use crate::args::InputArgs;
use crate::hint;
use crate::signals;

/// Loads the model for `data`, given what a service is known to answer, and notes the assumptions about its pixels.
pub(super) fn load(
    path: &Path,
    args: &InputArgs,
    data: &Dataset,
    device: Device,
    threads: usize,
    known: KnownAnswers,
) -> anyhow::Result<LoadedModel> {
    with(path, args, device, threads, known, |loader| {
        let mut model = loader.load(data)?;
        note_preprocessing(&mut model);
        model.notes.extend(data.notes.iter().cloned());
        Ok(model)
    })
}

/// Calls `load` with the loader for a model. Being asked to stop counts as an error.
pub(super) fn with_loader<T>(
    path: &Path,
    args: &InputArgs,
    device: Device,
    threads: usize,
    load: impl FnOnce(&Loader<'_>) -> Result<T, LoadError>,
) -> anyhow::Result<T> {
    with(path, args, device, threads, KnownAnswers::default(), load)
}

fn with<T>(
    path: &Path,
    args: &InputArgs,
    device: Device,
    threads: usize,
    known: KnownAnswers,
    load: impl FnOnce(&Loader<'_>) -> Result<T, LoadError>,
) -> anyhow::Result<T> {
    let mut stated = stated(args)?;
    if let Some(service) = &mut stated.service {
        service.known = known;
    }
    let request = Request { model: path, stated: &stated, device, threads, stop: &signals::stopping };
    match load(&Loader::new(request)) {
        Err(LoadError::Stopped) => Err(signals::Stopped.into()),
        result => Ok(result?),
    }
}

fn stated(args: &InputArgs) -> anyhow::Result<Stated> {
    Ok(Stated {
        manifest: args.manifest.clone(),
        layout: args.layout,
        value_range: args.value_range,
        mean: args.mean.clone(),
        std: args.std.clone(),
        reverse_channels: args.reverse_channels,
        output: args.output.clone(),
        classes: args.classes,
        threshold: args.threshold,
        service: args.service.options(args.classes)?,
        answer_timeout: args.answer_timeout.map(Duration::from_secs_f64),
    })
}

/// Notes any unstated assumptions about the model's pixels, before all other notes.
pub(super) fn note_preprocessing<O: ?Sized>(model: &mut LoadedModel<O>) {
    let unit = ValueRange::UNIT;
    let note = match &model.preprocessing {
        PreprocessingSource::Assumed => format!(
            "nothing was stated about the model's pixels: they are assumed to be in {unit} ({:.1} % of the clean images are then classified correctly)",
            100.0 * model.correct.accuracy()
        ),
        PreprocessingSource::Found { fit, probes, plain_accuracy } => format!(
            "nothing was stated about the model's pixels: {} was found by trying ({:.1} % of {probes} clean images are then classified correctly; with pixels in {unit}, {:.1} % of all); state it with {}",
            fit.convention.name,
            100.0 * fit.accuracy,
            100.0 * plain_accuracy,
            hint::preprocessing_options(&fit.convention.preprocessing)
        ),
        _ => return,
    };
    model.notes.insert(0, note);
}
