//! Loading a model for some data, and making sure that it understands the images.

use std::path::Path;
use std::time::Duration;

use aeva_attack::{CorrectImages, HardLabelOracle, ScanPlan, agreement};
use aeva_model::{
    Dataset, Device, Manifest, ModelError, ModelFile, OnnxOptions, OnnxOracle, OpenVinoHardware, Preprocessing,
    Runtime, ValueRange,
};
use anyhow::Context;
use rayon::prelude::*;

use super::understanding::{self, Measured};
use crate::args::InputArgs;
use crate::hint::Hinted;

/// A model that understands the data.
pub(super) struct Understood {
    pub(super) file: ModelFile,
    pub(super) oracles: Vec<OnnxOracle>,
    /// The same model on the CPU, where the oracles run elsewhere.
    pub(super) reference: Option<OnnxOracle>,
    pub(super) correct: CorrectImages,
    /// SHA-256 over the labels that the model gave to the clean images.
    pub(super) answers: String,
    /// Images classified to get here.
    pub(super) queries: u64,
    /// How fast all oracles together classify clean images.
    pub(super) queries_per_second: f64,
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

    let measured = understanding::measure(path, &mut oracles, data, &options, range_is_stated)?;
    let Measured { correct, answers, queries, queries_per_second, preprocessing, notes } = measured;
    options.preprocessing = preprocessing;
    let reference = reference(&runtime, &file, &options)?;
    let output = options.output.as_deref().unwrap_or("first");
    let preprocessing =
        format!("{} {}, {}, {output} output", shape_text(data), oracles[0].layout(), options.preprocessing);
    let provider = format!("onnxruntime {} {}", runtime.version(), device.kind());
    Ok(Understood {
        file,
        oracles,
        reference,
        correct,
        answers,
        queries,
        queries_per_second,
        preprocessing,
        notes,
        provider,
    })
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
        classes: args.classes.or(manifest.map(|manifest| manifest.model.classes)),
        transfer: None,
        answer_timeout: args.answer_timeout.map_or(OnnxOptions::ANSWER_TIMEOUT, Duration::from_secs_f64),
    };
    (options, stated.is_some() || normalised)
}
