//! The peak share of a perturbation, and the decision of models with 10, 100 and 1000 labels.
//!
//! ```text
//! cargo bench -p aeva-stats
//! ```
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at what is unexpected")]

use std::hint::black_box;

use aeva_stats::{PairScores, PublishedRule, peak_share};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn statistics(criterion: &mut Criterion) {
    let perturbation: Vec<f32> = (0..3072_u16).map(|i| (f32::from(i) * 0.618_034).fract() - 0.5).collect();
    criterion
        .bench_function("peak_share/3072", |bencher| bencher.iter(|| peak_share(black_box(&perturbation), 3).unwrap()));

    let mut group = criterion.benchmark_group("judge");
    for classes in [10_usize, 100, 1000] {
        let mut scores = PairScores::new(classes);
        for source in 0..classes {
            for target in (0..classes).filter(|&target| target != source) {
                let score = ((source * 7919 + target * 104_729) as f64 * 0.618_034).fract();
                scores.insert(source, target, score).unwrap();
            }
        }
        group.throughput(Throughput::Elements((classes * (classes - 1)) as u64));
        group.bench_function(BenchmarkId::new("labels", classes), |bencher| {
            bencher.iter(|| PublishedRule::PUBLISHED.decide(black_box(&scores)));
        });
    }
    group.finish();
}

criterion_group!(benches, statistics);
criterion_main!(benches);
