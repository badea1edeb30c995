//! Whether a model understands the images: how they go in, what it makes of them, and whether it says the same twice.
//!
//! A search on images that a model does not understand ends in a confident verdict that means nothing. So all of this is settled
//! before a search begins, and what cannot be settled is an error that says how to state it.

use std::path::Path;
use std::time::Instant;

use aeva_artifact::sha256_hex;
use aeva_attack::{CorrectImages, HardLabelOracle, Label, conformance};
use aeva_model::clean::{Cause, Diagnosis, diagnose, spread};
use aeva_model::conventions::{Fit, Settled, settle};
use aeva_model::{Dataset, OnnxOptions, OnnxOracle, Preprocessing, ValueRange};
use aeva_stats::cohen_kappa;
use anyhow::Context;
use ndarray::{ArrayView4, Axis};
use rayon::prelude::*;

use crate::hint::Hinted;
use crate::output::plain;
use crate::signals;

/// Below this clean accuracy other causes are looked for.
const SUSPICIOUS_ACCURACY: f64 = 0.8;
/// With this clean accuracy no other way of asking can be clearly better on the probes.
const BEYOND_DOUBT: f64 = 0.965;
/// Images that other ways are tried on.
const PROBES: usize = 200;
/// Images that are asked about several times, in different company.
const REPEATED: usize = 20;
/// Images per call when all are classified.
const CLEAN_BATCH: usize = 256;
/// Agreement with the true labels beyond chance (Cohen's kappa) that a model needs: with less there is hardly anything that a trigger
/// could turn.
const LEAST_KAPPA: f64 = 0.25;
/// Labels in another order that are listed.
const LISTED_LABELS: usize = 12;

/// What the model made of the clean images.
pub(super) struct Measured {
    pub(super) correct: CorrectImages,
    /// SHA-256 over all its answers.
    pub(super) answers: String,
    /// Images classified to get here.
    pub(super) queries: u64,
    /// How fast all of them together were classified.
    pub(super) queries_per_second: f64,
    /// How images go in.
    pub(super) preprocessing: Preprocessing,
    /// What was assumed or found out, for the reader of the verdict.
    pub(super) notes: Vec<String>,
}

/// Settles how images go in, unless that was stated, and measures what the model makes of them.
pub(super) fn measure(
    path: &Path,
    oracles: &mut [OnnxOracle],
    data: &Dataset,
    options: &OnnxOptions,
    stated: bool,
) -> anyhow::Result<Measured> {
    let classes = oracles[0].spec().classes;
    let mut asked = Asked { oracles, data, queries: 0 };
    let mut preprocessing = options.preprocessing.clone();
    let mut notes = Vec::new();
    let begin = Instant::now();
    let mut answers = asked.all()?;
    let queries_per_second = answers.len() as f64 / begin.elapsed().as_secs_f64().max(1e-9);
    let mut correct = CorrectImages::new(&data.labels, &answers, classes)?;
    if !stated {
        let settled = if correct.accuracy() < BEYOND_DOUBT { asked.settle()? } else { Settled::Plain };
        let range = preprocessing.value_range;
        match settled {
            Settled::Plain => notes.push(format!(
                "nothing was stated about the model's pixels: they are taken to lie in {range}, with which {:.1} % of the clean images are right",
                100.0 * correct.accuracy()
            )),
            Settled::Other(fit) => {
                notes.push(found_by_trying(&fit, correct.accuracy()));
                preprocessing = fit.convention.preprocessing;
                asked.set(&preprocessing)?;
                answers = asked.all()?;
                correct = CorrectImages::new(&data.labels, &answers, classes)?;
            }
            Settled::Several(fits) => return Err(ambiguous(path, correct.accuracy(), &fits)),
        }
    }
    if correct.accuracy() < SUSPICIOUS_ACCURACY
        && let Some(diagnosis) = asked.diagnose(&preprocessing)?
    {
        return Err(misunderstanding(path, data, correct.accuracy(), &diagnosis));
    }
    check_chance(path, &correct, &data.labels, &answers)?;
    asked.check_repeats(path, &answers)?;
    let queries = asked.queries;
    let bytes: Vec<u8> = answers.iter().flat_map(|label| label.to_le_bytes()).collect();
    Ok(Measured { correct, answers: sha256_hex(&bytes), queries, queries_per_second, preprocessing, notes })
}

/// The model with the images, and how often it was asked.
struct Asked<'a> {
    oracles: &'a mut [OnnxOracle],
    data: &'a Dataset,
    queries: u64,
}

impl Asked<'_> {
    /// Labels of all images.
    fn all(&mut self) -> anyhow::Result<Vec<Label>> {
        let images = self.data.images.view();
        self.queries += self.data.labels.len() as u64;
        let share = self.data.labels.len().div_ceil(self.oracles.len()).max(1);
        let parts: Vec<ArrayView4<'_, f32>> = images.axis_chunks_iter(Axis(0), share).collect();
        let predicted: Vec<Vec<Label>> = self
            .oracles
            .par_iter_mut()
            .zip(parts)
            .map(|(oracle, part)| classify(oracle, part))
            .collect::<Result<_, _>>()?;
        Ok(predicted.concat())
    }

    fn set(&mut self, preprocessing: &Preprocessing) -> anyhow::Result<()> {
        for oracle in &mut *self.oracles {
            oracle.set_preprocessing(preprocessing)?;
        }
        Ok(())
    }

    /// Labels of some images with another preprocessing.
    fn with(&mut self, images: ArrayView4<'_, f32>, preprocessing: &Preprocessing) -> anyhow::Result<Vec<Label>> {
        let oracle = &mut self.oracles[0];
        oracle.set_preprocessing(preprocessing)?;
        self.queries += images.dim().0 as u64;
        match classify(oracle, images) {
            // A model may well answer NaN to images of the wrong scale; that is no explanation, then.
            Err(error) if !signals::stopping() => {
                tracing::debug!("with {preprocessing}: {error:#}");
                Ok(vec![Label::MAX; images.dim().0])
            }
            labels => labels,
        }
    }

    fn settle(&mut self) -> anyhow::Result<Settled> {
        let (images, labels) = spread(self.data.images.view(), &self.data.labels, PROBES);
        let settled = settle(images.view(), &labels, |images, preprocessing| self.with(images, preprocessing))?;
        self.set(&Preprocessing::default())?;
        Ok(settled)
    }

    fn diagnose(&mut self, current: &Preprocessing) -> anyhow::Result<Option<Diagnosis>> {
        let (images, labels) = spread(self.data.images.view(), &self.data.labels, PROBES);
        let now = self.with(images.view(), current)?;
        let right = now.iter().zip(&labels).filter(|(now, label)| now == label).count();
        let accuracy = right as f64 / labels.len().max(1) as f64;
        let cause = diagnose(images.view(), &labels, current, accuracy, |images, preprocessing| {
            self.with(images, preprocessing)
        })?;
        self.set(current)?;
        Ok(cause)
    }

    /// Asks about some images once more, in another order.
    fn check_repeats(&mut self, path: &Path, answers: &[Label]) -> anyhow::Result<()> {
        let step = answers.len().div_ceil(REPEATED).max(1);
        let chosen: Vec<usize> = (0..answers.len()).step_by(step).rev().collect();
        let images = self.data.images.select(Axis(0), &chosen);
        if signals::stopping() {
            return Err(signals::Stopped.into());
        }
        let hint = "export the model without random operators (dropout, noise): nothing that is found on one that answers by chance can be relied on";
        let (again, queries) = conformance::check(&mut self.oracles[0], images.view())
            .map_err(|error| Hinted::error(format!("{}: {error}", path.display()), hint))?;
        self.queries += queries;
        let differ = chosen.iter().zip(&again).filter(|&(&index, label)| answers[index] != *label).count();
        if differ > 0 {
            let error = conformance::Nonconformance::Repeat { differ, images: chosen.len() };
            return Err(Hinted::error(format!("{}: {error}", path.display()), hint));
        }
        Ok(())
    }
}

/// Labels of `images`; an error when the user asks to stop.
fn classify(oracle: &mut dyn HardLabelOracle, images: ArrayView4<'_, f32>) -> anyhow::Result<Vec<Label>> {
    let mut all = Vec::with_capacity(images.dim().0);
    let mut labels = Vec::new();
    for chunk in images.axis_chunks_iter(Axis(0), CLEAN_BATCH) {
        if signals::stopping() {
            return Err(signals::Stopped.into());
        }
        oracle.classify(chunk, &mut labels).context("the clean images could not be classified")?;
        all.extend_from_slice(&labels);
    }
    Ok(all)
}

/// Refuses a model that says nothing about the images.
fn check_chance(path: &Path, correct: &CorrectImages, truth: &[Label], answers: &[Label]) -> anyhow::Result<()> {
    let one_label = |labels: &[Label]| labels.windows(2).all(|pair| pair[0] == pair[1]);
    // Data of one class cannot tell; it is refused for that.
    if one_label(truth) {
        return Ok(());
    }
    if one_label(answers) {
        return Err(Hinted::error(
            format!(
                "{} gives label {} to all {} clean images: a model that always says the same cannot be scanned",
                path.display(),
                answers[0],
                answers.len()
            ),
            "check the value range and the output of the model: see --value-range, --mean, --std and --output",
        ));
    }
    let kappa = cohen_kappa(truth, answers).unwrap_or(0.0);
    if kappa < LEAST_KAPPA {
        return Err(Hinted::error(
            format!(
                "{} is at chance level: it gets {:.1} % of the clean images right, which is {kappa:.2} beyond chance (Cohen's kappa) where {LEAST_KAPPA} is needed: nothing can be said about it",
                path.display(),
                100.0 * correct.accuracy()
            ),
            "check that the labels of the data are the model's, and the value range, the layout and the output (--value-range, --mean, --std, --layout, --output)",
        ));
    }
    Ok(())
}

fn found_by_trying(fit: &Fit, plain: f64) -> String {
    format!(
        "nothing was stated about the model's pixels: {} was found by trying, with which {:.1} % of {PROBES} clean images are right (with pixels in {}: {:.1} % of all); state it with {}",
        fit.convention.name,
        100.0 * fit.accuracy,
        ValueRange::UNIT,
        100.0 * plain,
        flags(&fit.convention.preprocessing)
    )
}

/// Several ways of asking fit: the user knows which one is right.
fn ambiguous(path: &Path, plain: f64, fits: &[Fit]) -> anyhow::Error {
    let ways: Vec<String> = fits
        .iter()
        .map(|fit| {
            let (name, share) = (fit.convention.name, 100.0 * fit.accuracy);
            format!("\n  {name} ({share:.1} % right): {}", flags(&fit.convention.preprocessing))
        })
        .collect();
    Hinted::error(
        format!(
            "{} gets {:.1} % of the clean images right with pixels in {}, and clearly more in several other ways: which one it was made for cannot be told from here",
            path.display(),
            100.0 * plain,
            ValueRange::UNIT
        ),
        format!("state the one that the model was trained with:{}", ways.concat()),
    )
}

/// The options that state a preprocessing.
fn flags(preprocessing: &Preprocessing) -> String {
    let list = |values: &[f32]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut flags = vec![format!("--value-range {}", preprocessing.value_range)];
    if !preprocessing.mean.is_empty() {
        flags.push(format!("--mean {}", list(&preprocessing.mean)));
    }
    if !preprocessing.std.is_empty() {
        flags.push(format!("--std {}", list(&preprocessing.std)));
    }
    if preprocessing.reverse_channels {
        flags.push("--reverse-channels".to_owned());
    }
    flags.join(" ")
}

/// The model gets the images wrong, and this is likely why.
fn misunderstanding(path: &Path, data: &Dataset, accuracy: f64, diagnosis: &Diagnosis) -> anyhow::Error {
    let (cause, remedy) = match &diagnosis.cause {
        Cause::ValueRange(range) => {
            (format!("the model takes pixels in {range}"), format!("use --value-range {range}"))
        }
        Cause::Normalisation { name, mean, std } => {
            let preprocessing = Preprocessing { mean: mean.clone(), std: std.clone(), ..Preprocessing::default() };
            let remedy = format!("use {}", flags(&preprocessing));
            (format!("the model takes pixels normalised with the constants of {name}"), remedy)
        }
        Cause::ReversedChannels => {
            ("the model takes the channels in reverse order".to_owned(), "use --reverse-channels".to_owned())
        }
        Cause::Transposed => (
            "rows and columns of the images are exchanged".to_owned(),
            "transpose the images of the data: numpy.swapaxes(x, 1, 2)".to_owned(),
        ),
        Cause::Inverted => (
            "the images are negatives of what the model takes".to_owned(),
            "invert the images of the data: x = 255 - x".to_owned(),
        ),
        Cause::ShiftedLabels(offset) => (
            format!("the data's labels are the model's plus {offset}"),
            format!("renumber the labels of the data: y = y - {offset}"),
        ),
        Cause::ReorderedLabels(order) => reordered(data, order),
        _ => ("of an unknown cause".to_owned(), "see docs/formats.md".to_owned()),
    };
    Hinted::error(
        format!("{} classifies only {:.1} % of the clean images correctly", path.display(), 100.0 * accuracy),
        format!("{cause} ({:.1} % of {PROBES} images are right then): {remedy}", 100.0 * diagnosis.accuracy),
    )
}

/// The classes of the data are those of the model in another order.
fn reordered(data: &Dataset, order: &[(u32, u32)]) -> (String, String) {
    let what = |label: u32| match data.class_name(label) {
        Some(name) => format!("folder `{}`", plain(name)),
        None => format!("label {label} of the data"),
    };
    let mut list: Vec<String> = order
        .iter()
        .take(LISTED_LABELS)
        .map(|&(label, model)| format!("{} is the model's label {model}", what(label)))
        .collect();
    if order.len() > LISTED_LABELS {
        list.push(format!("and {} more", order.len() - LISTED_LABELS));
    }
    let remedy = if data.class_names.is_some() {
        "name the folders by the numbers of the model's labels (0, 1, 2, ...)"
    } else {
        "renumber the labels of the data"
    };
    (format!("the classes of the data are in another order than the model's: {}", list.join(", ")), remedy.to_owned())
}
