//! Perturbations of a small scan, as they were before any work on speed: noise, search and format together.
//!
//! Checked on one system, as the mathematical functions of others may round differently.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests stop at what is unexpected")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use aeva_artifact::{
    DataProvenance, ModelProvenance, PairArtifact, PairProvenance, PerturbationProvenance, Provenance, sha256_hex,
};
use aeva_attack::perturbation::{Answers, PairResult, PerturbationPlan, PerturbationSettings, search};
use aeva_attack::synthetic::NearestCentre;
use aeva_attack::{CorrectImages, HardLabelOracle, HopSkipJumpBuilder, InputSpec, Label};
use ndarray::Array4;

const SPEC: InputSpec = InputSpec { height: 3, width: 4, channels: 2, classes: 4 };
const FROZEN: &str = "e1e4d96ed0de1ea3c1c49d62547d981ff85401bf5acc88f7070154301149b36c";

#[test]
fn artifacts_are_frozen() {
    let centres: Vec<Vec<f64>> = (0..SPEC.classes as usize)
        .map(|class| (0..SPEC.values()).map(|i| 0.5 + 0.4 * ((i * 7 + class * 13) as f64).sin()).collect())
        .collect();
    // 24 images around the centres, all classified correctly.
    let images = Array4::from_shape_fn((24, 3, 4, 2), |(n, h, w, c)| {
        let i = (h * 4 + w) * 2 + c;
        let wobble = 0.05 * ((n * 31 + i * 17) as f64).cos();
        (centres[n % 4][i] + wobble).clamp(0.0, 1.0) as f32
    });
    let labels: Vec<Label> = (0..24).map(|n| n % 4).collect();
    let correct = CorrectImages::new(&labels, &labels, 4).unwrap();
    let all = (0..4).collect();
    let plan = PerturbationPlan::new(&correct, &all, &all, 2).unwrap();
    let builder = HopSkipJumpBuilder { iterations: 4, initial_evaluations: 20, ..HopSkipJumpBuilder::PUBLISHED };
    let params = builder.check().unwrap();
    let provenance = PairProvenance::new(
        &Provenance {
            model: ModelProvenance { sha256: "m".to_owned(), classes: 4, preprocessing: "none".to_owned() },
            data: DataProvenance { sha256: "d".to_owned(), images: 24 },
            seed: 7,
            provider: "test".to_owned(),
        },
        &PerturbationProvenance::new(&params, 2),
    );

    let batch_rows = NonZeroUsize::new(16).unwrap();
    let settings = PerturbationSettings { params, seed: 7, batch_rows, threads: NonZeroUsize::MIN };
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(NearestCentre::new(SPEC, centres))];
    let mut pairs = BTreeMap::new();
    let mut store = |result: PairResult| {
        pairs.insert((result.source, result.target), result);
        Ok(())
    };
    search(&mut oracles, images.view(), &plan, &settings, &mut Answers::new(), &(), &mut store).unwrap();
    let bytes = |result: PairResult| PairArtifact { provenance: provenance.clone(), result }.to_bytes().unwrap();
    let bytes: Vec<u8> = pairs.into_values().flat_map(bytes).collect();
    assert_eq!(sha256_hex(&bytes), FROZEN);
}
