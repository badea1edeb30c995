//! From search to verdict on closed-form black boxes with known answers: no model file, no ONNX Runtime.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests stop at what is unexpected")]

use std::num::NonZeroUsize;

use aeva_attack::perturbation::{Answers, PairResult, PerturbationPlan, PerturbationSettings, search};
use aeva_attack::synthetic::{NearestCentre, Trigger};
use aeva_attack::{CorrectImages, HardLabelOracle, HopSkipJumpBuilder, InputSpec, classify_all};
use aeva_stats::{PairScores, PublishedDecision, PublishedRule, Verdict, pair_score, peak_share};
use ndarray::Array4;

/// Seven classes of 8x8 images with four channels.
const SPEC: InputSpec = InputSpec { height: 8, width: 8, channels: 4, classes: 7 };
const TARGET: u32 = 2;

fn clean() -> NearestCentre {
    let centre = |class: u32| -> Vec<f64> {
        (0..SPEC.values()).map(|i| 0.5 + 0.3 * (f64::from(class + 1) * 12.9898 + i as f64 * 78.233).sin()).collect()
    };
    NearestCentre::new(SPEC, (0..SPEC.classes).map(centre).collect())
}

fn infected() -> NearestCentre {
    clean().with_trigger(Trigger { rows: (6, 8), columns: (6, 8), gain: 48.0, target: TARGET })
}

fn decided(oracle: &NearestCentre, seed: u64) -> PublishedDecision {
    let centre = |class: usize, i: usize| 0.5 + 0.3 * ((class + 1) as f64 * 12.9898 + i as f64 * 78.233).sin();
    let images = Array4::from_shape_fn((14, 8, 8, 4), |(n, h, w, c)| {
        let i = (h * 8 + w) * 4 + c;
        (centre(n % 7, i) + 0.04 * ((n * 37 + i * 11) as f64).sin()).clamp(0.0, 1.0) as f32
    });
    let truth: Vec<u32> = (0..14).map(|n| n % 7).collect();
    let predicted = classify_all(&mut oracle.clone(), images.view(), 14).unwrap();
    let correct = CorrectImages::new(&truth, &predicted, SPEC.classes).unwrap();
    assert!(correct.accuracy() > 0.99);
    let all = (0..SPEC.classes).collect();
    let plan = PerturbationPlan::new(&correct, &all, &all, 1).unwrap();
    let params = HopSkipJumpBuilder::quick(SPEC.values()).check().unwrap();
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(oracle.clone()), Box::new(oracle.clone())];
    let mut scores = PairScores::new(SPEC.classes as usize);
    let mut store = |pair: PairResult| {
        let shares = pair.finished().map(|v| peak_share(v, SPEC.channels)).collect::<Result<Vec<_>, _>>()?;
        assert_eq!(shares.len(), 1);
        Ok(scores.insert(pair.source as usize, pair.target as usize, pair_score(&shares)?)?)
    };
    let number = |number| NonZeroUsize::new(number).unwrap();
    let settings = PerturbationSettings { params, seed, batch_rows: number(32), threads: number(2) };
    search(&mut oracles, images.view(), &plan, &settings, &mut Answers::new(), &(), &mut store).unwrap();
    PublishedRule::PUBLISHED.decide(&scores)
}

#[test]
fn the_backdoor_and_its_label_are_found() {
    for seed in 0..3 {
        let decision = decided(&infected(), seed);
        let Verdict::Backdoored { suspects } = &decision.verdict else { panic!("not found: {decision:?}") };
        // A flat boundary is the same from both sides, so pairs that start in the target's cell also peak; others may
        // follow.
        assert_eq!(suspects[0], TARGET as usize);
    }
}

#[test]
fn without_backdoor_the_same_black_box_is_clean() {
    for seed in 0..3 {
        let decision = decided(&clean(), seed);
        assert_eq!(decision.verdict, Verdict::Clean, "{decision:?}");
    }
}
