//! How deep a scan must look: anomaly indices of one deep scan at every shallower setting.
//!
//! A search of few iterations is the beginning of one of many, and few samples are the first of many, so one scan shows all
//! settings below its own.
//!
//! ```text
//! cargo run -p aeva-cli --example preset_sweep -- MODEL DATA SAMPLES ITERATIONS INITIAL_EVALUATIONS SEED [VALUE_RANGE]
//! ```
//!
//! Prints, for each setting: samples, iterations, queries, the two highest anomaly indices with their labels.
#![allow(clippy::print_stdout, reason = "an example prints its figures")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use aeva_artifact::{DataProvenance, ModelProvenance, Provenance, SEARCH_VERSION};
use aeva_attack::{
    CorrectImages, HardLabelOracle, HopSkipJumpBuilder, JobId, Progress, ScanObserver, ScanPlan, ScanSettings,
    classify_all, scan,
};
use aeva_model::{Dataset, Device, ModelFile, OnnxOptions, OnnxOracle, Preprocessing, Runtime, ValueRange};
use aeva_stats::{PairScores, PublishedRule, judge, pair_score, peak_share};
use anyhow::Context;

/// Peak share and queries of each search after each iteration.
struct Sweep {
    channels: usize,
    shares: Mutex<BTreeMap<(JobId, u32), (f64, u64)>>,
}

impl ScanObserver for Sweep {
    fn iteration(&self, progress: &Progress<'_>) {
        #[expect(clippy::cast_possible_truncation, reason = "artifacts hold f32")]
        let v: Vec<f32> = progress.point.iter().zip(progress.origin).map(|(z, x)| (z - x) as f32).collect();
        if let (Ok(share), Ok(mut shares)) = (peak_share(&v, self.channels), self.shares.lock()) {
            shares.insert((progress.job, progress.iteration), (share, progress.queries));
        }
    }
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, data, samples, iterations, initial_evaluations, seed, range @ ..] = args.as_slice() else {
        anyhow::bail!("usage: preset_sweep MODEL DATA SAMPLES ITERATIONS INITIAL_EVALUATIONS SEED [VALUE_RANGE]");
    };
    let (samples, iterations, seed): (u32, u32, u64) = (samples.parse()?, iterations.parse()?, seed.parse()?);
    let value_range: ValueRange = match range.first() {
        Some(range) => range.parse().map_err(anyhow::Error::msg)?,
        None => ValueRange::UNIT,
    };
    let data = Dataset::load(Path::new(data))?;
    let options = OnnxOptions {
        device: Device::Cpu,
        image_shape: data.image_shape(),
        layout: None,
        preprocessing: Preprocessing { value_range, ..Preprocessing::default() },
        output: None,
        classes: None,
        transfer: None,
    };
    let (runtime, file) = (Runtime::load(Device::Cpu)?, ModelFile::read(Path::new(model))?);
    let threads = std::thread::available_parallelism()?.get();
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = Vec::new();
    for _ in 0..threads {
        oracles.push(Box::new(OnnxOracle::load(&runtime, &file, &options)?));
    }
    let classes = oracles[0].spec().classes;
    let predicted = classify_all(oracles[0].as_mut(), data.images.view(), 256)?;
    let correct = CorrectImages::new(&data.labels, &predicted, classes)?;
    let all: BTreeSet<u32> = (0..classes).collect();
    let plan = ScanPlan::new(&correct, &all, &all, samples)?;
    let initial_evaluations = initial_evaluations.parse()?;
    let builder = HopSkipJumpBuilder { iterations, initial_evaluations, ..HopSkipJumpBuilder::PUBLISHED };
    let params = builder.check()?;
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
    let sweep = Sweep { channels: data.image_shape()[2], shares: Mutex::default() };
    scan(&mut oracles, data.images.view(), &plan, &settings, &sweep, &mut |_| Ok(()))?;

    let shares = sweep.shares.into_inner().ok().context("a worker panicked")?;
    println!("samples iterations   queries  highest         next");
    for samples in 1..=samples {
        for iterations in 8..=iterations {
            let mut scores = PairScores::new(classes as usize);
            let mut queries = 0;
            for pair in &plan.pairs {
                let found: Vec<(f64, u64)> = (0..samples)
                    .filter_map(|sample| {
                        let job = JobId { source: pair.source, target: pair.target, sample };
                        shares.get(&(job, iterations)).copied()
                    })
                    .collect();
                queries += found.iter().map(|(_, queries)| queries).sum::<u64>();
                let peaks: Vec<f64> = found.iter().map(|(share, _)| *share).collect();
                scores.insert(pair.source as usize, pair.target as usize, pair_score(&peaks)?)?;
            }
            let mut labels = judge(&scores, &PublishedRule::PUBLISHED).labels;
            labels.sort_by(|a, b| b.anomaly_index.partial_cmp(&a.anomaly_index).unwrap_or(std::cmp::Ordering::Equal));
            let show =
                |place: usize| match labels.get(place).and_then(|label| Some((label.label, label.anomaly_index?))) {
                    Some((label, index)) => format!("{index:6.2} (label {label})"),
                    None => "-".to_owned(),
                };
            println!("{samples:7} {iterations:10} {queries:9}  {}  {}", show(0), show(1));
        }
    }
    Ok(())
}
