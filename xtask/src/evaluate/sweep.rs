//! One scan of a model, judged at every budget below its own: a search of few iterations is the beginning of one of many, and few
//! samples are the first of many.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aeva_artifact::{DataProvenance, ModelProvenance, Provenance, SEARCH_VERSION};
use aeva_attack::hop_skip_jump::QUICK_SAMPLES;
use aeva_attack::{
    CorrectImages, HardLabelOracle, HopSkipJumpBuilder, JobId, Progress, ScanObserver, ScanPlan, ScanSettings,
    classify_all, scan,
};
use aeva_model::{Dataset, Device, ModelFile, OnnxOptions, OnnxOracle, Preprocessing, Runtime};
use aeva_stats::{PairScores, PublishedRule, Verdict, judge, pair_score, peak_share};
use serde::{Deserialize, Serialize};

/// Grows when the same scan would be judged otherwise.
pub(super) const VERSION: u32 = 1;
/// Samples for each pair, and for each pair of a model with many labels, where time allows no more.
const SAMPLES: u32 = 3;
const SAMPLES_OF_MANY_LABELS: u32 = 1;
const MANY_LABELS: u32 = 20;
/// Iterations that are judged, as parts of the quick preset's.
const PARTS: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

/// What a scan gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sweep {
    pub(super) version: u32,
    pub(super) clean_accuracy: f64,
    pub(super) queries: u64,
    pub(super) seconds: f64,
    pub(super) budgets: Vec<Budget>,
}

/// The published rule's judgement at one budget.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Budget {
    pub(super) samples: u32,
    /// Iterations as a part of the quick preset's for these images.
    pub(super) part: f64,
    pub(super) iterations: u32,
    pub(super) queries: u64,
    /// Highest anomaly index; none where the rule cannot be applied.
    pub(super) score: Option<f64>,
    /// The label that has it.
    pub(super) label: Option<usize>,
    /// Labels that the rule flags.
    pub(super) suspects: Vec<usize>,
    pub(super) inconclusive: bool,
}

impl Sweep {
    /// The budget of the quick preset, or the nearest one below where fewer samples were taken.
    pub(super) fn quick(&self) -> &Budget {
        let at = |samples: u32| self.budgets.iter().find(|b| b.samples == samples && b.part >= 1.0);
        at(QUICK_SAMPLES).or_else(|| at(SAMPLES_OF_MANY_LABELS)).unwrap_or(&self.budgets[0])
    }
}

/// Peak share and queries of each search after each iteration.
struct Shares {
    channels: usize,
    shares: Mutex<BTreeMap<(JobId, u32), (f64, u64)>>,
}

impl ScanObserver for Shares {
    fn iteration(&self, progress: &Progress<'_>) {
        #[expect(clippy::cast_possible_truncation, reason = "artifacts hold f32")]
        let v: Vec<f32> = progress.point.iter().zip(progress.origin).map(|(z, x)| (z - x) as f32).collect();
        if let Ok(share) = peak_share(&v, self.channels) {
            let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
            shares.insert((progress.job, progress.iteration), (share, progress.queries));
        }
    }
}

/// Scans a model with the quick preset's parameters and up to [`SAMPLES`] samples.
///
/// # Errors
/// When the model or the images cannot be used.
pub(super) fn run(model: &Path, data: &Path, seed: u64) -> anyhow::Result<Sweep> {
    let begin = Instant::now();
    let data = Dataset::load(data)?;
    let options = OnnxOptions {
        device: Device::Cpu,
        image_shape: data.image_shape(),
        layout: None,
        preprocessing: Preprocessing::default(),
        output: None,
        classes: None,
        transfer: None,
    };
    let (runtime, file) = (Runtime::load(Device::Cpu)?, ModelFile::read(model)?);
    let threads = std::thread::available_parallelism()?.get();
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = Vec::new();
    for _ in 0..threads {
        oracles.push(Box::new(OnnxOracle::load(&runtime, &file, &options)?));
    }
    let classes = oracles[0].spec().classes;
    let predicted = classify_all(oracles[0].as_mut(), data.images.view(), 256)?;
    let correct = CorrectImages::new(&data.labels, &predicted, classes)?;
    let all: BTreeSet<u32> = (0..classes).collect();
    let samples = if classes >= MANY_LABELS { SAMPLES_OF_MANY_LABELS } else { SAMPLES };
    let plan = ScanPlan::new(&correct, &all, &all, samples)?;
    let params = HopSkipJumpBuilder::quick(oracles[0].spec().values()).check()?;
    let provenance = Provenance {
        search_version: SEARCH_VERSION,
        model: ModelProvenance { sha256: file.sha256().to_owned(), classes, preprocessing: String::new() },
        data: DataProvenance { sha256: data.sha256(), images: data.labels.len() as u64 },
        search: params.provenance(),
        samples,
        seed,
        provider: String::new(),
    };
    let settings = ScanSettings { params, provenance, batch_rows: 32, threads };
    let shares = Shares { channels: data.image_shape()[2], shares: Mutex::default() };
    scan(&mut oracles, data.images.view(), &plan, &settings, &shares, &mut |_| Ok(()))?;
    let shares = shares.shares.into_inner().unwrap_or_else(PoisonError::into_inner);

    let mut budgets = Vec::new();
    for samples in 1..=samples {
        for part in PARTS {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a small count")]
            let iterations = ((f64::from(params.get().iterations) * part).round() as u32).max(1);
            budgets.push(judged(&plan, &shares, classes, samples, part, iterations)?);
        }
    }
    Ok(Sweep {
        version: VERSION,
        clean_accuracy: correct.accuracy(),
        queries: budgets.last().map_or(0, |budget| budget.queries),
        seconds: begin.elapsed().as_secs_f64(),
        budgets,
    })
}

fn judged(
    plan: &ScanPlan,
    shares: &BTreeMap<(JobId, u32), (f64, u64)>,
    classes: u32,
    samples: u32,
    part: f64,
    iterations: u32,
) -> anyhow::Result<Budget> {
    let mut scores = PairScores::new(classes as usize);
    let mut queries = 0;
    for pair in &plan.pairs {
        let job = |sample| JobId { source: pair.source, target: pair.target, sample };
        let found: Vec<(f64, u64)> =
            (0..samples).filter_map(|sample| shares.get(&(job(sample), iterations)).copied()).collect();
        queries += found.iter().map(|(_, queries)| queries).sum::<u64>();
        let peaks: Vec<f64> = found.iter().map(|(share, _)| *share).collect();
        if let Ok(score) = pair_score(&peaks) {
            scores.insert(pair.source as usize, pair.target as usize, score)?;
        }
    }
    let judgement = judge(&scores, &PublishedRule::PUBLISHED);
    let indices = judgement.labels.iter().filter_map(|label| Some((label.anomaly_index?, label.label)));
    let highest = indices.max_by(|a, b| a.0.total_cmp(&b.0));
    let (suspects, inconclusive) = match judgement.verdict {
        Verdict::Clean => (Vec::new(), false),
        Verdict::Backdoored { suspects } => (suspects, false),
        Verdict::Inconclusive { .. } => (Vec::new(), true),
    };
    let (score, label) = highest.unzip();
    Ok(Budget { samples, part, iterations, queries, score, label, suspects, inconclusive })
}
