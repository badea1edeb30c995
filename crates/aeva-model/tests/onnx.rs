//! The ONNX oracle on tiny models of every form. They need the ONNX Runtime that `aeva setup` installs.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "tests stop at what is unexpected, and compare bits on purpose"
)]

use std::path::{Path, PathBuf};

use aeva_attack::{HardLabelOracle, NO_LABEL, classify_all, conformance};
use aeva_model::{
    Device, Layout, ModelError, ModelFile, OnnxOptions, OnnxOracle, Preprocessing, Runtime, Transfer, ValueRange,
};
use ndarray::Array4;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/models/{name}.onnx"))
}

fn options() -> OnnxOptions {
    OnnxOptions {
        device: Device::Cpu,
        image_shape: [4, 5, 3],
        layout: None,
        preprocessing: Preprocessing::default(),
        output: None,
        classes: None,
        threshold: None,
        transfer: None,
        answer_timeout: OnnxOptions::ANSWER_TIMEOUT,
    }
}

fn load(name: &str, options: &OnnxOptions) -> Result<OnnxOracle, ModelError> {
    let runtime = Runtime::load(Device::Cpu).expect("run `cargo run -p aeva-cli -- setup` first");
    OnnxOracle::load(&runtime, &ModelFile::read(&path(name))?, options)
}

/// Images that fall into most of the six classes.
fn images() -> Array4<f32> {
    Array4::from_shape_fn((200, 4, 5, 3), |(n, h, w, c)| {
        let value = (((n * 60 + h * 15 + w * 3 + c) as f32) * 0.754_877_7 * (1.0 + n as f32 * 0.01)).fract();
        if n % 2 == 0 { value.round() } else { value }
    })
}

fn labels(name: &str, options: &OnnxOptions, images: &Array4<f32>) -> Vec<u32> {
    classify_all(&mut load(name, options).unwrap(), images.view(), 64).unwrap()
}

#[test]
fn every_form_of_one_classifier_gives_the_same_labels() {
    let images = images();
    let reference = labels("nhwc", &options(), &images);
    let classes = (0..6).filter(|class| reference.contains(class)).count();
    assert!(classes >= 4, "the images cover {classes} classes only");
    for name in ["nchw", "fixed_batch"] {
        assert_eq!(labels(name, &options(), &images), reference, "{name}");
    }
    let stated = OnnxOptions { classes: Some(6), ..options() };
    assert_eq!(labels("labels", &stated, &images), reference);
    let nhwc = OnnxOptions { layout: Some(Layout::Nhwc), ..options() };
    assert_eq!(labels("dynamic", &nhwc, &images), reference);
    let mut oracle = load("nchw", &options()).unwrap();
    assert_eq!(oracle.layout(), Layout::Nchw);
    assert_eq!(oracle.spec().classes, 6);
    for batch in [1, 7, 200] {
        assert_eq!(classify_all(&mut oracle, images.view(), batch).unwrap(), reference, "batches of {batch}");
    }
}

/// The promises that every black box makes, on every form of model, with each way to hand batches over.
#[test]
fn every_form_keeps_the_promises_of_a_black_box() {
    let images = images();
    for transfer in [Transfer::Direct, Transfer::Bound] {
        for name in ["nhwc", "nchw", "fixed_batch", "dynamic", "labels"] {
            let layout = (name == "dynamic").then_some(Layout::Nhwc);
            let options = OnnxOptions { transfer: Some(transfer), classes: Some(6), layout, ..options() };
            let mut oracle = load(name, &options).unwrap();
            let (labels, queries) = conformance::check(&mut oracle, images.view()).unwrap();
            assert_eq!((labels.len(), queries), (200, 800), "{name}");
        }
    }
}

/// Models that take or answer values of other types give the same labels, with each way to hand batches over.
#[test]
fn other_types_give_the_same_labels() {
    // Pixels in 255ths, so that bytes are what they are.
    let images = images().mapv(|value| (255.0 * value).round() / 255.0);
    let reference = labels("nhwc", &options(), &images);
    for transfer in [Transfer::Direct, Transfer::Bound] {
        let options = OnnxOptions { transfer: Some(transfer), ..options() };
        assert_eq!(labels("bytes", &options, &images), reference, "{transfer:?}");
        let stated = OnnxOptions { classes: Some(6), ..options.clone() };
        assert_eq!(labels("labels32", &stated, &images), reference, "{transfer:?}");
        let named = OnnxOptions { output: Some("scores".to_owned()), ..options.clone() };
        assert_eq!(labels("two_outputs", &named, &images), reference, "{transfer:?}");
        // These round, which changes a few labels at most.
        for name in ["half", "half_scores", "quantised"] {
            let found = labels(name, &options, &images);
            let equal = found.iter().zip(&reference).filter(|(found, label)| found == label).count();
            assert!(equal >= 195, "{name}, {transfer:?}: {equal} of 200");
            let mut oracle = load(name, &options).unwrap();
            assert_eq!(conformance::check(&mut oracle, images.view()).unwrap().0, found, "{name}, {transfer:?}");
        }
    }
    // What is below half a byte is not seen.
    let nudged = images.mapv(|value| value + 0.4 / 255.0);
    assert_eq!(labels("bytes", &options(), &nudged), reference);
}

/// Bytes have one range of pixels, and every other one is refused, when the model is loaded and later.
#[test]
fn bytes_have_no_other_range() {
    let of = |value_range| Preprocessing { value_range, ..Preprocessing::default() };
    let byte = OnnxOptions { preprocessing: of(ValueRange::BYTE), ..options() };
    assert_eq!(labels("bytes", &byte, &images()), labels("bytes", &options(), &images()));
    let signed = OnnxOptions { preprocessing: of(ValueRange::SIGNED), ..options() };
    let error = load("bytes", &signed).err().unwrap().to_string();
    assert!(error.contains("bytes.onnx has input of type uint8, with value range -1..1 as stated"), "{error}");
    let mut oracle = load("bytes", &options()).unwrap();
    let mean = Preprocessing { mean: vec![0.5], ..Preprocessing::default() };
    assert!(matches!(oracle.set_preprocessing(&mean), Err(ModelError::Input { .. })));
}

/// One score is a label with a threshold, which differs between probabilities and logits.
#[test]
fn one_score_and_a_threshold_are_two_labels() {
    let images = images();
    for transfer in [Transfer::Direct, Transfer::Bound] {
        for name in ["one_score", "one_score_flat"] {
            let found = |threshold| {
                let options = OnnxOptions { transfer: Some(transfer), threshold: Some(threshold), ..options() };
                let mut oracle = load(name, &options).unwrap();
                assert_eq!(oracle.spec().classes, 2);
                conformance::check(&mut oracle, images.view()).unwrap().0
            };
            let ones = |threshold| found(threshold).iter().filter(|&&label| label == 1).count();
            let counts = [f32::MIN, 0.0, 5.0, f32::MAX].map(ones);
            assert!(counts.is_sorted_by(|a, b| a >= b) && counts[0] == 200 && counts[3] == 0, "{counts:?}");
            assert!((1..200).contains(&counts[2]), "{counts:?}");
        }
        let nan = OnnxOptions { transfer: Some(transfer), threshold: Some(0.0), ..options() };
        assert!(load("nan", &nan).is_err(), "it has six scores");
    }
}

/// A model whose scores depend on the batch still gives labels that do not.
#[test]
fn labels_do_not_depend_on_the_batch_even_where_scores_do() {
    let images = images();
    let mut oracle = load("batch_dependent", &options()).unwrap();
    let together = classify_all(&mut oracle, images.view(), 200).unwrap();
    let reversed = images.slice(ndarray::s![..;-1, .., .., ..]).as_standard_layout().into_owned();
    let mut other_order = classify_all(&mut oracle, reversed.view(), 33).unwrap();
    other_order.reverse();
    assert_eq!(together, other_order);
    // Run in batches of 32, nine of these images would get another label than alone.
    assert_eq!(together, classify_all(&mut oracle, images.view(), 1).unwrap());
}

/// What a GPU uses, on the CPU: bound inputs and the label in the graph give the labels that the host finds in the scores.
#[test]
fn bound_transfer_gives_the_same_labels() {
    let images = images();
    let bound = OnnxOptions { transfer: Some(Transfer::Bound), ..options() };
    let reference = labels("nhwc", &options(), &images);
    for name in ["nhwc", "nchw", "fixed_batch", "opset18"] {
        assert_eq!(labels(name, &bound, &images), reference, "{name}");
        assert_eq!(load(name, &bound).unwrap().spec().classes, 6);
    }
    let stated = OnnxOptions { classes: Some(6), ..bound.clone() };
    assert_eq!(labels("labels", &stated, &images), reference);
    let nhwc = OnnxOptions { layout: Some(Layout::Nhwc), ..bound.clone() };
    assert_eq!(labels("dynamic", &nhwc, &images), reference);
    let error = load("nhwc", &OnnxOptions { classes: Some(7), ..bound.clone() }).err().unwrap().to_string();
    assert!(error.contains("6 classes") && error.contains("7 classes"), "{error}");
    // One batch after the other through the same session, in sizes that need several runs and padding.
    let mut oracle = load("nhwc", &bound).unwrap();
    for batch in [200, 1, 33, 200] {
        assert_eq!(classify_all(&mut oracle, images.view(), batch).unwrap(), reference, "batches of {batch}");
    }
}

/// Where several scores are highest, the first one counts, in the graph as on the host.
#[test]
fn ties_and_nan_are_seen_in_the_graph_too() {
    let bound = OnnxOptions { transfer: Some(Transfer::Bound), ..options() };
    let images = images();
    assert_eq!(labels("ties", &bound, &images), labels("ties", &options(), &images));
    assert!(labels("ties", &bound, &images).iter().all(|&label| label == 0));
    for options in [options(), bound] {
        let found = classify_all(&mut load("nan", &options).unwrap(), images.view(), 64).unwrap();
        assert!(found.iter().all(|&label| label == NO_LABEL), "{found:?}");
    }
}

#[test]
fn raw_runs_count_images() {
    let images = images();
    for transfer in [Transfer::Direct, Transfer::Bound] {
        let mut oracle = load("nhwc", &OnnxOptions { transfer: Some(transfer), ..options() }).unwrap();
        assert_eq!(oracle.run_sizes(), [32, 8, 1]);
        let mut runs = 0;
        let count = oracle.run_raw(images.view(), 32, || {
            runs += 1;
            runs > 5
        });
        assert_eq!(count.unwrap(), 5 * 32);
    }
}

#[test]
fn preprocessing_is_what_its_formula_says() {
    let images = images();
    let preprocessing = Preprocessing {
        value_range: ValueRange::SIGNED,
        mean: vec![0.25, 0.5, -0.125],
        std: vec![0.5, 2.0, 0.25],
        reverse_channels: true,
    };
    let (mean, std) = (preprocessing.mean.clone(), preprocessing.std.clone());
    // The model's channel c comes from the image's channel 2 - c.
    let by_hand =
        Array4::from_shape_fn(images.dim(), |(n, h, w, c)| (2.0 * images[[n, h, w, 2 - c]] - 1.0 - mean[c]) / std[c]);
    let expected = labels("nhwc", &options(), &by_hand);
    for name in ["nhwc", "nchw"] {
        let options = OnnxOptions { preprocessing: preprocessing.clone(), ..options() };
        assert_eq!(labels(name, &options, &images), expected, "{name}");
    }
    assert_ne!(expected, labels("nhwc", &options(), &images));
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_was_found_and_expected() {
    let error = |name: &str, options: &OnnxOptions| load(name, options).err().unwrap().to_string();
    let plain = options();
    let cases = [
        (error("rank2", &plain), "input: Float32 [?, 60]", "rank 4"),
        (
            error("two_outputs", &plain),
            "its outputs are features: Float32 [?, 4, 5, 3], scores: Float32 [?, 6]",
            "f16 scores",
        ),
        (error("nhwc", &OnnxOptions { threshold: Some(0.5), ..plain.clone() }), "scores of 6 classes", "one score"),
        (error("labels32", &OnnxOptions { threshold: Some(0.5), ..plain.clone() }), "labels", "one score"),
        (error("one_score_flat", &plain), "scores of 1 class", "without a threshold"),
        (error("one_score", &plain), "scores of 1 class", "at least 2 classes"),
        (error("labels", &plain), "labels", "number of classes"),
        (error("dynamic", &plain), "[?, ?, ?, ?]", "state it"),
        (error("nhwc", &OnnxOptions { classes: Some(7), ..plain.clone() }), "6 classes", "7 classes"),
        (error("nhwc", &OnnxOptions { image_shape: [28, 28, 1], ..plain.clone() }), "[?, 4, 5, 3]", "[28, 28, 1]"),
        (error("nhwc", &OnnxOptions { layout: Some(Layout::Nchw), ..plain.clone() }), "[?, 4, 5, 3]", "nchw"),
        (error("nhwc", &OnnxOptions { output: Some("logits".to_owned()), ..plain.clone() }), "scores", "`logits`"),
    ];
    for (message, found, expected) in cases {
        assert!(message.contains(found) && message.contains(expected), "{message}");
    }
    let preprocessing = Preprocessing { mean: vec![0.1, 0.2], ..Preprocessing::default() };
    assert!(error("nhwc", &OnnxOptions { preprocessing, ..plain }).contains("mean is 2 values"));
}

/// Without its provider a GPU that was asked for is an error, never a quiet CPU run.
#[test]
fn a_missing_gpu_is_an_error() {
    if std::env::var_os("AEVA_TEST_CUDA").is_some() {
        // On a machine with a GPU the same options must work.
        let cuda = OnnxOptions { device: Device::Cuda { index: 0 }, ..options() };
        assert_eq!(labels("nhwc", &cuda, &images()), labels("nhwc", &options(), &images()));
        return;
    }
    let cuda = OnnxOptions { device: Device::Cuda { index: 0 }, ..options() };
    let error = load("nhwc", &cuda).err().expect("this test expects a machine without CUDA (else set AEVA_TEST_CUDA)");
    assert!(matches!(error, ModelError::Device { .. }), "{error}");
}

#[test]
fn damaged_files_are_refused() {
    let bytes = std::fs::read(path("nhwc")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    let runtime = Runtime::load(Device::Cpu).expect("run `cargo run -p aeva-cli -- setup` first");
    for damaged in [&bytes[..bytes.len() / 2], &bytes[..bytes.len() - 1], b"not an ONNX model at all"] {
        std::fs::write(&file, damaged).unwrap();
        let error = ModelFile::read(&file).unwrap_err();
        assert!(matches!(error, ModelError::Malformed { .. }) && error.to_string().contains("model.onnx"), "{error}");
    }
    // A sound message that is no model.
    std::fs::write(&file, b"\x08\x09").unwrap();
    let error = OnnxOracle::load(&runtime, &ModelFile::read(&file).unwrap(), &options()).err().unwrap();
    assert!(matches!(error, ModelError::Load { .. }) && error.to_string().contains("model.onnx"), "{error}");
}
