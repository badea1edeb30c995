//! The noise kernel, and a scan of a black box that answers at once: the cost of a query apart from the model.
//!
//! ```text
//! cargo bench -p aeva-attack
//! ```
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at what is unexpected")]

use std::hint::black_box;
use std::num::NonZeroUsize;

use aeva_attack::perturbation::{Answers, PairResult, PerturbationPlan, PerturbationSettings, search};
use aeva_attack::{
    CorrectImages, HardLabelOracle, HopSkipJumpBuilder, InputSpec, JobId, JobNoise, Label, NoiseSource, OracleError,
    classify_all,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array4, ArrayView4};

/// Labels follow the bits of one pixel, so that searches take all branches.
struct Instantaneous(InputSpec);

impl HardLabelOracle for Instantaneous {
    fn spec(&self) -> &InputSpec {
        &self.0
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        let values = self.0.values();
        labels.extend(batch.as_slice().unwrap().chunks(values).map(|row| (row[values / 2].to_bits() >> 3) % 10));
        Ok(())
    }
}

fn noise(criterion: &mut Criterion) {
    let noise = JobNoise::new(1, JobId { source: 0, target: 1, sample: 0 });
    let mut group = criterion.benchmark_group("noise");
    for values in [784, 3072, 27_648] {
        let mut out = vec![0.0; values];
        group.throughput(Throughput::Elements(values as u64));
        group.bench_function(BenchmarkId::new("direction", values), |bencher| {
            let mut draw = 0;
            bencher.iter(|| {
                draw += 1;
                noise.direction(1, draw, black_box(&mut out))
            });
        });
    }
    group.finish();
}

/// Sixteen searches of two iterations. The time divided by the number of queries is the cost of one query.
fn lockstep(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lockstep");
    for side in [28, 32, 96] {
        let spec = InputSpec { height: side, width: side, channels: 3, classes: 10 };
        let mut oracle = Instantaneous(spec);
        let images = Array4::from_shape_fn((64, side, side, 3), |(n, h, w, c)| {
            ((n * 7919 + h * 131 + w * 17 + c) as f32 * 0.618_034).fract()
        });
        let labels = classify_all(&mut oracle, images.view(), 64).unwrap();
        let correct = CorrectImages::new(&labels, &labels, 10).unwrap();
        let there = (0..).zip(correct.counts()).filter(|&(_, count)| count > 0).map(|(label, _)| label).collect();
        let mut plan = PerturbationPlan::new(&correct, &there, &there, 1).unwrap();
        plan.pairs.truncate(16);
        let builder = HopSkipJumpBuilder { iterations: 2, ..HopSkipJumpBuilder::quick(spec.values()) };
        let params = builder.check().unwrap();
        let batch_rows = NonZeroUsize::new(32).unwrap();
        let settings = PerturbationSettings { params, seed: 0, batch_rows, threads: NonZeroUsize::MIN };
        let mut run = || {
            let mut queries = 0;
            let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(Instantaneous(spec))];
            let mut store = |pair: PairResult| {
                queries += pair.queries().total();
                Ok(())
            };
            search(&mut oracles, images.view(), &plan, &settings, &mut Answers::new(), &(), &mut store).unwrap();
            queries
        };
        group.throughput(Throughput::Elements(run()));
        group.bench_function(BenchmarkId::new("queries", format!("{side}x{side}x3")), |bencher| bencher.iter(&mut run));
    }
    group.finish();
}

criterion_group!(benches, noise, lockstep);
criterion_main!(benches);
