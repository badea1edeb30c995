//! One deep search for perturbations, judged at every smaller depth: a search of few iterations is the beginning of a search of many,
//! and few samples are the first of many.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aeva_attack::perturbation::{Answers, PerturbationPlan, PerturbationSettings, search};
use aeva_attack::{HopSkipJumpBuilder, JobId, Progress, ScanObserver};
use aeva_model::{Dataset, Loader, ValueRange};
use aeva_stats::{PairScores, PublishedRule, pair_score, peak_share};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use xtask::process::print;

/// Version of the kept results. It grows when the same sweep would be kept in another form or with other figures.
const VERSION: u32 = 3;
/// Images per batch.
const BATCH_ROWS: usize = 32;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model (ONNX).
    model: PathBuf,
    /// Labelled images.
    data: PathBuf,
    /// Samples for each pair.
    #[arg(long, default_value_t = 1)]
    samples: u32,
    /// Iterations of each search.
    #[arg(long, default_value_t = 50)]
    iterations: u32,
    /// Evaluations of the first gradient estimate.
    #[arg(long, default_value_t = 100)]
    initial_evaluations: u32,
    /// Seed of the searches.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Range of the model's input values.
    #[arg(long, default_value_t = ValueRange::UNIT, value_name = "RANGE")]
    value_range: ValueRange,
}

/// How deep to search.
#[derive(Debug, Clone)]
pub(crate) struct Depth {
    pub(crate) search: HopSkipJumpBuilder,
    pub(crate) samples: u32,
    /// Iterations after which the perturbations are measured, ascending.
    pub(crate) checkpoints: Vec<u32>,
}

/// What a sweep found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sweep {
    version: u32,
    pub(crate) classes: usize,
    /// Values of an image.
    pub(crate) values: usize,
    /// Searches that were planned: fewer than samples times pairs where a class has few correct images.
    pub(crate) planned: usize,
    pub(crate) clean_accuracy: f64,
    pub(crate) samples: u32,
    /// Iterations after which the perturbations were measured, ascending.
    pub(crate) checkpoints: Vec<u32>,
    pub(crate) queries: u64,
    pub(crate) seconds: f64,
    pub(crate) searches: Vec<Search>,
}

/// One search at each checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) source: usize,
    pub(crate) target: usize,
    pub(crate) sample: u32,
    /// Peak share of the perturbation, and queries so far; `None` if the search ended before.
    pub(crate) at: Vec<Option<(f64, u64)>>,
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

impl Sweep {
    /// The kept sweep in these bytes, if it is of this version.
    pub(crate) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(text).ok().filter(|sweep| sweep.version == VERSION)
    }

    /// A sweep of CIFAR-10 images with these searches.
    #[cfg(test)]
    pub(crate) fn of_searches(classes: usize, samples: u32, checkpoints: &[u32], searches: Vec<Search>) -> Self {
        Self {
            version: VERSION,
            classes,
            values: 3072,
            planned: searches.len(),
            clean_accuracy: 1.0,
            samples,
            checkpoints: checkpoints.to_vec(),
            queries: 0,
            seconds: 1.0,
            searches,
        }
    }

    /// Peak shares of the first `samples` searches of every pair at a checkpoint, and the queries up to there.
    pub(crate) fn pairs(&self, samples: u32, checkpoint: usize) -> (BTreeMap<(usize, usize), Vec<f64>>, u64) {
        let (mut pairs, mut queries) = (BTreeMap::<_, Vec<f64>>::new(), 0);
        for search in self.searches.iter().filter(|search| search.sample < samples) {
            let shares = pairs.entry((search.source, search.target)).or_default();
            if let Some((share, spent)) = search.at[checkpoint] {
                shares.push(share);
                queries += spent;
            }
        }
        (pairs, queries)
    }

    /// The pair scores of the published rule, and the queries that they took.
    pub(crate) fn pair_scores(&self, samples: u32, checkpoint: usize) -> anyhow::Result<(PairScores, u64)> {
        let (pairs, queries) = self.pairs(samples, checkpoint);
        let mut scores = PairScores::new(self.classes);
        for ((source, target), shares) in pairs {
            if let Ok(score) = pair_score(&shares) {
                scores.insert(source, target, score)?;
            }
        }
        Ok((scores, queries))
    }

    /// The pair scores at the full depth, and the queries that they took.
    pub(crate) fn deepest_scores(&self) -> anyhow::Result<(PairScores, u64)> {
        self.pair_scores(self.samples, self.checkpoints.len().saturating_sub(1))
    }
}

/// `cargo xtask sweep MODEL DATA`: the published rule at every depth up to the given one.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    xtask::demo::setup()?;
    let &Args { samples, iterations, initial_evaluations, .. } = args;
    let search = HopSkipJumpBuilder { iterations, initial_evaluations, ..HopSkipJumpBuilder::PUBLISHED };
    let checkpoints: Vec<u32> = (8.min(iterations)..=iterations).collect();
    let depth = |_: usize, _: u32| Depth { search, samples, checkpoints };
    let sweep = sweep(&args.model, &args.data, args.value_range, args.seed, depth)?;
    print("samples iterations   queries  highest         next");
    for samples in 1..=sweep.samples {
        for (checkpoint, iterations) in sweep.checkpoints.iter().enumerate() {
            let (scores, queries) = sweep.pair_scores(samples, checkpoint)?;
            let mut labels = PublishedRule::PUBLISHED.decide(&scores).labels;
            labels.sort_by(|a, b| b.anomaly_index.partial_cmp(&a.anomaly_index).unwrap_or(std::cmp::Ordering::Equal));
            let show =
                |place: usize| match labels.get(place).and_then(|label| Some((label.label, label.anomaly_index?))) {
                    Some((label, index)) => format!("{index:6.2} (label {label})"),
                    None => "-".to_owned(),
                };
            print(&format!("{samples:7} {iterations:10} {queries:9}  {}  {}", show(0), show(1)));
        }
    }
    Ok(())
}

/// Searches a model as deep as `depth` says, given the values of an image and the number of labels.
///
/// # Errors
/// When the model or the images cannot be used.
pub(crate) fn sweep(
    model: &Path,
    data: &Path,
    value_range: ValueRange,
    seed: u64,
    depth: impl FnOnce(usize, u32) -> Depth,
) -> anyhow::Result<Sweep> {
    let begin = Instant::now();
    let data = Dataset::load(data)?;
    let mut model = Loader::plain(model, &data, value_range)?;
    let (values, classes) = (model.spec.values(), model.spec.classes);
    let depth = depth(values, classes);
    let all: BTreeSet<u32> = (0..classes).collect();
    let plan = PerturbationPlan::new(&model.correct, &all, &all, depth.samples)?;
    let threads = NonZeroUsize::new(model.oracles.len()).context("the model was loaded for no thread")?;
    let batch_rows = NonZeroUsize::new(BATCH_ROWS).unwrap_or(NonZeroUsize::MIN);
    let settings = PerturbationSettings { params: depth.search.check()?, seed, batch_rows, threads };
    let shares = Shares { channels: data.image_shape()[2], shares: Mutex::default() };
    let (oracles, images) = (&mut model.oracles, data.images.view());
    search(oracles, images, &plan, &settings, &mut Answers::default(), &shares, &mut |_| Ok(()))?;
    let shares = shares.shares.into_inner().unwrap_or_else(PoisonError::into_inner);

    let mut searches = Vec::new();
    for pair in &plan.pairs {
        for sample in 0..depth.samples {
            let job = JobId { source: pair.source, target: pair.target, sample };
            let at = depth.checkpoints.iter().map(|&iteration| shares.get(&(job, iteration)).copied()).collect();
            searches.push(Search { source: pair.source as usize, target: pair.target as usize, sample, at });
        }
    }
    let spent = searches.iter().filter_map(|search| search.at.last().copied().flatten()).map(|(_, queries)| queries);
    Ok(Sweep {
        version: VERSION,
        classes: classes as usize,
        values,
        planned: plan.searches(),
        clean_accuracy: model.correct.accuracy(),
        samples: depth.samples,
        checkpoints: depth.checkpoints,
        queries: spent.sum(),
        seconds: begin.elapsed().as_secs_f64(),
        searches,
    })
}
