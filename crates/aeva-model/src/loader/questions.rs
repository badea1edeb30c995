//! What an oracle of any kind makes of the clean images, and whether its answers can be relied on.

use std::path::Path;
use std::time::Instant;

use aeva_attack::conformance::{self, Nonconformance};
use aeva_attack::{CorrectImages, HardLabelOracle, Label, NO_LABEL, OracleError, PlanError, classify_all};
use aeva_stats::cohen_kappa;
use ndarray::{ArrayView4, Axis};
use rayon::prelude::*;

use super::error::LoadError;
use super::request::Request;
use crate::digest::sha256_hex;
use crate::{Dataset, ModelError};

/// Images per call when all images are classified.
const CLEAN_BATCH: usize = 256;
/// Images that are asked about several times, in different company.
const REPEATED: usize = 20;
/// Agreement with the true labels beyond chance (Cohen's kappa) that a model needs. With less, hardly any image has a label that a
/// trigger could change.
const MIN_KAPPA: f64 = 0.25;

/// The oracles of a model, the images that they are asked about, and how often they were asked.
pub(super) struct Questions<'a, O> {
    pub(super) oracles: &'a mut [O],
    pub(super) data: &'a Dataset,
    pub(super) queries: u64,
    request: &'a Request<'a>,
}

/// What the model makes of the clean images.
pub(super) struct Answers {
    /// The label of each image.
    pub(super) labels: Vec<Label>,
    pub(super) correct: CorrectImages,
}

impl Answers {
    /// SHA-256 over all labels.
    pub(super) fn sha256(&self) -> String {
        let bytes: Vec<u8> = self.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        sha256_hex(&bytes)
    }
}

impl<'a, O: HardLabelOracle> Questions<'a, O> {
    /// Questions about `data` to oracles that answer alike, of which there is at least one.
    ///
    /// # Errors
    /// [`LoadError::Labels`] for data with labels that the model does not have.
    pub(super) fn new(request: &'a Request<'a>, oracles: &'a mut [O], data: &'a Dataset) -> Result<Self, LoadError> {
        let classes = oracles[0].spec().classes;
        match data.labels.iter().find(|&&label| label >= classes) {
            None => Ok(Self { oracles, data, queries: 0, request }),
            Some(&label) => Err(LoadError::Labels {
                data: data.path().to_owned(),
                model: request.model.to_owned(),
                source: PlanError::Label { label, classes },
            }),
        }
    }

    /// The model that is asked.
    pub(super) fn model(&self) -> &'a Path {
        self.request.model
    }

    /// Asks about all images, and returns the answers with the number of images that were classified in a second.
    pub(super) fn all(&mut self) -> Result<(Answers, f64), LoadError> {
        let begin = Instant::now();
        let images = self.data.images.view();
        self.queries += self.data.labels.len() as u64;
        let share = self.data.labels.len().div_ceil(self.oracles.len()).max(1);
        let parts: Vec<ArrayView4<'_, f32>> = images.axis_chunks_iter(Axis(0), share).collect();
        let request = self.request;
        let labels: Vec<Vec<Label>> = self
            .oracles
            .par_iter_mut()
            .zip(parts)
            .map(|(oracle, part)| classify(oracle, part, request))
            .collect::<Result<_, _>>()?;
        let labels = labels.concat();
        let per_second = labels.len() as f64 / begin.elapsed().as_secs_f64().max(1e-9);
        let correct = CorrectImages::new(&self.data.labels, &labels, self.oracles[0].spec().classes)?;
        Ok((Answers { labels, correct }, per_second))
    }

    /// Asks the first oracle about `images` `[n, h, w, c]`.
    pub(super) fn first(&mut self, images: ArrayView4<'_, f32>) -> Result<Vec<Label>, LoadError> {
        self.queries += images.dim().0 as u64;
        classify(&mut self.oracles[0], images, self.request)
    }

    /// Asks the first oracle about made-up `images` `[n, h, w, c]`, which may have no label.
    pub(super) fn first_of_any(&mut self, images: ArrayView4<'_, f32>) -> Result<Vec<Label>, LoadError> {
        self.queries += images.dim().0 as u64;
        classify_all(&mut self.oracles[0], images, CLEAN_BATCH).map_err(LoadError::Classify)
    }

    /// Refuses a model whose answers say nothing about the images.
    pub(super) fn check_chance(&self, answers: &Answers) -> Result<(), LoadError> {
        let (truth, labels) = (&self.data.labels, &answers.labels);
        let one_label = |labels: &[Label]| labels.windows(2).all(|pair| pair[0] == pair[1]);
        // Data of one class cannot tell; it is refused elsewhere.
        if one_label(truth) {
            return Ok(());
        }
        let model = self.model().to_owned();
        if one_label(labels) {
            return Err(LoadError::OneLabel { model, label: labels[0], images: labels.len() });
        }
        let kappa = cohen_kappa(truth, labels).unwrap_or(0.0);
        if kappa < MIN_KAPPA {
            let accuracy = answers.correct.accuracy();
            return Err(LoadError::ChanceLevel { model, accuracy, kappa, needed: MIN_KAPPA });
        }
        Ok(())
    }

    /// Asks about some images again, in another order and in other company, and refuses a model that answers differently.
    pub(super) fn check_repeats(&mut self, answers: &Answers) -> Result<(), LoadError> {
        let step = answers.labels.len().div_ceil(REPEATED).max(1);
        let chosen: Vec<usize> = (0..answers.labels.len()).step_by(step).rev().collect();
        let images = self.data.images.select(Axis(0), &chosen);
        if (self.request.stop)() {
            return Err(LoadError::Stopped);
        }
        let model = self.model().to_owned();
        let (again, queries) = match conformance::check(&mut self.oracles[0], images.view()) {
            // The model does not break a promise when it fails.
            Err(Nonconformance::Failed { source, .. }) => return Err(LoadError::Classify(source)),
            Err(broken) => return Err(LoadError::Nonconforming { model, broken }),
            Ok(found) => found,
        };
        self.queries += queries;
        let differ = chosen.iter().zip(&again).filter(|&(&index, label)| answers.labels[index] != *label).count();
        if differ > 0 {
            let broken = Nonconformance::Repeat { differ, images: chosen.len() };
            return Err(LoadError::Nonconforming { model, broken });
        }
        Ok(())
    }
}

/// Labels of `images` `[n, h, w, c]`.
fn classify(
    oracle: &mut dyn HardLabelOracle,
    images: ArrayView4<'_, f32>,
    request: &Request<'_>,
) -> Result<Vec<Label>, LoadError> {
    let mut all = Vec::with_capacity(images.dim().0);
    let mut labels = Vec::new();
    for chunk in images.axis_chunks_iter(Axis(0), CLEAN_BATCH) {
        if (request.stop)() {
            return Err(LoadError::Stopped);
        }
        oracle.classify(chunk, &mut labels).map_err(LoadError::Classify)?;
        check_labelled(&labels, request.model)?;
        all.extend_from_slice(&labels);
    }
    Ok(all)
}

/// Refuses a model without a label for some clean image: it is not fit for a scan, or its pixels have another range.
pub(super) fn check_labelled(labels: &[Label], model: &Path) -> Result<(), LoadError> {
    if labels.contains(&NO_LABEL) {
        let path = model.to_owned();
        return Err(LoadError::Classify(OracleError::new(ModelError::NotANumber { path })));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp, clippy::cast_precision_loss, reason = "known values")]
mod tests {
    use super::*;
    use crate::{Device, Stated};
    use aeva_attack::synthetic::NearestCentre;
    use aeva_attack::{InputSpec, OracleError};
    use ndarray::Array4;

    const SPEC: InputSpec = InputSpec { height: 1, width: 1, channels: 1, classes: 4 };

    fn oracle() -> NearestCentre {
        NearestCentre::new(SPEC, vec![vec![0.0], vec![0.3], vec![0.6], vec![0.9]])
    }

    /// A hundred images, 25 of each class in turn.
    fn data(label: impl Fn(u32) -> u32) -> Dataset {
        let images = Array4::from_shape_fn((100, 1, 1, 1), |(n, ..)| 0.3 * (n % 4) as f32);
        Dataset::new(Path::new("data"), images, (0..100).map(|n| label(n % 4)).collect(), None).unwrap()
    }

    fn with<O: HardLabelOracle, T>(
        mut oracles: Vec<O>,
        data: &Dataset,
        stop: bool,
        work: impl FnOnce(&mut Questions<'_, O>) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let (stated, stop) = (Stated::default(), move || stop);
        let request =
            Request { model: Path::new("model"), stated: &stated, device: Device::Cpu, threads: 1, stop: &stop };
        work(&mut Questions::new(&request, &mut oracles, data)?)
    }

    #[test]
    fn any_oracle_can_be_asked() {
        let check = |questions: &mut Questions<'_, NearestCentre>| {
            let (answers, per_second) = questions.all()?;
            assert!(answers.correct.accuracy() == 1.0 && per_second > 0.0);
            assert_eq!(questions.queries, 100);
            questions.check_chance(&answers)?;
            questions.check_repeats(&answers)?;
            Ok((questions.queries, answers.sha256()))
        };
        let alone = with(vec![oracle()], &data(|label| label), false, check).unwrap();
        let three = with(vec![oracle(), oracle(), oracle()], &data(|label| label), false, check).unwrap();
        assert_eq!((alone.0, &alone), (180, &three));
    }

    #[test]
    fn answers_that_say_nothing_are_refused() {
        let chance = |oracle: NearestCentre, data: &Dataset| {
            with(vec![oracle], data, false, |questions| {
                let (answers, _) = questions.all()?;
                questions.check_chance(&answers)
            })
        };
        let shifted = chance(oracle(), &data(|label| (label + 1) % 4)).unwrap_err();
        assert!(matches!(shifted, LoadError::ChanceLevel { accuracy: 0.0, needed: 0.25, .. }), "{shifted}");
        let same = NearestCentre::new(SPEC, vec![vec![9.0], vec![9.0], vec![0.5], vec![9.0]]);
        let same = chance(same, &data(|label| label)).unwrap_err();
        assert!(matches!(same, LoadError::OneLabel { label: 2, images: 100, .. }), "{same}");
        assert!(chance(oracle(), &data(|_| 1)).is_ok(), "data of one class cannot tell");
        let unknown = chance(oracle(), &data(|label| label + 1)).unwrap_err();
        assert!(matches!(unknown, LoadError::Labels { .. }), "{unknown}");
    }

    /// Answers as long as it is asked about many images.
    struct Fails(NearestCentre, usize);

    impl HardLabelOracle for Fails {
        fn spec(&self) -> &InputSpec {
            self.0.spec()
        }

        fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
            if batch.dim().0 < self.1 {
                return Err(OracleError::new("no answer"));
            }
            self.0.classify(batch, labels)
        }
    }

    #[test]
    fn failures_and_stops_are_told_apart() {
        let data = data(|label| label);
        let check = |questions: &mut Questions<'_, Fails>| {
            let (answers, _) = questions.all()?;
            questions.check_repeats(&answers)
        };
        let error = with(vec![Fails(oracle(), 50)], &data, false, check).unwrap_err();
        assert!(matches!(&error, LoadError::Classify(cause) if cause.to_string() == "no answer"), "{error}");
        let error = with(vec![Fails(oracle(), 0)], &data, true, check).unwrap_err();
        assert!(matches!(error, LoadError::Stopped), "{error}");
    }
}
