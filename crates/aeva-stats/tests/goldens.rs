//! Figures from elsewhere: the published rows, and values computed by numpy and scipy.
//!
//! Tolerances: the published rows are printed with eight digits and must agree to 1e-5; numpy and scipy compute in f64
//! and must agree to 1e-12.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "tests stop at what is unexpected, and compare bits on purpose"
)]

use aeva_stats::{
    PairScores, PublishedRule, Verdict, anomaly_indices, median, median_absolute_deviation, pair_score, peak_share,
};
use serde_json::Value;

/// GAP and anomaly index as the published program printed them.
struct PublishedRow {
    gaps: [f64; 10],
    indices: [f64; 10],
}

const CIFAR10_PATCH: PublishedRow = PublishedRow {
    gaps: [
        0.14533126, 0.08231069, 0.06113102, 0.06526258, 0.06199296, 0.06474132, 0.05325177, 0.06903553, 0.09275569,
        0.07373303,
    ],
    indices: [
        8.36901293,
        1.62297756,
        -0.64420006,
        -0.20193759,
        -0.55193415,
        -0.25773579,
        -1.48763492,
        0.20193759,
        2.7410618,
        0.70478146,
    ],
};

const DYNAMIC_RESNET44: PublishedRow = PublishedRow {
    gaps: [
        0.36433247, 0.16292, 0.18040664, 0.20698954, 0.20037229, 0.16336469, 0.17756703, 0.17803021, 0.16818275,
        0.17449666,
    ],
    indices: [
        10.46289861,
        -0.8345591,
        0.14628692,
        1.63735197,
        1.26618296,
        -0.80961594,
        -0.01299003,
        0.01299003,
        -0.53936558,
        -0.18521095,
    ],
};

#[test]
fn published_rows_are_reproduced() {
    for row in [CIFAR10_PATCH, DYNAMIC_RESNET44] {
        let computed = anomaly_indices(&row.gaps).unwrap();
        for (label, (computed, published)) in computed.iter().zip(row.indices).enumerate() {
            assert!((computed - published).abs() < 1e-5, "label {label}: {computed} against {published}");
        }
        let mut scores = PairScores::new(10);
        for (target, gap) in row.gaps.iter().enumerate() {
            for source in (0..10).filter(|&source| source != target) {
                scores.insert(source, target, gap / 9.0).unwrap();
            }
        }
        let verdict = PublishedRule::PUBLISHED.decide(&scores).verdict;
        assert_eq!(verdict, Verdict::Backdoored { suspects: vec![0] });
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * (1.0 + b.abs())
}

#[test]
fn numpy_and_scipy_agree() {
    let golden: Value = serde_json::from_str(include_str!("goldens.json")).unwrap();
    let cases = golden["outliers"].as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let values = numbers(&case["values"]);
        assert!(close(median(&values).unwrap(), case["median"].as_f64().unwrap()));
        assert!(close(median_absolute_deviation(&values).unwrap(), case["mad"].as_f64().unwrap()));
        let expected = numbers(&case["indices"]);
        for (computed, expected) in anomaly_indices(&values).unwrap().iter().zip(&expected) {
            assert!(close(*computed, *expected), "{computed} against {expected}");
        }
    }
    let cases = golden["peaks"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let channels = usize::try_from(case["channels"].as_u64().unwrap()).unwrap();
        let samples = case["samples"].as_array().unwrap();
        let shares: Vec<f64> = samples.iter().map(|v| peak_share(&numbers(v), channels).unwrap()).collect();
        for (computed, expected) in shares.iter().zip(numbers(&case["shares"])) {
            assert!(close(*computed, expected), "{computed} against {expected}");
        }
        assert!(close(pair_score(&shares).unwrap(), case["score"].as_f64().unwrap()));
    }
}
