//! Loading a model for some data, and making sure that it understands the images.

use aeva_attack::{CorrectImages, HardLabelOracle, Label, ScanPlan, agreement, classify_all};
use aeva_model::clean::{Cause, Diagnosis, diagnose, spread};
use aeva_model::{
    Dataset, Device, Manifest, ModelError, ModelFile, OnnxOptions, OnnxOracle, OpenVinoHardware, Preprocessing,
    Runtime, ValueRange,
};
use anyhow::Context;
use ndarray::{ArrayView4, Axis};
use rayon::prelude::*;
use std::path::Path;

use crate::args::InputArgs;
use crate::hint::Hinted;

/// Below this clean accuracy other ways of asking are tried.
const SUSPICIOUS_ACCURACY: f64 = 0.8;
/// Images they are tried on.
const PROBES: usize = 200;
/// Images per call when all are classified.
const CLEAN_BATCH: usize = 256;

/// A model that understands the data.
pub(super) struct Understood {
    pub(super) file: ModelFile,
    pub(super) oracles: Vec<OnnxOracle>,
    /// The same model on the CPU, where the oracles run elsewhere.
    pub(super) reference: Option<OnnxOracle>,
    pub(super) correct: CorrectImages,
    /// Images classified to get here.
    pub(super) queries: u64,
    /// Everything between image and label besides the file: layout, preprocessing, output.
    pub(super) preprocessing: String,
    pub(super) notes: Vec<String>,
    pub(super) provider: String,
}

/// Loads the model once per worker, measures its clean accuracy and settles how images go in.
pub(super) fn load(
    path: &Path,
    args: &InputArgs,
    data: &Dataset,
    device: Device,
    threads: usize,
) -> anyhow::Result<Understood> {
    let workers = workers(device, threads);
    let file = ModelFile::read(path)?;
    let manifest = manifest(args, &file)?;
    let (mut options, range_is_stated) = options(args, manifest.as_ref(), data.image_shape(), device);
    let runtime = Runtime::load(device)?;
    tracing::debug!("ONNX Runtime {} from {}", runtime.version(), runtime.path().display());
    let mut oracles = (0..workers)
        .into_par_iter()
        .map(|_| OnnxOracle::load(&runtime, &file, &options))
        .collect::<Result<Vec<_>, _>>()?;
    let classes = oracles[0].spec().classes;
    if let Some(&label) = data.labels.iter().find(|&&label| label >= classes) {
        return Err(anyhow::Error::new(aeva_attack::PlanError::Label { label, classes }).context(format!(
            "the labels of {} do not fit {}",
            data.path().display(),
            path.display()
        )));
    }

    let mut queries = 0;
    let mut notes = Vec::new();
    let mut correct = measure(&mut oracles, data, classes, &mut queries)?;
    if correct.accuracy() < SUSPICIOUS_ACCURACY
        && let Some(diagnosis) = find_cause(&mut oracles[0], data, &options.preprocessing, &mut queries)?
    {
        let range = match diagnosis.cause {
            Cause::ValueRange(range) if !range_is_stated => range,
            _ => return Err(misunderstanding(path, correct.accuracy(), &diagnosis)),
        };
        notes.push(format!(
            "value range {range} was found by trying: {:.1} % of {PROBES} clean images are right with it, {:.1} % of all with {}; state it with --value-range {range} or in the manifest",
            100.0 * diagnosis.accuracy,
            100.0 * correct.accuracy(),
            options.preprocessing.value_range,
        ));
        options.preprocessing.value_range = range;
        for oracle in &mut oracles {
            oracle.set_preprocessing(&options.preprocessing)?;
        }
        correct = measure(&mut oracles, data, classes, &mut queries)?;
    }
    let reference = reference(&runtime, &file, &options)?;
    let output = options.output.as_deref().unwrap_or("first");
    let preprocessing =
        format!("{} {}, {}, {output} output", shape_text(data), oracles[0].layout(), options.preprocessing);
    let provider = format!("onnxruntime {} {}", runtime.version(), device.kind());
    Ok(Understood { file, oracles, reference, correct, queries, preprocessing, notes, provider })
}

/// The model on the CPU, for comparison, where it runs elsewhere.
pub(super) fn reference(
    runtime: &Runtime,
    file: &ModelFile,
    options: &OnnxOptions,
) -> anyhow::Result<Option<OnnxOracle>> {
    if options.device == Device::Cpu {
        return Ok(None);
    }
    let on_cpu = OnnxOptions { device: Device::Cpu, ..options.clone() };
    let oracle = OnnxOracle::load(runtime, file, &on_cpu);
    oracle.map(Some).context("the model cannot be loaded on the CPU for comparison")
}

/// Sessions that take batches at the same time. On the processor each has a thread of its own; elsewhere a few are enough to
/// have one batch computed while others are written, sent and read.
pub(super) fn workers(device: Device, threads: usize) -> usize {
    match device {
        device if device.is_processor() => threads,
        Device::Cuda { .. } | Device::TensorRt { .. } => 3,
        _ => 2,
    }
}

/// Images per batch at least: models that are run with few images at a time still share the turns of the search.
const LEAST_BATCH: usize = 32;

/// Images per batch when not stated: as many as the largest run of the model takes.
pub(super) fn batch_rows(oracle: Option<&OnnxOracle>) -> usize {
    oracle.and_then(|oracle| oracle.run_sizes().first().copied()).unwrap_or_default().max(LEAST_BATCH)
}

/// Below this share of probes that the device and the CPU decide alike, a search would follow the device's rounding. f32 with
/// other kernels reaches 0.999, f16 0.66, bf16 0.54 (docs/performance.md).
const LEAST_AGREEMENT: f64 = 0.95;

/// Refuses a device that computes too coarsely to see the probes of this scan.
pub(super) fn check_precision(
    understood: &mut Understood,
    data: &Dataset,
    device: Device,
    plan: &ScanPlan,
    seed: u64,
) -> anyhow::Result<()> {
    let (Some(reference), Some(oracle)) = (&mut understood.reference, understood.oracles.first_mut()) else {
        return Ok(());
    };
    let found = agreement(reference, oracle, data.images.view(), plan, seed)?;
    understood.queries += found.reference_queries + found.device_queries;
    let figure = format!(
        "{device} and the CPU decide {:.1} % of {} probes of the search's size alike",
        100.0 * found.share(),
        found.probes
    );
    if found.share() < LEAST_AGREEMENT {
        let remedy = match device {
            Device::TensorRt { .. } => {
                "TensorRT uses TF32 unless the environment has NVIDIA_TF32_OVERRIDE=0; set that, or use --device cuda"
            }
            Device::OpenVino { hardware: OpenVinoHardware::Bf16 } => "use --device openvino:cpu, which computes in f32",
            _ => "use --device cpu, or a device that computes in f32",
        };
        return Err(Hinted::error(
            format!("{figure}, {:.0} % are needed: it computes too coarsely for the search", 100.0 * LEAST_AGREEMENT),
            remedy,
        ));
    }
    tracing::info!("{figure}");
    understood.notes.push(figure);
    Ok(())
}

fn shape_text(data: &Dataset) -> String {
    let [height, width, channels] = data.image_shape();
    format!("{height}x{width}x{channels}")
}

/// The manifest, checked against the file.
pub(super) fn manifest(args: &InputArgs, file: &ModelFile) -> anyhow::Result<Option<Manifest>> {
    let path = args.manifest.clone().unwrap_or_else(|| Manifest::path_for(file.path()));
    let manifest = Manifest::read(&path)?;
    match &manifest {
        None if args.manifest.is_some() => {
            return Err(Hinted::error(
                format!("there is no manifest {}", path.display()),
                "check the path given to --manifest",
            ));
        }
        Some(manifest) if manifest.model.sha256 != file.sha256() => {
            return Err(ModelError::Digest {
                path: file.path().to_owned(),
                found: file.sha256().to_owned(),
                expected: manifest.model.sha256.clone(),
            }
            .into());
        }
        _ => {}
    }
    Ok(manifest)
}

/// Options from the command line first, then the manifest; and whether either states the value range.
pub(super) fn options(
    args: &InputArgs,
    manifest: Option<&Manifest>,
    image_shape: [usize; 3],
    device: Device,
) -> (OnnxOptions, bool) {
    let input = manifest.map(|manifest| manifest.input.clone()).unwrap_or_default();
    let stated = args.value_range.or(input.value_range);
    // Mean and standard deviation have the unit of the range: whoever states them means a range, too.
    let normalised = args.mean.is_some() || args.std.is_some() || !input.mean.is_empty() || !input.std.is_empty();
    let preprocessing = Preprocessing {
        value_range: stated.unwrap_or(ValueRange::UNIT),
        mean: args.mean.clone().unwrap_or(input.mean),
        std: args.std.clone().unwrap_or(input.std),
        reverse_channels: args.reverse_channels || input.reverse_channels,
    };
    let options = OnnxOptions {
        device,
        image_shape,
        layout: args.layout.or(input.layout),
        preprocessing,
        output: args.output.clone().or_else(|| manifest.and_then(|manifest| manifest.output.name.clone())),
        classes: manifest.map(|manifest| manifest.model.classes),
        transfer: None,
        answer_timeout: args.answer_timeout.map_or(OnnxOptions::ANSWER_TIMEOUT, Duration::from_secs_f64),
    };
    (options, stated.is_some() || normalised)
}

fn measure(
    oracles: &mut [OnnxOracle],
    data: &Dataset,
    classes: u32,
    queries: &mut u64,
) -> anyhow::Result<CorrectImages> {
    let images = data.images.view();
    *queries += data.labels.len() as u64;
    let share = data.labels.len().div_ceil(oracles.len()).max(1);
    let parts: Vec<ArrayView4<'_, f32>> = images.axis_chunks_iter(Axis(0), share).collect();
    let predicted: Vec<Vec<Label>> = oracles
        .par_iter_mut()
        .zip(parts)
        .map(|(oracle, part)| classify_all(oracle, part, CLEAN_BATCH))
        .collect::<Result<_, _>>()
        .context("the clean images could not be classified")?;
    Ok(CorrectImages::new(&data.labels, &predicted.concat(), classes)?)
}

fn find_cause(
    oracle: &mut OnnxOracle,
    data: &Dataset,
    current: &Preprocessing,
    queries: &mut u64,
) -> anyhow::Result<Option<Diagnosis>> {
    let (images, labels) = spread(data.images.view(), &data.labels, PROBES);
    let mut ask = |images: ArrayView4<'_, f32>, preprocessing: &Preprocessing| -> anyhow::Result<Vec<Label>> {
        oracle.set_preprocessing(preprocessing)?;
        *queries += images.dim().0 as u64;
        match classify_all(oracle, images, CLEAN_BATCH) {
            Ok(labels) => Ok(labels),
            // A model may well answer NaN to images of the wrong scale; that is no explanation, then.
            Err(_) => Ok(vec![Label::MAX; images.dim().0]),
        }
    };
    let now = ask(images.view(), current)?;
    let right = now.iter().zip(&labels).filter(|(now, label)| now == label).count();
    let accuracy = right as f64 / labels.len() as f64;
    let cause = diagnose(images.view(), &labels, current, accuracy, &mut ask)?;
    oracle.set_preprocessing(current)?;
    Ok(cause)
}

/// The model gets the images wrong, and this is likely why.
fn misunderstanding(path: &Path, accuracy: f64, diagnosis: &Diagnosis) -> anyhow::Error {
    let list = |values: &[f32]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let (cause, remedy) = match &diagnosis.cause {
        Cause::ValueRange(range) => {
            (format!("the model takes pixels in {range}"), format!("use --value-range {range}"))
        }
        Cause::Normalisation { name, mean, std } => (
            format!("the model takes pixels normalised with the constants of {name}"),
            format!("use --value-range 0..1 --mean {} --std {}", list(mean), list(std)),
        ),
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
        _ => ("of an unknown cause".to_owned(), "see docs/formats.md".to_owned()),
    };
    Hinted::error(
        format!("{} classifies only {:.1} % of the clean images correctly", path.display(), 100.0 * accuracy),
        format!("{cause} ({:.1} % of {PROBES} images are right then): {remedy}", 100.0 * diagnosis.accuracy),
    )
}
