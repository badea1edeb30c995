//! Encoding and decoding the artifact of a pair, checksum included.
//!
//! ```text
//! cargo bench -p aeva-artifact
//! ```
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at what is unexpected")]

use aeva_artifact::{
    DataProvenance, ModelProvenance, PairArtifact, PairProvenance, PerturbationProvenance, Provenance,
};
use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::perturbation::{Outcome, PairResult, QueryCounts, SampleRecord};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn pair(samples: u32) -> PairArtifact {
    let record = |sample: u32| SampleRecord {
        sample,
        origin_index: 1,
        start_index: 2,
        outcome: Outcome::Finished,
        iterations: 50,
        distance: 0.5,
        queries: QueryCounts::default(),
        perturbation: Some((0..3072_u16).map(|i| (f32::from(i) * 0.618_034).fract() - 0.5).collect()),
    };
    let run = Provenance {
        model: ModelProvenance { sha256: "0".repeat(64), classes: 10, preprocessing: "none".to_owned() },
        data: DataProvenance { sha256: "0".repeat(64), images: 1000 },
        seed: 0,
        provider: "bench".to_owned(),
    };
    let params = HopSkipJumpBuilder::PUBLISHED.check().unwrap();
    PairArtifact {
        provenance: PairProvenance::new(&run, &PerturbationProvenance::new(&params, samples)),
        result: PairResult { source: 0, target: 1, shape: [32, 32, 3], samples: (0..samples).map(record).collect() },
    }
}

fn artifact(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("artifact");
    for samples in [2, 40] {
        let pair = pair(samples);
        let bytes = pair.to_bytes().unwrap();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("encode", samples), |bencher| bencher.iter(|| pair.to_bytes().unwrap()));
        group.bench_function(BenchmarkId::new("decode", samples), |bencher| {
            bencher.iter(|| PairArtifact::from_bytes(&bytes).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, artifact);
criterion_main!(benches);
