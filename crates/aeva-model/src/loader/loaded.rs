//! A model that is ready for a scan, and what was found out about it.

use aeva_attack::perturbation::PerturbationPlan;
use aeva_attack::{CorrectImages, HardLabelOracle, InputSpec, OracleError, agreement};
use ndarray::{ArrayView4, Axis};

use super::error::LoadError;
use super::known::KnownAnswers;
use super::precision::Precision;
use crate::Device;
use crate::conventions::Fit;

/// Smallest default batch of a scan. A model that takes few images at a time still shares the rounds of a search.
const MIN_BATCH: usize = 32;

/// Smallest share of probes on which a device must agree with the CPU. Below it, a search would follow the rounding of the device:
/// f32 with other kernels reaches 0.999, f16 0.66 and bf16 0.54 (docs/performance.md).
const MIN_AGREEMENT: f64 = 0.95;

/// A model that understands the data. Its oracles are of the type `O`: `dyn HardLabelOracle` unless they are to be measured.
pub struct LoadedModel<O: ?Sized = dyn HardLabelOracle> {
    /// The oracles, at least one. They answer alike and can be asked at the same time.
    pub oracles: Vec<Box<O>>,
    /// The same model on the CPU, where the oracles run elsewhere.
    pub reference: Option<Box<dyn HardLabelOracle>>,
    /// What to call the model.
    pub name: String,
    /// What the oracles take, and the number of labels.
    pub spec: InputSpec,
    /// Names of the labels in their order, where the model's manifest states them.
    pub class_names: Option<Vec<String>>,
    /// The images that the model classifies correctly.
    pub correct: CorrectImages,
    /// SHA-256 over the labels that the model gave to the clean images.
    pub answers: String,
    /// Number of images that were classified so far.
    pub queries: u64,
    /// Images that all oracles together classify in a second.
    pub queries_per_second: f64,
    /// What a service answered at the start, if the same scan need not ask it again.
    pub known: KnownAnswers,
    /// How it is known how images go in.
    pub preprocessing: PreprocessingSource,
    /// What else was found out that a reader of the verdict should know.
    pub notes: Vec<String>,
    /// What the results depend on.
    pub identity: Identity,
    /// Images per batch of a scan, unless the user states another number.
    pub batch_rows: usize,
    /// Where the oracles run.
    pub device: Device,
    /// Whether the model sees changes of less than 1/255 of the value range.
    pub sees_small_changes: bool,
}

/// What the results of a scan depend on, besides the data and the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of the model with all its files, lower-case hexadecimal.
    pub sha256: String,
    /// Number of labels.
    pub classes: u32,
    /// Everything between image and label besides the model: layout, preprocessing, output.
    pub preprocessing: String,
    /// What runs the model, with its version.
    pub provider: String,
}

/// How it is known how images go in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PreprocessingSource {
    /// The user or the manifest states it, or it was not looked into.
    Stated,
    /// Nothing is stated. Pixels are assumed to lie in `[0, 1]`.
    Assumed,
    /// Nothing is stated. One convention was clearly the best.
    Found {
        /// The convention, and the share of the probes that are right with it.
        fit: Fit,
        /// Number of images that it was tried on.
        probes: usize,
        /// Share of all clean images that are right with pixels in `[0, 1]`.
        plain_accuracy: f64,
    },
}

/// An oracle whose model can be run for measurements, without looking at the answers.
pub trait RawRuns: HardLabelOracle {
    /// Numbers of images that the model is run with, in descending order. Batches of the first size keep a device busy.
    fn run_sizes(&self) -> &[usize];

    /// Runs the model on the first `rows` of `images` `[n, h, w, c]` again and again until `done`, and returns the number of images.
    ///
    /// # Errors
    /// Those of the model, also for numbers of rows that it does not take.
    fn run_raw(
        &mut self,
        images: ArrayView4<'_, f32>,
        rows: usize,
        done: &mut dyn FnMut() -> bool,
    ) -> Result<u64, OracleError> {
        let images = images.slice_axis(Axis(0), (..rows).into());
        let (mut labels, mut count) = (Vec::new(), 0);
        // Bounded by the caller, who counts time or runs.
        while !done() {
            self.classify(images, &mut labels)?;
            count += rows as u64;
        }
        Ok(count)
    }
}

/// Images per batch of a scan for an oracle that is run with these numbers of images.
pub(super) fn batch_rows(run_sizes: &[usize]) -> usize {
    run_sizes.first().copied().unwrap_or_default().max(MIN_BATCH)
}

impl From<LoadedModel<dyn RawRuns>> for LoadedModel {
    fn from(model: LoadedModel<dyn RawRuns>) -> Self {
        Self {
            oracles: model.oracles.into_iter().map(|oracle| oracle as Box<dyn HardLabelOracle>).collect(),
            reference: model.reference,
            name: model.name,
            spec: model.spec,
            class_names: model.class_names,
            correct: model.correct,
            answers: model.answers,
            queries: model.queries,
            queries_per_second: model.queries_per_second,
            known: model.known,
            preprocessing: model.preprocessing,
            notes: model.notes,
            identity: model.identity,
            batch_rows: model.batch_rows,
            device: model.device,
            sees_small_changes: model.sees_small_changes,
        }
    }
}

impl LoadedModel {
    /// Makes sure that the device computes precisely enough for the probes of a scan of `images` `[n, h, w, c]`, by comparing it
    /// with the CPU. The queries are counted, and the result becomes a note. On the CPU there is nothing to compare.
    ///
    /// # Errors
    /// [`LoadError::TooCoarse`] and [`LoadError::Agreement`].
    pub fn check_precision(
        &mut self,
        images: ArrayView4<'_, f32>,
        plan: &PerturbationPlan,
        seed: u64,
    ) -> Result<(), LoadError> {
        let (Some(reference), Some(oracle)) = (&mut self.reference, self.oracles.first_mut()) else {
            return Ok(());
        };
        let found = agreement(reference.as_mut(), oracle.as_mut(), images, plan, seed)?;
        self.queries += found.reference_queries + found.device_queries;
        let precision = Precision { device: self.device, share: found.share(), probes: found.probes };
        if precision.share < MIN_AGREEMENT {
            return Err(LoadError::TooCoarse { precision, needed: MIN_AGREEMENT });
        }
        tracing::info!("{precision}");
        self.notes.push(precision.to_string());
        Ok(())
    }
}
