//! One deep scan of a model, seen at every depth above it: a search of few iterations is the beginning of one of many, and few
//! samples are the first of many.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aeva_artifact::{DataProvenance, ModelProvenance, Provenance, SEARCH_VERSION};
use aeva_attack::hop_skip_jump::HopSkipJumpParams;
use aeva_attack::{
    CorrectImages, HardLabelOracle, HopSkipJumpBuilder, JobId, Progress, ScanObserver, ScanPlan, ScanSettings,
    classify_all, scan,
};
use aeva_model::{Dataset, Device, ModelFile, OnnxOptions, OnnxOracle, Preprocessing, Runtime, ValueRange};
use aeva_stats::{PairScores, PublishedRule, judge, pair_score, peak_share};
use serde::{Deserialize, Serialize};
use xtask::process::print;

/// Grows when the same scan would be kept otherwise.
const VERSION: u32 = 2;

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

/// How deep to scan.
#[derive(Debug, Clone)]
pub(crate) struct Depth {
    pub(crate) search: HopSkipJumpBuilder,
    pub(crate) samples: u32,
    /// Iterations at which to look, ascending.
    pub(crate) looks: Vec<u32>,
}

/// What a scan gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sweep {
    version: u32,
    pub(crate) classes: usize,
    pub(crate) clean_accuracy: f64,
    pub(crate) samples: u32,
    /// Iterations that were looked at, ascending.
    pub(crate) looks: Vec<u32>,
    pub(crate) queries: u64,
    pub(crate) seconds: f64,
    pub(crate) searches: Vec<Search>,
}

/// One search at each look; nothing where the search had not got so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) source: usize,
    pub(crate) target: usize,
    pub(crate) sample: u32,
    /// Peak share of the perturbation, and queries up to there.
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
    /// A kept sweep, if these bytes are one that this program would make.
    pub(crate) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(text).ok().filter(|sweep| sweep.version == VERSION)
    }

    /// One that was made by hand.
    #[cfg(test)]
    pub(crate) fn of_searches(classes: usize, samples: u32, looks: &[u32], searches: Vec<Search>) -> Self {
        let looks = looks.to_vec();
        Self { version: VERSION, classes, clean_accuracy: 1.0, samples, looks, queries: 0, seconds: 1.0, searches }
    }

    /// Peak shares of every pair's first `samples` searches at a look, and all the queries up to there.
    pub(crate) fn pairs(&self, samples: u32, look: usize) -> (BTreeMap<(usize, usize), Vec<f64>>, u64) {
        let (mut pairs, mut queries) = (BTreeMap::<_, Vec<f64>>::new(), 0);
        for search in self.searches.iter().filter(|search| search.sample < samples) {
            let shares = pairs.entry((search.source, search.target)).or_default();
            if let Some((share, spent)) = search.at[look] {
                shares.push(share);
                queries += spent;
            }
        }
        (pairs, queries)
    }

    /// The pair scores of the published rule, and the queries they took.
    pub(crate) fn pair_scores(&self, samples: u32, look: usize) -> anyhow::Result<(PairScores, u64)> {
        let (pairs, queries) = self.pairs(samples, look);
        let mut scores = PairScores::new(self.classes);
        for ((source, target), shares) in pairs {
            if let Ok(score) = pair_score(&shares) {
                scores.insert(source, target, score)?;
            }
        }
        Ok((scores, queries))
    }
}

/// `cargo xtask sweep MODEL DATA`: the published rule at every depth up to the given one.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    xtask::demo::setup()?;
    let &Args { samples, iterations, initial_evaluations, .. } = args;
    let search = HopSkipJumpBuilder { iterations, initial_evaluations, ..HopSkipJumpBuilder::PUBLISHED };
    let looks: Vec<u32> = (8.min(iterations)..=iterations).collect();
    let depth = |_: usize, _: u32| Ok(Depth { search, samples, looks });
    let sweep = sweep(&args.model, &args.data, args.value_range, args.seed, depth)?;
    print("samples iterations   queries  highest         next");
    for samples in 1..=sweep.samples {
        for (look, iterations) in sweep.looks.iter().enumerate() {
            let (scores, queries) = sweep.pair_scores(samples, look)?;
            let mut labels = judge(&scores, &PublishedRule::PUBLISHED).labels;
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

/// Scans a model as deep as `depth` says for its image values and labels, looking on the way.
///
/// # Errors
/// When the model or the images cannot be used.
pub(crate) fn sweep(
    model: &Path,
    data: &Path,
    value_range: ValueRange,
    seed: u64,
    depth: impl FnOnce(usize, u32) -> anyhow::Result<Depth>,
) -> anyhow::Result<Sweep> {
    let begin = Instant::now();
    let Subject { data, file, mut oracles, correct } = Subject::load(model, data, value_range)?;
    let classes = oracles[0].spec().classes;
    let depth = depth(oracles[0].spec().values(), classes)?;
    let all: BTreeSet<u32> = (0..classes).collect();
    let plan = ScanPlan::new(&correct, &all, &all, depth.samples)?;
    let params: HopSkipJumpParams = depth.search.check()?;
    let provenance = Provenance {
        search_version: SEARCH_VERSION,
        model: ModelProvenance { sha256: file.sha256().to_owned(), classes, preprocessing: String::new() },
        data: DataProvenance { sha256: data.sha256(), images: data.labels.len() as u64 },
        search: params.provenance(),
        samples: depth.samples,
        seed,
        provider: String::new(),
    };
    let settings = ScanSettings { params, provenance, batch_rows: 32, threads: oracles.len() };
    let shares = Shares { channels: data.image_shape()[2], shares: Mutex::default() };
    scan(&mut oracles, data.images.view(), &plan, &settings, &shares, &mut |_| Ok(()))?;
    let shares = shares.shares.into_inner().unwrap_or_else(PoisonError::into_inner);

    let mut searches = Vec::new();
    for pair in &plan.pairs {
        for sample in 0..depth.samples {
            let job = JobId { source: pair.source, target: pair.target, sample };
            let at = depth.looks.iter().map(|&iteration| shares.get(&(job, iteration)).copied()).collect();
            searches.push(Search { source: pair.source as usize, target: pair.target as usize, sample, at });
        }
    }
    let spent = searches.iter().filter_map(|search| search.at.last().copied().flatten()).map(|(_, queries)| queries);
    Ok(Sweep {
        version: VERSION,
        classes: classes as usize,
        clean_accuracy: correct.accuracy(),
        samples: depth.samples,
        looks: depth.looks,
        queries: spent.sum(),
        seconds: begin.elapsed().as_secs_f64(),
        searches,
    })
}

/// A model on the CPU, one oracle a core, and the images to ask it about.
pub(crate) struct Subject {
    pub(crate) data: Dataset,
    pub(crate) file: ModelFile,
    pub(crate) oracles: Vec<Box<dyn HardLabelOracle>>,
    pub(crate) correct: CorrectImages,
}

impl Subject {
    pub(crate) fn load(model: &Path, data: &Path, value_range: ValueRange) -> anyhow::Result<Self> {
        let data = Dataset::load(data)?;
        let options = OnnxOptions {
            device: Device::Cpu,
            image_shape: data.image_shape(),
            layout: None,
            preprocessing: Preprocessing { value_range, ..Preprocessing::default() },
            output: None,
            classes: None,
            transfer: None,
            answer_timeout: OnnxOptions::ANSWER_TIMEOUT,
        };
        let (runtime, file) = (Runtime::load(Device::Cpu)?, ModelFile::read(model)?);
        let mut oracles: Vec<Box<dyn HardLabelOracle>> = Vec::new();
        for _ in 0..std::thread::available_parallelism()?.get() {
            oracles.push(Box::new(OnnxOracle::load(&runtime, &file, &options)?));
        }
        let predicted = classify_all(oracles[0].as_mut(), data.images.view(), 256)?;
        let correct = CorrectImages::new(&data.labels, &predicted, oracles[0].spec().classes)?;
        Ok(Self { data, file, oracles, correct })
    }
}
