//! The measurements. Each runs for a given time.

use std::hint::black_box;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aeva_artifact::{
    DataProvenance, ModelProvenance, PairArtifact, PerturbationProvenance, Provenance, RunDir, RunInfo,
};
use aeva_attack::perturbation::{Answers, PairResult, PerturbationSettings, search};
use aeva_attack::{
    CorrectImages, HardLabelOracle, HopSkipJumpParams, InputSpec, JobId, JobNoise, Label, NoiseSource, OracleError,
    ScanObserver, classify_all,
};
use aeva_model::loader::RawRuns;
use anyhow::Context;
use ndarray::{Array4, ArrayView4};
use serde::Serialize;

use super::subject::{Subject, endless};

/// Throughput of the model alone.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct RawFigure {
    pub(super) batch_size: usize,
    pub(super) workers: usize,
    pub(super) images_per_second: f64,
}

/// Throughput of a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    pub(super) queries_per_second: f64,
    pub(super) time_in_model: f64,
}

/// Measures all oracles at the same time, each on one random batch of `rows` images.
pub(super) fn raw(oracles: &mut [Box<dyn RawRuns>], rows: usize, time: Duration) -> anyhow::Result<RawFigure> {
    let workers = oracles.len();
    let spec = *oracles.first().context("no session to measure")?.spec();
    let mut values = vec![0.0_f64; rows * spec.values()];
    JobNoise::new(1, JobId { source: 0, target: 0, sample: 0 }).standard_normal(0, 0, &mut values);
    #[expect(clippy::cast_possible_truncation, reason = "images are f32")]
    let values: Vec<f32> = values.iter().map(|value| (0.5 + 0.25 * value).clamp(0.0, 1.0) as f32).collect();
    let batch = Array4::from_shape_vec((rows, spec.height, spec.width, spec.channels), values)?;
    let begin = Instant::now();
    let counts: Vec<Result<u64, OracleError>> = thread::scope(|scope| {
        let threads: Vec<_> = oracles
            .iter_mut()
            .map(|oracle| {
                let batch = batch.view();
                // At least one batch, however late the thread starts.
                let mut runs = 0_u64;
                let mut done = move || {
                    runs += 1;
                    runs > 1 && begin.elapsed() >= time
                };
                scope.spawn(move || oracle.run_raw(batch, rows, &mut done))
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let seconds = begin.elapsed().as_secs_f64();
    let images: u64 = counts.into_iter().sum::<Result<u64, _>>()?;
    Ok(RawFigure { batch_size: rows, workers, images_per_second: images as f64 / seconds })
}

/// Measures a scan like that of `aeva scan`, artifacts included, in a temporary folder.
pub(super) fn scan(
    subject: &mut Subject,
    params: &HopSkipJumpParams,
    batch_rows: usize,
    threads: usize,
    time: Duration,
) -> anyhow::Result<Scan> {
    let perturbations = PerturbationProvenance::new(params, 1);
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let run = RunDir::open_or_create(&folder.path().join("run"), RunInfo::new(provenance(subject), perturbations))?;
    let settings = settings(params, batch_rows, threads);
    let provenance = run.pair_provenance();
    let workers = subject.model.oracles.len();
    let in_model = AtomicU64::new(0);
    let mut oracles: Vec<Box<dyn HardLabelOracle + '_>> = Vec::with_capacity(workers);
    for oracle in &mut subject.model.oracles {
        let oracle: &mut dyn HardLabelOracle = oracle.as_mut();
        oracles.push(Box::new(Timed { oracle, nanoseconds: &in_model }));
    }
    let watch = Watch { begin: Instant::now(), time, queries: AtomicU64::new(0) };
    let mut store =
        |result: PairResult| run.store(&PairArtifact { provenance: provenance.clone(), result }).map_err(Into::into);
    let images = subject.images.view();
    search(&mut oracles, images, &subject.plan, &settings, &mut Answers::new(), &watch, &mut store)?;
    let seconds = watch.begin.elapsed().as_secs_f64();
    Ok(Scan {
        queries_per_second: watch.queries.load(Ordering::Relaxed) as f64 / seconds,
        time_in_model: in_model.load(Ordering::Relaxed) as f64 / 1e9 / seconds / workers as f64,
    })
}

/// Nanoseconds for one standard normal value.
pub(super) fn noise(values: usize, time: Duration) -> f64 {
    let noise = JobNoise::new(2, JobId { source: 0, target: 0, sample: 0 });
    let mut out = vec![0.0; values];
    let begin = Instant::now();
    let mut draws = 0_u32;
    while begin.elapsed() < time {
        noise.standard_normal(1, draws, black_box(&mut out));
        draws += 1;
    }
    begin.elapsed().as_secs_f64() * 1e9 / (f64::from(draws.max(1)) * values as f64)
}

/// Microseconds per query on one thread, apart from the model.
pub(super) fn search_overhead(
    subject: &Subject,
    params: &HopSkipJumpParams,
    batch_rows: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let settings = settings(params, batch_rows, 1);
    let mut oracle = Instantaneous { spec: subject.model.spec };
    let labels = classify_all(&mut oracle, subject.images.view(), 256)?;
    let plan = endless(&CorrectImages::new(&labels, &labels, subject.model.spec.classes)?)?;
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(oracle)];
    let watch = Watch { begin: Instant::now(), time, queries: AtomicU64::new(0) };
    let images = subject.images.view();
    search(&mut oracles, images, &plan, &settings, &mut Answers::new(), &watch, &mut |_| Ok(()))?;
    let queries = watch.queries.load(Ordering::Relaxed).max(1);
    Ok(watch.begin.elapsed().as_secs_f64() * 1e6 / queries as f64)
}

fn settings(params: &HopSkipJumpParams, batch_rows: usize, threads: usize) -> PerturbationSettings {
    let at_least_one = |number| NonZero::new(number).unwrap_or(NonZero::<usize>::MIN);
    let (batch_rows, threads) = (at_least_one(batch_rows), at_least_one(threads));
    PerturbationSettings { params: *params, seed: 0, batch_rows, threads }
}

fn provenance(subject: &Subject) -> Provenance {
    Provenance {
        model: ModelProvenance {
            sha256: subject.model.identity.sha256.clone(),
            classes: subject.model.spec.classes,
            preprocessing: "bench".to_owned(),
        },
        data: DataProvenance { sha256: "bench".to_owned(), images: subject.images.dim().0 as u64 },
        seed: 0,
        provider: subject.model.identity.provider.clone(),
    }
}

/// Counts queries and ends the scan when the time is up.
struct Watch {
    begin: Instant,
    time: Duration,
    queries: AtomicU64,
}

impl ScanObserver for Watch {
    fn classified(&self, queries: u64) {
        self.queries.fetch_add(queries, Ordering::Relaxed);
    }

    fn stop(&self) -> bool {
        // At least one batch.
        self.begin.elapsed() >= self.time && self.queries.load(Ordering::Relaxed) > 0
    }
}

/// Measures the time that a scan spends in the model.
struct Timed<'a> {
    oracle: &'a mut dyn HardLabelOracle,
    nanoseconds: &'a AtomicU64,
}

impl HardLabelOracle for Timed<'_> {
    fn spec(&self) -> &InputSpec {
        self.oracle.spec()
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        let begin = Instant::now();
        let result = self.oracle.classify(batch, labels);
        let elapsed = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(elapsed, Ordering::Relaxed);
        result
    }
}

/// A black box that answers at once. The label follows the bits of a few pixels, so that searches take all branches.
struct Instantaneous {
    spec: InputSpec,
}

impl HardLabelOracle for Instantaneous {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        let values = self.spec.values();
        let mix = |hash: u32, value: &f32| (hash ^ value.to_bits()).wrapping_mul(0x9e37_79b1).rotate_left(15);
        for row in batch.as_slice().unwrap_or_default().chunks_exact(values) {
            labels.push(row.iter().step_by(values.div_ceil(16)).fold(0, mix) % self.spec.classes);
        }
        Ok(())
    }
}
