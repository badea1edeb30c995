//! Settles how images go into a model whose preprocessing can be changed: tries the conventions, and finds out why clean images are
//! misclassified.

use aeva_attack::{HardLabelOracle, Label};
use ndarray::ArrayView4;

use super::error::{LoadError, Misunderstanding};
use super::loaded::PreprocessingSource;
use super::questions::{Answers, Questions};
use crate::conventions::{Settled, settle};
use crate::diagnosis::{Diagnosis, diagnose, spread};
use crate::{ModelError, OnnxOracle, Preprocessing};

/// With a lower clean accuracy, other causes are looked for.
const SUSPICIOUS_ACCURACY: f64 = 0.8;
/// With this clean accuracy, no other convention can be clearly better on the probes.
const BEYOND_DOUBT: f64 = 0.965;
/// Images that other conventions are tried on.
const PROBES: usize = 200;

/// An oracle whose preprocessing can be changed.
pub(super) trait Prepares: HardLabelOracle {
    /// Changes how images become the model's input.
    ///
    /// # Errors
    /// [`ModelError::Preprocessing`] if it does not fit the channels.
    fn set_preprocessing(&mut self, preprocessing: &Preprocessing) -> Result<(), ModelError>;
}

impl Prepares for OnnxOracle {
    fn set_preprocessing(&mut self, preprocessing: &Preprocessing) -> Result<(), ModelError> {
        OnnxOracle::set_preprocessing(self, preprocessing)
    }
}

/// How images go in, and what the model makes of them then.
pub(super) struct Understanding {
    pub(super) preprocessing: Preprocessing,
    pub(super) source: PreprocessingSource,
    pub(super) answers: Answers,
    /// Images that were classified in a second when all of them were asked about for the first time.
    pub(super) queries_per_second: f64,
}

/// Asks about all images with `preprocessing`, which the oracles have, and settles on another one if nothing was `stated` and another
/// one is clearly better.
pub(super) fn understand<O: Prepares>(
    questions: &mut Questions<'_, O>,
    preprocessing: &Preprocessing,
    stated: bool,
) -> Result<Understanding, LoadError> {
    let mut preprocessing = preprocessing.clone();
    let (mut answers, queries_per_second) = questions.all()?;
    let mut source = PreprocessingSource::Stated;
    if !stated {
        let accuracy = answers.correct.accuracy();
        let settled = if accuracy < BEYOND_DOUBT { try_conventions(questions)? } else { Settled::Plain };
        source = match settled {
            Settled::Plain => PreprocessingSource::Assumed,
            Settled::Other(fit) => {
                preprocessing = fit.convention.preprocessing.clone();
                set(questions, &preprocessing)?;
                answers = questions.all()?.0;
                PreprocessingSource::Found { fit, probes: PROBES, plain_accuracy: accuracy }
            }
            Settled::Several(fits) => {
                return Err(LoadError::Ambiguous { model: questions.model().to_owned(), accuracy, fits });
            }
        };
    }
    let accuracy = answers.correct.accuracy();
    if accuracy < SUSPICIOUS_ACCURACY
        && let Some(diagnosis) = find_cause(questions, &preprocessing)?
    {
        return Err(LoadError::Misunderstood(Box::new(Misunderstanding {
            model: questions.model().to_owned(),
            accuracy,
            diagnosis,
            probes: PROBES,
            class_names: questions.data.class_names.clone(),
        })));
    }
    Ok(Understanding { preprocessing, source, answers, queries_per_second })
}

fn set<O: Prepares>(questions: &mut Questions<'_, O>, preprocessing: &Preprocessing) -> Result<(), LoadError> {
    for oracle in &mut *questions.oracles {
        oracle.set_preprocessing(preprocessing)?;
    }
    Ok(())
}

/// Labels of `images` `[n, h, w, c]` with another preprocessing.
fn ask_with<O: Prepares>(
    questions: &mut Questions<'_, O>,
    images: ArrayView4<'_, f32>,
    preprocessing: &Preprocessing,
) -> Result<Vec<Label>, LoadError> {
    match questions.oracles[0].set_preprocessing(preprocessing) {
        // A model that takes bytes does not take other values. Then this preprocessing explains nothing either.
        Err(ModelError::Input { .. }) => return Ok(vec![Label::MAX; images.dim().0]),
        set => set?,
    }
    match questions.first(images) {
        // A model may well answer NaN to images of the wrong scale. Then this preprocessing explains nothing.
        Err(LoadError::Classify(error)) => {
            tracing::debug!("with {preprocessing}: {error}");
            Ok(vec![Label::MAX; images.dim().0])
        }
        labels => labels,
    }
}

fn try_conventions<O: Prepares>(questions: &mut Questions<'_, O>) -> Result<Settled, LoadError> {
    let (images, labels) = spread(questions.data.images.view(), &questions.data.labels, PROBES);
    let settled = settle(images.view(), &labels, |images, preprocessing| ask_with(questions, images, preprocessing))?;
    set(questions, &Preprocessing::default())?;
    Ok(settled)
}

fn find_cause<O: Prepares>(
    questions: &mut Questions<'_, O>,
    current: &Preprocessing,
) -> Result<Option<Diagnosis>, LoadError> {
    let (images, labels) = spread(questions.data.images.view(), &questions.data.labels, PROBES);
    let now = ask_with(questions, images.view(), current)?;
    let right = now.iter().zip(&labels).filter(|(now, label)| now == label).count();
    let accuracy = right as f64 / labels.len().max(1) as f64;
    let cause = diagnose(images.view(), &labels, current, accuracy, |images, preprocessing| {
        ask_with(questions, images, preprocessing)
    })?;
    set(questions, current)?;
    Ok(cause)
}
