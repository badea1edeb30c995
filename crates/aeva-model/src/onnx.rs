//! An ONNX model as a black box that answers with labels.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aeva_attack::{HardLabelOracle, InputSpec, Label, OracleError};
use ndarray::ArrayView4;
use ort::session::SessionInputValue;
use ort::session::{RunOptions, Session};
use ort::value::TensorRef;

use crate::answer::{Answer, answer, push_labels, stated_classes};
use crate::batching::Portions;
use crate::element::{Buffer, Element};
use crate::guard::{BINDINGS, guarded};
use crate::input::InputWriter;
use crate::io_binding::Bound;
use crate::label_graph;
use crate::session::session;
use crate::signature::{Taken, all_outputs, image_shape, output_index, taken};
use crate::watch::{Stoppable, Watched};
use crate::{Device, ExpectedOutput, Layout, ModelError, ModelFile, Preprocessing, Runtime};

/// Largest number of labels that a model may have: far more than any classifier has, and few enough to keep their scores in memory.
pub const MOST_CLASSES: u32 = 100_000;

/// How a model is run.
#[derive(Debug, Clone)]
pub struct OnnxOptions {
    /// Where it runs.
    pub device: Device,
    /// Image shape `[h, w, c]` of the data.
    pub image_shape: [usize; 3],
    /// Order of the input's dimensions; found from the input's shape if not stated.
    pub layout: Option<Layout>,
    /// How images become the model's input. For a model that takes bytes, the value range 0..1 stands for 0..255.
    pub preprocessing: Preprocessing,
    /// Name of the output; the first output if not stated.
    pub output: Option<String>,
    /// Number of labels; needed for a model that answers labels instead of scores.
    pub classes: Option<u32>,
    /// For a model with one score: label 1 begins above it.
    pub threshold: Option<f32>,
    /// How batches are sent to the device; the best way for the device if not stated.
    pub transfer: Option<Transfer>,
    /// Time that the model may take for each image of a batch. A model that takes longer counts as hanging.
    pub answer_timeout: Duration,
}

impl OnnxOptions {
    /// Far more than a model takes if a scan of it is to finish.
    pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
}

/// How batches are sent to the device, and how labels come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// A batch is passed in place, and scores come back. This is best for a device that shares the host's memory.
    Direct,
    /// Inputs are bound to pinned memory, the graph computes the label, and only labels come back. This is best for CUDA and
    /// TensorRT, and works on every device.
    Bound,
}

/// An ONNX model as a [`HardLabelOracle`]: one session, with a single thread on the CPU.
pub struct OnnxOracle {
    session: Session,
    path: PathBuf,
    spec: InputSpec,
    layout: Layout,
    element: Element,
    threshold: Option<f32>,
    preprocessing: Preprocessing,
    input: String,
    output: usize,
    portions: Portions,
    writer: InputWriter,
    /// Input of one run, where images are not the input as they are. Kept to be reused.
    buffer: Buffer,
    /// Input and output in memory of the device's choice, with [`Transfer::Bound`].
    bound: Option<Bound>,
    watched: Arc<Watched>,
    answer_timeout: Duration,
}

impl OnnxOracle {
    /// Loads a model, and finds out what it takes and in which batch sizes it can be run.
    ///
    /// # Errors
    /// [`ModelError`] for a model that cannot be loaded, does not take images of the data's shape, answers neither scores nor labels,
    /// does not answer in time or does not repeat its answers, and for a device that is not available.
    pub fn load(runtime: &Runtime, model: &ModelFile, options: &OnnxOptions) -> Result<Self, ModelError> {
        let device = options.device;
        let mut loaded = session(runtime, model, &model.bytes, device)?;
        let [height, width, channels] = options.image_shape;
        let Taken { layout, element, fixed_rows } = taken(model, &loaded, options.image_shape, options.layout)?;
        let preprocessing = element.preprocessing(&options.preprocessing, model.path())?;
        let outputs = (loaded.outputs().len() > 1).then(|| all_outputs(&loaded));
        let mut output = output_index(model, &loaded, options.output.as_deref())?;
        let input = loaded.inputs().first().map(|input| input.name().to_owned()).unwrap_or_default();
        let default = if device.cuda_index().is_some() { Transfer::Bound } else { Transfer::Direct };
        let transfer = options.transfer.unwrap_or(default);
        let classes = stated_classes(&loaded, output);
        let mut bound = None;
        let mut label = None;
        if transfer == Transfer::Bound {
            let scores = loaded.outputs().get(output).map(|outlet| outlet.name().to_owned()).unwrap_or_default();
            if classes.is_some() && options.threshold.is_none() {
                let opset = loaded.opset_for_domain("").unwrap_or_default();
                let bytes = label_graph::with_label(&model.bytes, &scores, opset);
                match session(runtime, model, &bytes, device) {
                    Ok(session) => {
                        loaded = session;
                        label = Some(label_graph::OUTPUT);
                    }
                    // Old operator sets lack some operators, for example. Then the scores are read.
                    Err(error) => tracing::warn!(%error, "the label cannot be computed in the graph, which is slower"),
                }
            }
            // Scores at first, because it takes their bits to see whether they depend on the batch.
            let new = Bound::new(&loaded, device, (&input, element), &scores);
            bound =
                Some(new.map_err(|error| ModelError::Run { path: model.path().to_owned(), why: error.to_string() })?);
            // Only the bound output is returned.
            output = 0;
        }
        let values = height * width * channels;
        let options_of_runs = RunOptions::new()
            .map_err(|error| ModelError::Run { path: model.path().to_owned(), why: error.to_string() })?;
        let mut oracle = Self {
            session: loaded,
            path: model.path().to_owned(),
            spec: InputSpec { height, width, channels, classes: 0 },
            layout,
            element,
            // -0 is 0, which is the same threshold.
            threshold: options.threshold.map(|threshold| threshold + 0.0),
            input,
            output,
            portions: fixed_rows.map_or_else(|| Portions::new(device, values), Portions::fixed),
            writer: InputWriter::new(options.image_shape, layout, &preprocessing)?,
            preprocessing,
            buffer: Buffer::new(element),
            bound,
            watched: Watched::new(Stoppable::Runs(options_of_runs)),
            answer_timeout: options.answer_timeout,
        };
        oracle.spec.classes =
            oracle.count_classes(classes, options.classes).map_err(|error| with_outputs(error, outputs.as_deref()))?;
        oracle.settle_portions(device)?;
        if let (Some(bound), Some(label)) = (&mut oracle.bound, label) {
            bound.fetch(label);
        }
        Ok(oracle)
    }

    /// The image shape `[h, w, c]` that the model's input states.
    ///
    /// # Errors
    /// [`ModelError::Load`], and [`ModelError::Input`] for an input that does not state its shape, or whose layout cannot be told.
    pub fn image_shape(runtime: &Runtime, model: &ModelFile, layout: Option<Layout>) -> Result<[usize; 3], ModelError> {
        image_shape(model, &session(runtime, model, &model.bytes, Device::Cpu)?, layout)
    }

    /// Changes how images become the model's input.
    ///
    /// # Errors
    /// [`ModelError::Preprocessing`] if it does not fit the channels, and [`ModelError::Input`] if it does not fit the type of the input.
    /// Then nothing is changed.
    pub fn set_preprocessing(&mut self, preprocessing: &Preprocessing) -> Result<(), ModelError> {
        let preprocessing = self.element.preprocessing(preprocessing, &self.path)?;
        self.writer = InputWriter::new(self.spec.shape(), self.layout, &preprocessing)?;
        self.preprocessing = preprocessing;
        Ok(())
    }

    /// How images become the model's input.
    pub(crate) fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The score above which label 1 begins, for a model with one score.
    pub(crate) fn threshold(&self) -> Option<f32> {
        self.threshold
    }

    /// The type of the values that the model takes.
    pub(crate) fn element(&self) -> Element {
        self.element
    }

    /// Order of the dimensions of the model's input.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Numbers of images that the model is run with, in descending order. Batches of the first size keep a device busy.
    pub fn run_sizes(&self) -> &[usize] {
        self.portions.sizes()
    }

    /// Runs the model on the first `rows` of `images` `[n, h, w, c]` again and again until `done`, and drops the answers. This is pure
    /// inference, for measurements. Returns the number of images.
    ///
    /// # Errors
    /// [`ModelError::Run`], also for a number of rows that the model does not take.
    pub fn run_raw(
        &mut self,
        images: ArrayView4<'_, f32>,
        rows: usize,
        mut done: impl FnMut() -> bool,
    ) -> Result<u64, ModelError> {
        let standard = images.as_standard_layout();
        let values = self.spec.values();
        let images = standard.as_slice().and_then(|all| all.get(..rows * values)).unwrap_or_default();
        let mut count = 0;
        // Bounded by the caller, who counts time or runs.
        while !done() {
            self.run(images, rows, |_| Ok(()))?;
            count += rows as u64;
        }
        Ok(count)
    }

    /// Finds the number of labels by a run on one image.
    fn count_classes(&mut self, in_form: Option<u32>, stated: Option<u32>) -> Result<u32, ModelError> {
        let image = vec![0.5; self.spec.values()];
        let (_, run) = self.portions.next(1);
        let found = self.run(&image, run, |answer| {
            Ok(match answer {
                Answer::Scores { width, .. } => Ok(u32::try_from(width).ok()),
                Answer::Labels(_) => Err(in_form.or(stated)),
            })
        })?;
        let wrong = |found: String, expected| Err(ModelError::Output { path: self.path.clone(), found, expected });
        let found = match (found, self.threshold) {
            (Ok(Some(1)), Some(_)) => Some(2),
            (Ok(Some(found)), Some(_)) => return wrong(format!("scores of {found} classes"), ExpectedOutput::OneScore),
            (Err(_), Some(_)) => return wrong("labels".to_owned(), ExpectedOutput::OneScore),
            (Ok(found) | Err(found), _) => found,
        };
        match (found, stated) {
            (None, _) => wrong("labels".to_owned(), ExpectedOutput::StatedClasses),
            (Some(found), Some(stated)) if found != stated => {
                wrong(format!("scores of {found} classes"), ExpectedOutput::Classes(stated))
            }
            (Some(found), _) if found < 2 => wrong(format!("scores of {found} class"), ExpectedOutput::TwoClasses),
            (Some(found), _) if found > MOST_CLASSES => Err(ModelError::Limit {
                path: self.path.clone(),
                what: "labels",
                found: u64::from(found),
                limit: u64::from(MOST_CLASSES),
            }),
            (Some(found), _) => Ok(found),
        }
    }

    /// Compares the outputs of some images bit by bit between two runs, between batch sizes and between places in a batch. If places
    /// differ, images run alone from then on. If sizes differ, images run alone on the CPU, and in fewer sizes on other devices.
    /// A model that answers two equal runs differently is refused.
    fn settle_portions(&mut self, device: Device) -> Result<(), ModelError> {
        let values = self.spec.values();
        let largest = self.portions.largest();
        let count = largest.min(32);
        // Any images will do. These differ in every value (a Weyl sequence of the golden ratio).
        let images: Vec<f32> = (0..count * values).map(|i| (i as f32 * 0.618_034).fract()).collect();
        let mut turned = images.clone();
        turned.rotate_left(values * (count / 3));
        let mut reference = self.outputs_of(&images, largest)?;
        // Other devices may add up in any order. The caller checks whether their labels repeat.
        if device.is_processor() && self.outputs_of(&images, largest)? != reference {
            return Err(ModelError::NotDeterministic { path: self.path.clone() });
        }
        if largest == 1 {
            return Ok(());
        }
        reference.rotate_left(count / 3);
        let mut independent = self.outputs_of(&turned, largest)? == reference;
        let mut fitting = Vec::new();
        for &size in &self.portions.sizes().to_vec() {
            let mut rows = Vec::with_capacity(count);
            for chunk in turned.chunks(size * values) {
                rows.extend(self.outputs_of(chunk, size)?);
            }
            if rows == reference {
                fitting.push(size);
            }
        }
        if device == Device::Cpu {
            independent &= fitting == self.portions.sizes();
        } else {
            self.portions.retain(|size| fitting.contains(&size));
        }
        if !independent {
            tracing::warn!(
                model = %self.path.display(),
                "the model's outputs depend on the place in the batch; images run one by one, which is slower"
            );
            self.portions = self.portions.alone();
        }
        Ok(())
    }

    /// The bits of the outputs of images, from one run of `run` rows.
    fn outputs_of(&mut self, images: &[f32], run: usize) -> Result<Vec<Vec<u64>>, ModelError> {
        let count = images.len() / self.spec.values();
        self.run(images, run, |answer| {
            Ok(match answer {
                Answer::Scores { width, scores } => {
                    let bits = |row: &[f32]| row.iter().map(|score| u64::from(score.to_bits())).collect();
                    scores.chunks(width).take(count).map(bits).collect()
                }
                Answer::Labels(labels) => labels.iter().take(count).map(|label| vec![label.cast_unsigned()]).collect(),
            })
        })
    }

    /// Runs the model on images `[n, h, w, c]`, padded to `run` rows, and passes the answer to `take`.
    fn run<T>(
        &mut self,
        images: &[f32],
        run: usize,
        take: impl FnOnce(Answer<'_>) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let InputSpec { height, width, channels, .. } = self.spec;
        let shape = match self.layout {
            Layout::Nhwc => [run, height, width, channels],
            Layout::Nchw => [run, channels, height, width],
        };
        let (path, watched) = (&self.path, &self.watched);
        let limit = self.answer_timeout.saturating_mul(u32::try_from(run).unwrap_or(u32::MAX));
        let failed = |error: &dyn std::fmt::Display| ModelError::Run { path: path.clone(), why: error.to_string() };
        let timed_out = || ModelError::TimedOut { path: path.clone(), rows: run, seconds: limit.as_secs() };
        let Stoppable::Runs(options) = &watched.what else { return Err(failed(&"it has no options")) };
        let (bound, session) = (&mut self.bound, &mut self.session);
        if let Some(bound) = bound {
            let writer = &self.writer;
            let outputs = guarded(BINDINGS, move || {
                watched.within(limit, move || bound.run(session, options, shape, writer, images))
            });
            let outputs = outputs.map_err(|why| failed(&why))?.ok_or_else(timed_out)?;
            return take(answer(&outputs.map_err(|error| failed(&error))?, self.output, run, path)?);
        }
        let is_input =
            self.element == Element::F32 && self.writer.passes_through() && images.len() == run * self.spec.values();
        let tensor = if is_input {
            TensorRef::from_array_view((shape, images)).map(SessionInputValue::from)
        } else {
            self.buffer.fill(&self.writer, images, shape)
        };
        let tensor = tensor.map_err(|error| failed(&error))?;
        let name = self.input.as_str();
        let outputs = guarded(BINDINGS, move || {
            watched.within(limit, move || session.run_with_options(ort::inputs![name => tensor], options))
        });
        let outputs = outputs.map_err(|why| failed(&why))?.ok_or_else(timed_out)?;
        take(answer(&outputs.map_err(|error| failed(&error))?, self.output, run, path)?)
    }
}

/// Of an output that cannot be used: what the others are.
fn with_outputs(error: ModelError, outputs: Option<&str>) -> ModelError {
    match (error, outputs) {
        (ModelError::Output { path, found, expected }, Some(outputs)) => {
            ModelError::Output { path, found: format!("{found} (its outputs are {outputs})"), expected }
        }
        (error, _) => error,
    }
}

impl HardLabelOracle for OnnxOracle {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        let values = self.spec.values();
        let standard = batch.as_standard_layout();
        let mut rest = standard.as_slice().unwrap_or_default();
        while !rest.is_empty() {
            let (used, run) = self.portions.next(rest.len() / values);
            let (now, later) = rest.split_at(used * values);
            rest = later;
            let (path, rule) = (self.path.clone(), (self.spec.classes, self.threshold));
            self.run(now, run, |answer| push_labels(&answer, used, rule, &path, labels)).map_err(OracleError::new)?;
        }
        Ok(())
    }
}
