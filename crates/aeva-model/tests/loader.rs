//! The loader on a tiny model: what it finds out, how often it asks, and what it refuses. It needs the ONNX Runtime that
//! `aeva setup` installs.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "tests stop at what is unexpected, and compare exact values"
)]

use std::fs::File;
use std::path::{Path, PathBuf};

use aeva_attack::classify_all;
use aeva_attack::conformance;
use aeva_model::diagnosis::Cause;
use aeva_model::loader::{PreprocessingSource, Request};
use aeva_model::{Dataset, Device, LoadError, LoadedModel, Loader, Stated, ValueRange};
use ndarray::{Array1, Array4};
use ndarray_npy::NpzWriter;
use tempfile::TempDir;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/models/{name}.onnx"))
}

/// Images that fall into most of the six classes.
fn images() -> Array4<f32> {
    Array4::from_shape_fn((200, 4, 5, 3), |(n, h, w, c)| {
        let value = (((n * 60 + h * 15 + w * 3 + c) as f32) * 0.754_877_7 * (1.0 + n as f32 * 0.01)).fract();
        if n % 2 == 0 { value.round() } else { value }
    })
}

/// A data set of these labels.
fn data(labels: &[u32]) -> (TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    let mut writer = NpzWriter::new(File::create(&path).unwrap());
    writer.add_array("x", &images()).unwrap();
    writer.add_array("y", &Array1::from_vec(labels.to_vec())).unwrap();
    writer.finish().unwrap();
    let data = Dataset::load(&path).unwrap();
    (folder, data)
}

/// The labels that the model gives to the images.
fn labels() -> Vec<u32> {
    let (_folder, data) = data(&[0; 200]);
    let mut model = Loader::plain(&model("nhwc"), &data, ValueRange::UNIT).unwrap();
    classify_all(model.oracles[0].as_mut(), data.images.view(), 64).unwrap()
}

fn load_with(name: &str, labels: &[u32], stated: &Stated, stop: bool) -> Result<LoadedModel, LoadError> {
    let (_folder, data) = data(labels);
    let (model, stop) = (model(name), move || stop);
    let request = Request { model: &model, stated, device: Device::Cpu, threads: 2, stop: &stop };
    Loader::new(request).load(&data)
}

fn load(name: &str, labels: &[u32]) -> Result<LoadedModel, LoadError> {
    load_with(name, labels, &Stated::default(), false)
}

#[test]
fn a_sound_model_is_loaded_with_all_that_is_known() {
    let labels = labels();
    let mut loaded = load("nhwc", &labels).unwrap();
    assert_eq!((loaded.oracles.len(), loaded.correct.accuracy()), (2, 1.0));
    // All images once, and twenty of them four times more.
    assert_eq!((loaded.queries, loaded.batch_rows), (280, 32));
    assert_eq!(loaded.preprocessing, PreprocessingSource::Assumed);
    assert_eq!(loaded.identity.preprocessing, "4x5x3 nhwc, value range 0..1, first output");
    assert_eq!((loaded.identity.classes, loaded.spec.classes, loaded.spec.shape()), (6, 6, [4, 5, 3]));
    assert!(loaded.identity.provider.starts_with("onnxruntime ") && loaded.reference.is_none());
    assert!(conformance::check(loaded.oracles[1].as_mut(), images().view()).is_ok());

    let stated = Stated { value_range: Some(ValueRange::UNIT), ..Stated::default() };
    let with_range = load_with("nhwc", &labels, &stated, false).unwrap();
    assert_eq!((with_range.preprocessing, with_range.queries), (PreprocessingSource::Stated, 280));
    assert_eq!((with_range.answers, with_range.identity), (loaded.answers, loaded.identity));
}

#[test]
fn a_plain_model_classifies_the_images_once() {
    let labels = labels();
    let (_folder, data) = data(&labels);
    let loaded = Loader::plain(&model("nhwc"), &data, ValueRange::UNIT).unwrap();
    assert_eq!((loaded.queries, loaded.correct.accuracy()), (200, 1.0));
    assert_eq!(loaded.answers, load("nhwc", &labels).unwrap().answers);
}

#[test]
fn a_model_without_data_takes_its_own_labels_for_the_truth() {
    let (model, stated) = (model("nhwc"), Stated::default());
    let request = Request { model: &model, stated: &stated, device: Device::Cpu, threads: 2, stop: &|| false };
    let make = |shape: [usize; 3]| {
        assert_eq!(shape, [4, 5, 3]);
        images()
    };
    let (mut loaded, _) = Loader::new(request).load_without_data(&make).unwrap();
    assert_eq!((loaded.correct.accuracy(), loaded.queries, loaded.oracles.len()), (1.0, 200, 2));
    let mut runs = 0;
    let mut done = || {
        runs += 1;
        runs > 3
    };
    assert_eq!(loaded.oracles[0].run_raw(images().view(), 32, &mut done).unwrap(), 96);
}

#[test]
fn what_cannot_be_relied_on_is_refused_by_its_kind() {
    let truth = labels();
    let reordered: Vec<u32> = truth.iter().map(|&label| (label + 2) % 6).collect();
    let error = load("nhwc", &reordered).err().unwrap();
    let LoadError::Misunderstood(misunderstanding) = &error else { panic!("{error}") };
    let Cause::ReorderedLabels(order) = &misunderstanding.diagnosis.cause else { panic!("{misunderstanding:?}") };
    assert!(!order.is_empty() && order.iter().all(|&(label, model)| label == (model + 2) % 6), "{order:?}");
    assert!(error.to_string().ends_with("% of the clean images correctly"), "{error}");

    let mut of_one_label = truth.clone();
    of_one_label[0] = 1;
    let error = load("ties", &of_one_label).err().unwrap();
    assert!(matches!(error, LoadError::OneLabel { label: 0, images: 200, .. }), "{error}");

    let unrelated: Vec<u32> = (0..200).map(|index| index * 7 % 6).collect();
    let error = load("nhwc", &unrelated).err().unwrap();
    assert!(matches!(error, LoadError::ChanceLevel { needed: 0.25, .. }), "{error}");

    let mut unknown = truth.clone();
    unknown[9] = 6;
    let error = load("nhwc", &unknown).err().unwrap();
    assert!(matches!(error, LoadError::Labels { .. }), "{error}");

    let stated = Stated { manifest: Some(PathBuf::from("nowhere.toml")), ..Stated::default() };
    let error = load_with("nhwc", &truth, &stated, false).err().unwrap();
    assert_eq!(error.to_string(), "there is no manifest nowhere.toml");

    let error = load_with("nhwc", &truth, &Stated::default(), true).err().unwrap();
    assert!(matches!(error, LoadError::Stopped), "{error}");
}
