//! The subject of the measurements: a model, images for it, and a plan of searches that outlasts the measurement.

use aeva_attack::perturbation::{PairPlan, PerturbationPlan};
use aeva_attack::{CorrectImages, JobId, JobNoise, NoiseSource};
use aeva_model::loader::RawRuns;
use aeva_model::{LoadedModel, Loader};
use ndarray::Array4;

use crate::args::BenchArgs;
use crate::commands::model;
use crate::hint::Hinted;

/// Number of generated images if there is no data.
const IMAGES: usize = 256;
/// Samples for each pair, as in the quick preset.
const SAMPLES: usize = 2;
/// How often the plan is repeated, with different images: more than any measurement can search.
const REPEATS: usize = 20_000;

/// A model with everything needed for a scan.
pub(super) struct Subject {
    pub(super) model: LoadedModel<dyn RawRuns>,
    /// `[n, h, w, c]`.
    pub(super) images: Array4<f32>,
    pub(super) plan: PerturbationPlan,
}

impl Subject {
    /// Loads the model, once per worker, and finds images to which it gives at least two labels.
    ///
    /// # Errors
    /// If the model or the data cannot be used.
    pub(super) fn load(args: &BenchArgs, threads: usize) -> anyhow::Result<Self> {
        let data = args.data.as_deref().map(|path| args.images.load(path)).transpose()?;
        let load = |loader: &Loader<'_>| {
            if let Some(data) = data {
                let mut model = loader.load_raw(&data)?;
                model::note_preprocessing(&mut model);
                model.notes.extend(data.notes);
                return Ok((model, data.images));
            }
            let (mut model, images) = loader.load_without_data(&made_up)?;
            model.notes.push("no --data: made-up images, with the model's own labels".to_owned());
            Ok((model, images))
        };
        let (model, images) = model::with_loader(args.model(), &args.input, args.device, threads, load)?;
        let plan = endless(&model.correct)?;
        Ok(Self { model, images, plan })
    }

    /// Number of images that keeps the device busy.
    pub(super) fn run_size(&self) -> usize {
        self.run_sizes().first().copied().unwrap_or(1)
    }

    fn run_sizes(&self) -> &[usize] {
        self.model.oracles.first().map(|oracle| oracle.run_sizes()).unwrap_or_default()
    }

    /// Batch sizes for the raw throughput: `any` if the model takes any number of images. On other devices, the sizes
    /// in use, and larger ones to see whether they would be faster.
    pub(super) fn raw_batches(&self, any: &[usize]) -> Vec<usize> {
        let mut sizes = self.run_sizes().to_vec();
        if self.model.device.is_processor() {
            return if sizes.contains(&1) { any.to_vec() } else { sizes };
        }
        if sizes.len() > 1 {
            sizes.extend([2, 4].map(|times| times * self.run_size()));
            sizes.sort_unstable();
        }
        sizes
    }
}

/// Varied images: each has its own colour and contrast, and is smooth or grainy.
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

/// All pairs of labels that have images, repeated, each time with different images.
pub(super) fn endless(correct: &CorrectImages) -> anyhow::Result<PerturbationPlan> {
    let all = (0..).zip(correct.counts()).filter(|&(_, count)| count > 0).map(|(label, _)| label).collect();
    let most = correct.counts().into_iter().max().unwrap_or_default();
    let plan = PerturbationPlan::new(correct, &all, &all, u32::try_from(most).unwrap_or(u32::MAX)).map_err(|_| {
        Hinted::error(
            "the model gives all images the same label, so there is nothing to search",
            "use --data with images for this model, and --value-range with its value range",
        )
    })?;
    let pairs = (0..REPEATS).flat_map(|repeat| {
        plan.pairs.iter().map(move |pair| {
            let samples = (0..SAMPLES).map(|k| pair.samples[(repeat * SAMPLES + k) % pair.samples.len()]).collect();
            PairPlan { samples, ..*pair }
        })
    });
    // Enough for any measurement; with a hundred labels, the plan is already long.
    Ok(PerturbationPlan { pairs: pairs.take(REPEATS).collect() })
}
