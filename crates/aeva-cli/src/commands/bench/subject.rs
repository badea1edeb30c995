//! What is measured: a model, images for it, and a plan of searches that does not end before the measurement does.

use aeva_attack::{
    CorrectImages, HardLabelOracle, InputSpec, JobId, JobNoise, NoiseSource, PairPlan, ScanPlan, classify_all,
};
use aeva_model::{Dataset, Device, ModelFile, OnnxOracle, Runtime, ValueRange};
use ndarray::Array4;

use crate::args::BenchArgs;
use crate::commands::model;
use crate::hint::Hinted;

/// Images that are made up where there is no data.
const IMAGES: usize = 256;
/// Samples for each pair, as the quick preset has.
const SAMPLES: usize = 2;
/// How often the plan is repeated, with other images: more than can be searched in any measurement.
const REPEATS: usize = 20_000;

/// A model with everything that a scan of it needs.
pub(super) struct Subject {
    pub(super) spec: InputSpec,
    pub(super) oracles: Vec<OnnxOracle>,
    /// The same model on the CPU, where the oracles run elsewhere.
    pub(super) reference: Option<OnnxOracle>,
    /// `[n, h, w, c]`.
    pub(super) images: Array4<f32>,
    pub(super) plan: ScanPlan,
    pub(super) model_sha256: String,
    pub(super) provider: String,
    pub(super) notes: Vec<String>,
    device: Device,
}

impl Subject {
    /// Loads the model, once per worker, and finds images that it gives at least two labels.
    ///
    /// # Errors
    /// When the model or the data cannot be used.
    pub(super) fn load(args: &BenchArgs, threads: usize) -> anyhow::Result<Self> {
        match &args.data {
            Some(path) => {
                let data = Dataset::load(path)?;
                let understood = model::load(&args.model, &args.input, &data, args.device, threads)?;
                let plan = endless(&understood.correct)?;
                Ok(Self {
                    spec: *understood.oracles[0].spec(),
                    oracles: understood.oracles,
                    reference: understood.reference,
                    images: data.images,
                    plan,
                    model_sha256: understood.file.sha256().to_owned(),
                    provider: understood.provider,
                    notes: understood.notes,
                    device: args.device,
                })
            }
            None => Self::without_data(args, threads),
        }
    }

    fn without_data(args: &BenchArgs, threads: usize) -> anyhow::Result<Self> {
        let file = ModelFile::read(&args.model)?;
        let manifest = model::manifest(&args.input, &file)?;
        let runtime = Runtime::load(args.device)?;
        let stated = args.input.layout.or(manifest.as_ref().and_then(|manifest| manifest.input.layout));
        let shape = match manifest.as_ref().and_then(|manifest| manifest.input.shape) {
            Some(shape) => shape,
            None => OnnxOracle::image_shape(&runtime, &file, stated)?,
        };
        let (mut options, range_is_stated) = model::options(&args.input, manifest.as_ref(), shape, args.device);
        let images = made_up(shape);
        let mut oracle = OnnxOracle::load(&runtime, &file, &options)?;
        let mut labels = classify_all(&mut oracle, images.view(), 256)?;
        if !range_is_stated && labels.iter().all(|&label| label == labels[0]) {
            // Its pixels may have another range; the speed is the same, but a search needs two labels.
            options.preprocessing.value_range = ValueRange::BYTE;
            oracle.set_preprocessing(&options.preprocessing)?;
            labels = classify_all(&mut oracle, images.view(), 256)?;
        }
        let spec = *oracle.spec();
        let correct = CorrectImages::new(&labels, &labels, spec.classes)?;
        let mut oracles = vec![oracle];
        for _ in 1..model::workers(args.device, threads) {
            oracles.push(OnnxOracle::load(&runtime, &file, &options)?);
        }
        let reference = model::reference(&runtime, &file, &options)?;
        Ok(Self {
            spec,
            oracles,
            reference,
            images,
            plan: endless(&correct)?,
            model_sha256: file.sha256().to_owned(),
            provider: format!("onnxruntime {} {}", runtime.version(), args.device.kind()),
            notes: vec!["no --data: made-up images, with the model's own labels".to_owned()],
            device: args.device,
        })
    }

    /// Rows of the runs that keep the device busy.
    pub(super) fn run_size(&self) -> usize {
        self.oracles.first().and_then(|oracle| oracle.run_sizes().first().copied()).unwrap_or(1)
    }

    /// Images per batch of a scan, when not stated.
    pub(super) fn batch_size(&self) -> usize {
        model::batch_rows(self.oracles.first())
    }

    /// Batch sizes for the raw throughput: `any` where the model takes any number of rows; on other devices those that it is run
    /// with, and larger ones to see whether they would be faster.
    pub(super) fn raw_batches(&self, any: &[usize]) -> Vec<usize> {
        let mut sizes = self.oracles.first().map(|oracle| oracle.run_sizes().to_vec()).unwrap_or_default();
        if self.device.is_processor() {
            return if sizes.contains(&1) { any.to_vec() } else { sizes };
        }
        if sizes.len() > 1 {
            sizes.extend([2, 4].map(|times| times * self.run_size()));
            sizes.sort_unstable();
        }
        sizes
    }
}

/// Images of all kinds: each with a colour and a contrast of its own, smooth or grainy.
fn made_up(shape: [usize; 3]) -> Array4<f32> {
    let [height, width, channels] = shape;
    let noise = JobNoise::new(0, JobId { source: 0, target: 1, sample: 0 });
    let mut images = Array4::zeros((IMAGES, height, width, channels));
    let mut normal = vec![0.0; 8 * channels + height * width * channels];
    for (draw, mut image) in (0..).zip(images.outer_iter_mut()) {
        noise.standard_normal(1, draw, &mut normal);
        let (waves, grain) = normal.split_at(8 * channels);
        let contrast = f64::from(draw % 4) * 0.1;
        for ((row, column, channel), value) in image.indexed_iter_mut() {
            let wave = &waves[8 * channel..8 * channel + 8];
            let (y, x) = (row as f64 / height as f64, column as f64 / width as f64);
            let smooth = 0.3 * wave[0] + 0.2 * wave[1] * (4.0 * wave[2] * y + 4.0 * wave[3] * x + wave[4]).sin();
            let grain = contrast * grain[(row * width + column) * channels + channel];
            #[expect(clippy::cast_possible_truncation, reason = "images are f32")]
            let pixel = (0.5 + smooth + grain).clamp(0.0, 1.0) as f32;
            *value = pixel;
        }
    }
    images
}

/// All pairs of labels that have images, over and over, each time with other images.
pub(super) fn endless(correct: &CorrectImages) -> anyhow::Result<ScanPlan> {
    let all = (0..).zip(correct.counts()).filter(|&(_, count)| count > 0).map(|(label, _)| label).collect();
    let most = correct.counts().into_iter().max().unwrap_or_default();
    let plan = ScanPlan::new(correct, &all, &all, u32::try_from(most).unwrap_or(u32::MAX)).map_err(|_| {
        Hinted::error(
            "the model gives all images the same label, so that there is nothing to search",
            "give images that it understands with --data, and its value range with --value-range",
        )
    })?;
    let pairs = (0..REPEATS).flat_map(|repeat| {
        plan.pairs.iter().map(move |pair| {
            let samples = (0..SAMPLES).map(|k| pair.samples[(repeat * SAMPLES + k) % pair.samples.len()]).collect();
            PairPlan { samples, ..*pair }
        })
    });
    // Enough for any time; a plan of a hundred labels is long as it is.
    Ok(ScanPlan { pairs: pairs.take(REPEATS).collect() })
}
