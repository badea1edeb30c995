//! An ONNX model as a black box that answers with labels.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aeva_artifact::sha256_hex;
use aeva_attack::{HardLabelOracle, InputSpec, Label, OracleError};
use ndarray::ArrayView4;
use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;

use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use crate::rows::{CPU_PORTIONS, CUDA_ROWS, Portions, SINGLE_ROWS};
use crate::{Device, Layout, ModelError, Preprocessing, Runtime};

/// A model file in memory.
#[derive(Debug, Clone)]
pub struct ModelFile {
    path: PathBuf,
    bytes: Arc<[u8]>,
    sha256: String,
}

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct OnnxOptions {
    /// Where it runs.
    pub device: Device,
    /// Image shape `[h, w, c]` of the data.
    pub image_shape: [usize; 3],
    /// Order of the input's dimensions; told from its shape if not stated.
    pub layout: Option<Layout>,
    /// How images become the input.
    pub preprocessing: Preprocessing,
    /// Name of the output; the first one if not stated.
    pub output: Option<String>,
    /// Number of labels, needed when the model answers labels instead of scores.
    pub classes: Option<u32>,
}

/// An ONNX model behind [`HardLabelOracle`]: one session with one thread of its own on the CPU, or on a CUDA device.
pub struct OnnxOracle {
    session: Session,
    path: PathBuf,
    spec: InputSpec,
    layout: Layout,
    input: String,
    output: usize,
    portions: Portions,
    /// Factor and summand of each channel of the model's input, and the image channel it is taken from.
    channels: Vec<(f32, f32, usize)>,
    /// Input of one run, in the model's layout; kept to be reused.
    buffer: Vec<f32>,
}

impl ModelFile {
    /// Reads a model file.
    ///
    /// # Errors
    /// [`ModelError::Io`], and [`ModelError::Format`] for files that are recognisably something else.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let bytes = fs::read(path).map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
        let format = |found| Err(ModelError::Format { path: path.to_owned(), found });
        if bytes.is_empty() {
            return format("an empty file");
        }
        if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            return format("an HDF5 file, as Keras writes it");
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return format("a zip archive, as Keras (.keras) and PyTorch (.pt, .pth) write it");
        }
        let sha256 = sha256_hex(&bytes);
        Ok(Self { path: path.to_owned(), bytes: bytes.into(), sha256 })
    }

    /// SHA-256 of the file, lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl OnnxOracle {
    /// Loads a model and finds out what it takes and how it can be run.
    ///
    /// # Errors
    /// [`ModelError`]: the model cannot be loaded, does not take images of the data's shape, answers neither scores nor
    /// labels, or the device is not there.
    pub fn load(runtime: &Runtime, model: &ModelFile, options: &OnnxOptions) -> Result<Self, ModelError> {
        let session = session(runtime, model, options.device)?;
        let shape = options.image_shape;
        let (layout, fixed_rows) = input_form(model, &session, shape, options.layout)?;
        let output = output_index(model, &session, options.output.as_deref())?;
        let input = session.inputs().first().map(|input| input.name().to_owned()).unwrap_or_default();
        let [height, width, image_channels] = shape;
        let mut oracle = Self {
            session,
            path: model.path.clone(),
            spec: InputSpec { height, width, channels: image_channels, classes: 0 },
            layout,
            input,
            output,
            portions: SINGLE_ROWS,
            channels: Vec::new(),
            buffer: Vec::new(),
        };
        oracle.set_preprocessing(&options.preprocessing)?;
        oracle.portions = match (fixed_rows, options.device) {
            (Some(rows), _) => Portions::Padded { run: rows, used: rows },
            (None, Device::Cuda { .. }) => Portions::Padded { run: CUDA_ROWS, used: CUDA_ROWS },
            (None, Device::Cpu) => CPU_PORTIONS,
        };
        oracle.spec.classes = oracle.count_classes(options.classes)?;
        oracle.settle_portions()?;
        Ok(oracle)
    }

    /// Changes how images become the model's input.
    ///
    /// # Errors
    /// [`ModelError::Preprocessing`] when it does not fit the channels; nothing is changed then.
    pub fn set_preprocessing(&mut self, preprocessing: &Preprocessing) -> Result<(), ModelError> {
        let count = self.spec.channels;
        let affine = preprocessing.affine(count)?;
        let from = |channel| if preprocessing.reverse_channels { count - 1 - channel } else { channel };
        self.channels = affine.iter().enumerate().map(|(c, &(factor, summand))| (factor, summand, from(c))).collect();
        Ok(())
    }

    /// Order of the dimensions of the model's input.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Asks with one image to see what comes back.
    fn count_classes(&mut self, stated: Option<u32>) -> Result<u32, ModelError> {
        let image = vec![0.5; self.spec.values()];
        let (_, run) = self.portions.next(1);
        let scores = self.run(&image, run)?;
        let found = match scores {
            Answer::Scores { width, .. } => u32::try_from(width).ok(),
            Answer::Labels(_) => stated,
        };
        let wrong = |found: String, expected: &str| {
            Err(ModelError::Output { path: self.path.clone(), found, expected: expected.to_owned() })
        };
        match (found, stated) {
            (None, _) => wrong("labels".to_owned(), "scores, or a number of classes stated in the manifest"),
            (Some(found), Some(stated)) if found != stated => {
                wrong(format!("scores of {found} classes"), &format!("{stated} classes, as stated"))
            }
            (Some(found), _) if found < 2 => {
                wrong(format!("scores of {found} class"), "at least 2 classes (a single score is no label)")
            }
            (Some(found), _) => Ok(found),
        }
    }

    /// Compares the outputs of some images bit by bit between batch sizes and places in a batch; when they differ, images
    /// run alone from then on.
    fn settle_portions(&mut self) -> Result<(), ModelError> {
        let values = self.spec.values();
        let (count, run) = self.portions.next(32);
        if run == 1 {
            return Ok(());
        }
        let count = count.min(32);
        // Any images will do; these differ in every value. (A Weyl sequence of the golden ratio.)
        let images: Vec<f32> = (0..count * values).map(|i| (i as f32 * 0.618_034).fract()).collect();
        let mut turned = images.clone();
        turned.rotate_left(values * (count / 3));
        let mut reference = self.scores_of(&images, count, run)?;
        reference.rotate_left(count / 3);
        let mut independent = self.scores_of(&turned, count, run)? == reference;
        if let Portions::Exact(sizes) = self.portions {
            for &size in sizes {
                let mut rows = Vec::with_capacity(count);
                for chunk in turned.chunks(size * values) {
                    let rows_here = chunk.len() / values;
                    rows.extend(self.scores_of(chunk, rows_here, rows_here)?);
                }
                independent &= rows == reference;
            }
        }
        if !independent {
            tracing::warn!(
                model = %self.path.display(),
                "the model's outputs depend on the place in the batch; images run one by one, which is slower"
            );
            self.portions = match self.portions {
                Portions::Exact(_) => SINGLE_ROWS,
                Portions::Padded { run, .. } => Portions::Padded { run, used: 1 },
            };
        }
        Ok(())
    }

    /// Outputs of `count` images, bit by bit, in one run.
    fn scores_of(&mut self, images: &[f32], count: usize, run: usize) -> Result<Vec<Vec<u32>>, ModelError> {
        Ok(match self.run(images, run)? {
            Answer::Scores { width, scores } => {
                scores.chunks(width).take(count).map(|row| row.iter().map(|score| score.to_bits()).collect()).collect()
            }
            Answer::Labels(labels) => labels.iter().take(count).map(|&label| vec![label]).collect(),
        })
    }

    /// Runs images `[n, h, w, c]`, padded to `run` rows.
    fn run(&mut self, images: &[f32], run: usize) -> Result<Answer, ModelError> {
        self.fill(images, run);
        let InputSpec { height, width, channels, .. } = self.spec;
        let shape = match self.layout {
            Layout::Nhwc => [run, height, width, channels],
            Layout::Nchw => [run, channels, height, width],
        };
        let path = &self.path;
        let failed = |error: ort::Error| ModelError::Run { path: path.clone(), why: error.to_string() };
        let tensor = TensorRef::from_array_view((shape, &*self.buffer)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![self.input.as_str() => tensor]).map_err(failed)?;
        let output = &outputs[self.output];
        let unexpected = |found: String| ModelError::Output {
            path: path.clone(),
            found,
            expected: format!("f32 scores [n, classes] or i64 labels [n], n = {run}"),
        };
        if let Ok((shape, scores)) = output.try_extract_tensor::<f32>() {
            // Trailing dimensions of 1 are harmless; anything else is no list of scores.
            let width = shape.get(1).and_then(|&width| usize::try_from(width).ok()).unwrap_or(0);
            if width == 0 || scores.len() != width * run || usize::try_from(shape[0]) != Ok(run) {
                return Err(unexpected(format!("f32 {:?}", &shape[..])));
            }
            return Ok(Answer::Scores { width, scores: scores.to_vec() });
        }
        if let Ok((shape, labels)) = output.try_extract_tensor::<i64>() {
            if labels.len() != run {
                return Err(unexpected(format!("i64 {:?}", &shape[..])));
            }
            let labels: Option<Vec<Label>> = labels.iter().map(|&label| Label::try_from(label).ok()).collect();
            return labels.map(Answer::Labels).ok_or_else(|| unexpected("negative labels".to_owned()));
        }
        Err(unexpected(format!("{:?}", output.dtype())))
    }

    /// Writes images into the buffer: preprocessed, in the model's layout, the rest of `run` rows zero.
    fn fill(&mut self, images: &[f32], run: usize) {
        let values = self.spec.values();
        let count = self.channels.len();
        let pixels = self.spec.height * self.spec.width;
        self.buffer.resize(run * values, 0.0);
        for (image, row) in images.chunks_exact(values).zip(self.buffer.chunks_exact_mut(values)) {
            match self.layout {
                Layout::Nhwc => {
                    for (from, to) in image.chunks_exact(count).zip(row.chunks_exact_mut(count)) {
                        for (to, &(factor, summand, channel)) in to.iter_mut().zip(&self.channels) {
                            *to = factor * from[channel] + summand;
                        }
                    }
                }
                Layout::Nchw => {
                    for (plane, &(factor, summand, channel)) in row.chunks_exact_mut(pixels).zip(&self.channels) {
                        for (to, from) in plane.iter_mut().zip(image.chunks_exact(count)) {
                            *to = factor * from[channel] + summand;
                        }
                    }
                }
            }
        }
        self.buffer[images.len()..].fill(0.0);
    }
}

/// What one run answers.
enum Answer {
    Scores { width: usize, scores: Vec<f32> },
    Labels(Vec<Label>),
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
            match self.run(now, run).map_err(OracleError::new)? {
                Answer::Scores { width, scores } => {
                    for row in scores.chunks(width).take(used) {
                        let label = top_label(row);
                        labels.push(
                            label
                                .ok_or_else(|| OracleError::new(ModelError::NotANumber { path: self.path.clone() }))?,
                        );
                    }
                }
                Answer::Labels(answers) => labels.extend(answers.into_iter().take(used)),
            }
        }
        Ok(())
    }
}

/// Index of the largest score, the lowest one among equals (as numpy has it); `None` when a score is NaN.
fn top_label(scores: &[f32]) -> Option<Label> {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if score.is_nan() {
            return None;
        }
        if *score > scores[best] {
            best = index;
        }
    }
    Label::try_from(best).ok()
}

fn session(runtime: &Runtime, model: &ModelFile, device: Device) -> Result<Session, ModelError> {
    let options =
        |error: &dyn std::fmt::Display| ModelError::Device { device: device.to_string(), why: error.to_string() };
    let mut builder = Session::builder(&runtime.environment)
        .map_err(|error| options(&error))?
        // Needed for the blocked layouts, which double the throughput on the CPU.
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(|error| options(&error))?
        // One session a worker, one thread a session: no synchronisation within a run, and its sums keep their order.
        .with_intra_threads(1)
        .map_err(|error| options(&error))?;
    if let Device::Cuda { index } = device {
        let provider = ep::CUDA::default()
            .with_device_id(i32::from(index))
            // TF32 has 10 bits of mantissa; probes of 6e-6 a pixel drown in its rounding.
            .with_tf32(false)
            // The exhaustive search may pick another kernel on the next run.
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            .build()
            // Otherwise a missing provider would silently run on the CPU.
            .error_on_failure();
        builder = builder.with_execution_providers([provider]).map_err(|error| options(&error))?;
    }
    builder.commit_from_memory(&model.bytes).map_err(|error| ModelError::Load {
        path: model.path.clone(),
        bytes: model.bytes.len(),
        why: error.to_string(),
    })
}

/// Layout of the input, and its number of rows if that is fixed.
fn input_form(
    model: &ModelFile,
    session: &Session,
    image: [usize; 3],
    stated: Option<Layout>,
) -> Result<(Layout, Option<usize>), ModelError> {
    let wrong = |found: String, expected: String| ModelError::Input { path: model.path.clone(), found, expected };
    let [input] = session.inputs() else {
        return Err(wrong(format!("count {}", session.inputs().len()), "one input: a batch of images".to_owned()));
    };
    let found = describe(input);
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return Err(wrong(found, "a tensor".to_owned()));
    };
    if *ty != TensorElementType::Float32 {
        let expected = "f32: probes of the search are far below the resolution of other types".to_owned();
        return Err(wrong(found, expected));
    }
    let &[rows, a, b, c] = &shape[..] else {
        return Err(wrong(found, "rank 4: [n, h, w, c] or [n, c, h, w]".to_owned()));
    };
    // A dynamic dimension (-1) takes anything.
    let fits = |dimension: i64, size: usize| dimension < 0 || usize::try_from(dimension) == Ok(size);
    let [height, width, channels] = image;
    let nhwc = fits(a, height) && fits(b, width) && fits(c, channels);
    let nchw = fits(a, channels) && fits(b, height) && fits(c, width);
    let layout = match (stated, nhwc, nchw) {
        (Some(Layout::Nhwc), true, _) | (None, true, false) => Layout::Nhwc,
        (Some(Layout::Nchw), _, true) | (None, false, true) => Layout::Nchw,
        (None, true, true) => {
            return Err(wrong(
                found,
                format!("a layout that can be told from images of shape {image:?} [h, w, c]; state it (nhwc or nchw)"),
            ));
        }
        (Some(layout), ..) => {
            return Err(wrong(found, format!("images of shape {image:?} [h, w, c] in layout {layout}, as stated")));
        }
        (None, false, false) => {
            return Err(wrong(found, format!("images of the data's shape {image:?} [h, w, c]")));
        }
    };
    Ok((layout, usize::try_from(rows).ok().filter(|&rows| rows > 0)))
}

fn output_index(model: &ModelFile, session: &Session, name: Option<&str>) -> Result<usize, ModelError> {
    let outputs = session.outputs();
    let found = || outputs.iter().map(describe).collect::<Vec<_>>().join(", ");
    let wrong = |expected: String| ModelError::Output { path: model.path.clone(), found: found(), expected };
    match name {
        None if outputs.is_empty() => Err(wrong("at least one output".to_owned())),
        None => Ok(0),
        Some(name) => outputs
            .iter()
            .position(|output| output.name() == name)
            .ok_or_else(|| wrong(format!("one of name `{name}`"))),
    }
}

/// Name, type and shape, for messages: `input: Float32 [?, 32, 32, 3]`.
fn describe(outlet: &Outlet) -> String {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let dimensions: Vec<String> =
                shape.iter().map(|&size| if size < 0 { "?".to_owned() } else { size.to_string() }).collect();
            format!("{}: {ty:?} [{}]", outlet.name(), dimensions.join(", "))
        }
        other => format!("{}: {other:?}", outlet.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_label_is_the_first_maximum() {
        assert_eq!(top_label(&[0.1, 0.7, 0.7, 0.2]), Some(1));
        assert_eq!(top_label(&[f32::NEG_INFINITY, f32::MIN]), Some(1));
        assert_eq!(top_label(&[0.1, f32::NAN]), None);
    }

    #[test]
    fn other_formats_are_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let error = |bytes: &[u8]| {
            let path = folder.path().join("m.onnx");
            fs::write(&path, bytes).unwrap();
            ModelFile::read(&path).unwrap_err().to_string()
        };
        assert!(error(b"\x89HDF\r\n\x1a\nrest").contains("HDF5"));
        assert!(error(b"PK\x03\x04rest").contains("zip"));
        assert!(error(b"").contains("empty"));
        let missing = ModelFile::read(&folder.path().join("none.onnx")).unwrap_err();
        assert!(matches!(missing, ModelError::Io { .. }) && missing.to_string().contains("none.onnx"));
    }
}
