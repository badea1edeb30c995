//! Loads ONNX files.

use std::path::Path;

use aeva_attack::{CorrectImages, HardLabelOracle, OracleError, classify_all};
use ndarray::{Array4, ArrayView4};
use rayon::prelude::*;

use super::error::LoadError;
use super::kind::Kind;
use super::known::KnownAnswers;
use super::loaded::{Identity, LoadedModel, PreprocessingSource, RawRuns, batch_rows};
use super::preprocessing::understand;
use super::questions::{Answers, Questions, check_labelled};
use super::request::{Request, Stated};
use crate::element::{Element, not_bytes};
use crate::{
    Dataset, Device, Manifest, ModelError, ModelFile, OnnxOptions, OnnxOracle, Preprocessing, Runtime, ValueRange,
};

/// Images per batch where all images are classified by one oracle.
const BATCH: usize = 256;

/// The kind of model that is an ONNX file.
pub(super) struct OnnxFile;

/// A file, what runs it and how.
struct Opened {
    runtime: Runtime,
    file: ModelFile,
    options: OnnxOptions,
    class_names: Option<Vec<String>>,
}

/// What was measured on a model.
struct Measured {
    answers: Answers,
    queries: u64,
    queries_per_second: f64,
    source: PreprocessingSource,
}

impl RawRuns for OnnxOracle {
    fn run_sizes(&self) -> &[usize] {
        OnnxOracle::run_sizes(self)
    }

    fn run_raw(
        &mut self,
        images: ArrayView4<'_, f32>,
        rows: usize,
        done: &mut dyn FnMut() -> bool,
    ) -> Result<u64, OracleError> {
        OnnxOracle::run_raw(self, images, rows, done).map_err(OracleError::new)
    }
}

impl Kind for OnnxFile {
    fn takes(&self, _: &Path) -> bool {
        true
    }

    fn load(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        let file = ModelFile::read(request.model)?;
        let manifest = manifest(request.stated, &file)?;
        let (options, is_stated) = options(request, manifest.as_ref(), data.image_shape());
        let runtime = runtime(request.device)?;
        let mut opened = Opened { runtime, file, options, class_names: class_names(manifest) };
        let mut oracles = (0..workers(request.device, request.threads))
            .into_par_iter()
            .map(|_| opened.oracle())
            .collect::<Result<Vec<_>, _>>()?;

        let is_stated = opened.settle_bytes(&oracles[0], is_stated)?;
        let mut questions = Questions::new(request, &mut oracles, data)?;
        let understanding = understand(&mut questions, &opened.options.preprocessing, is_stated)?;
        questions.check_chance(&understanding.answers)?;
        questions.check_repeats(&understanding.answers)?;
        let measured = Measured {
            answers: understanding.answers,
            queries: questions.queries,
            queries_per_second: understanding.queries_per_second,
            source: understanding.source,
        };
        opened.options.preprocessing = understanding.preprocessing;
        opened.finish(oracles, measured)
    }

    fn load_without_data(
        &self,
        request: &Request<'_>,
        make: &dyn Fn([usize; 3]) -> Array4<f32>,
    ) -> Result<(LoadedModel<dyn RawRuns>, Array4<f32>), LoadError> {
        let file = ModelFile::read(request.model)?;
        let manifest = manifest(request.stated, &file)?;
        let runtime = runtime(request.device)?;
        let layout = request.stated.layout.or(manifest.as_ref().and_then(|manifest| manifest.input.layout));
        let shape = match manifest.as_ref().and_then(|manifest| manifest.input.shape) {
            Some(shape) => shape,
            None => OnnxOracle::image_shape(&runtime, &file, layout)?,
        };
        let (options, is_stated) = options(request, manifest.as_ref(), shape);
        let mut opened = Opened { runtime, file, options, class_names: class_names(manifest) };
        let images = make(shape);
        let mut oracle = opened.oracle()?;
        let is_stated = opened.settle_bytes(&oracle, is_stated)?;
        let (mut labels, mut queries_per_second) = classify(request.model, &mut oracle, images.view())?;
        let mut queries = labels.len() as u64;
        let mut source = PreprocessingSource::Stated;
        if !is_stated {
            source = PreprocessingSource::Assumed;
            if labels.iter().all(|&label| label == labels[0]) {
                // Its pixels may have another range. That changes no speed, but a search needs two labels.
                opened.options.preprocessing.value_range = ValueRange::BYTE;
                oracle.set_preprocessing(&opened.options.preprocessing)?;
                (labels, queries_per_second) = classify(request.model, &mut oracle, images.view())?;
                queries += labels.len() as u64;
            }
        }
        let correct = CorrectImages::new(&labels, &labels, oracle.spec().classes)?;
        let mut oracles = vec![oracle];
        for _ in 1..workers(request.device, request.threads) {
            oracles.push(opened.oracle()?);
        }
        let measured = Measured { answers: Answers { labels, correct }, queries, queries_per_second, source };
        Ok((opened.finish(oracles, measured)?, images))
    }

    fn load_plain(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        let (options, _) = options(request, None, data.image_shape());
        let (runtime, file) = (runtime(request.device)?, ModelFile::read(request.model)?);
        let opened = Opened { runtime, file, options, class_names: None };
        let mut oracles = Vec::new();
        for _ in 0..workers(request.device, request.threads) {
            oracles.push(opened.oracle()?);
        }
        let (labels, queries_per_second) = classify(request.model, &mut oracles[0], data.images.view())?;
        let correct = CorrectImages::new(&data.labels, &labels, oracles[0].spec().classes)?;
        let queries = labels.len() as u64;
        let source = PreprocessingSource::Stated;
        opened.finish(oracles, Measured { answers: Answers { labels, correct }, queries, queries_per_second, source })
    }
}

impl Opened {
    fn oracle(&self) -> Result<OnnxOracle, ModelError> {
        OnnxOracle::load(&self.runtime, &self.file, &self.options)
    }

    /// The range of the pixels of a model that takes bytes is known without a statement. Returns whether it is known how images go in.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another range is stated.
    fn settle_bytes(&mut self, oracle: &OnnxOracle, is_stated: bool) -> Result<bool, ModelError> {
        if oracle.element() != Element::U8 {
            return Ok(is_stated);
        }
        if is_stated && self.options.preprocessing != *oracle.preprocessing() {
            return Err(not_bytes(&self.options.preprocessing, self.file.path()));
        }
        self.options.preprocessing = oracle.preprocessing().clone();
        Ok(true)
    }

    /// The model on the CPU, for comparison, where it runs elsewhere.
    fn reference(&self) -> Result<Option<Box<dyn HardLabelOracle>>, LoadError> {
        if self.options.device == Device::Cpu {
            return Ok(None);
        }
        let on_cpu = OnnxOptions { device: Device::Cpu, ..self.options.clone() };
        let oracle = OnnxOracle::load(&self.runtime, &self.file, &on_cpu).map_err(LoadError::Reference)?;
        Ok(Some(Box::new(oracle)))
    }

    /// Puts everything together.
    fn finish(&self, oracles: Vec<OnnxOracle>, measured: Measured) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        let reference = self.reference()?;
        let spec = *oracles[0].spec();
        let [height, width, channels] = spec.shape();
        let output = self.options.output.as_deref().unwrap_or("first");
        let (layout, preprocessing) = (oracles[0].layout(), &self.options.preprocessing);
        let device = self.options.device;
        let element = oracles[0].element();
        // What is usual is not mentioned, as in run folders of before.
        let pixels = if element == Element::F32 { String::new() } else { format!(", {element} pixels") };
        let threshold = oracles[0].threshold().map_or_else(String::new, |score| format!(", threshold {score}"));
        Ok(LoadedModel {
            sees_small_changes: true,
            reference,
            name: self.file.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            spec,
            class_names: self.class_names.clone(),
            answers: measured.answers.sha256(),
            correct: measured.answers.correct,
            queries: measured.queries,
            queries_per_second: measured.queries_per_second,
            known: KnownAnswers::default(),
            preprocessing: measured.source,
            notes: element.note().map(str::to_owned).into_iter().collect(),
            identity: Identity {
                sha256: self.file.sha256().to_owned(),
                classes: spec.classes,
                preprocessing: format!(
                    "{height}x{width}x{channels} {layout}, {preprocessing}, {output} output{pixels}{threshold}"
                ),
                provider: format!("onnxruntime {} {}", self.runtime.version(), device.kind()),
            },
            batch_rows: batch_rows(oracles[0].run_sizes()),
            device,
            oracles: oracles.into_iter().map(|oracle| Box::new(oracle) as Box<dyn RawRuns>).collect(),
        })
    }
}

fn runtime(device: Device) -> Result<Runtime, LoadError> {
    let runtime = Runtime::load(device)?;
    tracing::debug!("ONNX Runtime {} from {}", runtime.version(), runtime.path().display());
    Ok(runtime)
}

/// Labels of all `images` `[n, h, w, c]`, and how many of them were classified in a second.
fn classify(model: &Path, oracle: &mut OnnxOracle, images: ArrayView4<'_, f32>) -> Result<(Vec<u32>, f64), LoadError> {
    let begin = std::time::Instant::now();
    let labels = classify_all(oracle, images, BATCH).map_err(LoadError::Classify)?;
    check_labelled(&labels, model)?;
    let per_second = labels.len() as f64 / begin.elapsed().as_secs_f64().max(1e-9);
    Ok((labels, per_second))
}

/// Number of sessions that take batches at the same time. On the CPU each of them has a thread of its own. On other devices a few
/// are enough to compute one batch while others are written, sent and read.
fn workers(device: Device, threads: usize) -> usize {
    match device {
        device if device.is_processor() => threads,
        Device::Cuda { .. } | Device::TensorRt { .. } => 3,
        _ => 2,
    }
}

/// The manifest, checked against the file.
fn manifest(stated: &Stated, file: &ModelFile) -> Result<Option<Manifest>, LoadError> {
    let path = stated.manifest.clone().unwrap_or_else(|| Manifest::path_for(file.path()));
    let manifest = Manifest::read(&path)?;
    match &manifest {
        None if stated.manifest.is_some() => Err(LoadError::NoManifest { path }),
        Some(manifest) if manifest.model.sha256 != file.sha256() => Err(LoadError::Model(ModelError::Digest {
            path: file.path().to_owned(),
            found: file.sha256().to_owned(),
            expected: manifest.model.sha256.clone(),
        })),
        _ => Ok(manifest),
    }
}

/// The names of the labels, if the manifest has them.
fn class_names(manifest: Option<Manifest>) -> Option<Vec<String>> {
    manifest.map(|manifest| manifest.output.class_names).filter(|names| !names.is_empty())
}

/// What the user states, then what the manifest states; and whether either states the value range.
fn options(request: &Request<'_>, manifest: Option<&Manifest>, image_shape: [usize; 3]) -> (OnnxOptions, bool) {
    let stated = request.stated;
    let input = manifest.map(|manifest| manifest.input.clone()).unwrap_or_default();
    let value_range = stated.value_range.or(input.value_range);
    // Mean and standard deviation have the unit of the value range, so whoever states them means a range, too.
    let normalised = stated.mean.is_some() || stated.std.is_some() || !input.mean.is_empty() || !input.std.is_empty();
    let preprocessing = Preprocessing {
        value_range: value_range.unwrap_or(ValueRange::UNIT),
        mean: stated.mean.clone().unwrap_or(input.mean),
        std: stated.std.clone().unwrap_or(input.std),
        reverse_channels: stated.reverse_channels || input.reverse_channels,
    };
    let options = OnnxOptions {
        device: request.device,
        image_shape,
        layout: stated.layout.or(input.layout),
        preprocessing,
        output: stated.output.clone().or_else(|| manifest.and_then(|manifest| manifest.output.name.clone())),
        classes: stated.classes.or(manifest.map(|manifest| manifest.model.classes)),
        threshold: stated.threshold.or(manifest.and_then(|manifest| manifest.output.threshold)),
        transfer: None,
        answer_timeout: stated.answer_timeout.unwrap_or(OnnxOptions::ANSWER_TIMEOUT),
    };
    (options, value_range.is_some() || normalised)
}
