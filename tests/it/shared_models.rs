//! Real models that do not belong to this project. The tests run if the models exist (`AEVA_SHARED_DATA`, or
//! `../shared/data` beside the source) and are skipped visibly otherwise. `cargo xtask test` converts the models first;
//! it also scans the authors' patch model (`cargo xtask reproduce-paper`).

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Aeva, root, say};

/// The folder of shared data, or a visible skip.
fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("AEVA_SHARED_DATA").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => root().join("..").join("shared").join("data"),
    };
    if !folder.is_dir() {
        say(&format!("SKIPPED: no shared data in {} (set AEVA_SHARED_DATA)", folder.display()));
        return None;
    }
    Some(folder)
}

/// The folder of shared data and a converted model in it, or a visible skip.
fn model(name: &str) -> Option<(PathBuf, PathBuf)> {
    let folder = folder()?;
    let model = root().join("target").join("shared-models").join(format!("{name}.onnx"));
    if !model.is_file() {
        say(&format!("SKIPPED: {} is not there; `cargo xtask test` converts it", model.display()));
        return None;
    }
    Some((folder, model))
}

fn scan(aeva: &Aeva, model: &Path, data: &Path, code: i32) -> Value {
    let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--out", "run"];
    let ran = aeva.run(&args).ends_with(code);
    say(&ran.stdout);
    aeva.report("run")
}

#[test]
fn the_mnist_badnets_model_is_flagged_at_label_0_alone() {
    let Some((folder, model)) = model("badnets_cnn_target0") else { return };
    let report = scan(&Aeva::new(), &model, &folder.join("mnist/test_first2000.npz"), 1);
    assert_eq!(report["suspects"], serde_json::json!([0]));
    assert!((report["clean_accuracy"].as_f64().unwrap() - 0.992).abs() < 0.0006);
}

#[test]
fn the_clean_mnist_model_is_clean() {
    let Some((folder, model)) = model("clean_cnn") else { return };
    let report = scan(&Aeva::new(), &model, &folder.join("mnist/test_first2000.npz"), 0);
    assert_eq!(report["verdict"], "clean");
}

/// The model takes raw 0..255 pixels, which its file does not say: the scan finds this out and reports it.
#[test]
fn the_clean_resnet_is_clean_and_its_value_range_is_found() {
    let Some((folder, model)) = model("clean_resnet8") else { return };
    let report = scan(&Aeva::new(), &model, &folder.join("cifar10/test_first1000.npz"), 0);
    assert_eq!(report["verdict"], "clean");
    assert!((report["clean_accuracy"].as_f64().unwrap() - 0.881).abs() < 0.0006);
    assert!(report["notes"][0].as_str().unwrap().contains("pixels in 0..255 was found by trying"));
}

#[test]
fn the_patch_model_of_the_authors_is_flagged_at_label_0_alone() {
    let Some((folder, model)) = model("aeva_resnet20_patch") else { return };
    let report = scan(&Aeva::new(), &model, &folder.join("cifar10/test_batch.bin"), 1);
    assert_eq!(report["suspects"], serde_json::json!([0]));
    assert!(report["queries"].as_u64().unwrap() < 500_000);
}

/// The published rule misses this model at every depth tried.
#[test]
fn the_checkerboard_model_is_flagged_at_label_5_alone() {
    let Some(folder) = folder() else { return };
    let model = folder.join("cifar10/wrn16_grid_target5.onnx");
    let report = scan(&Aeva::new(), &model, &folder.join("cifar10/test_batch.bin"), 1);
    assert_eq!(report["suspects"], serde_json::json!([5]));
    // At least a part of the true trigger: 3 x 3 pixels in the lower right corner.
    let found = &report["triggers"]["found"][0];
    assert!(found["hits"].as_u64().unwrap() * 10 > found["trials"].as_u64().unwrap() * 8, "{found}");
}

/// The same CIFAR-10 images in binary and npz files count as the same data.
#[test]
fn file_formats_do_not_change_the_data() {
    let Some((folder, _)) = model("aeva_resnet20_patch") else { return };
    let load = |name: &str| aeva_model::Dataset::load(&folder.join(name)).unwrap().sha256();
    assert_eq!(load("cifar10/test_batch.bin"), load("cifar10/test_first1000.npz"));
}

/// Determinism on a network with all important kinds of layers: the bytes do not depend on batch size and thread count.
#[test]
fn batch_size_and_threads_change_nothing_on_a_residual_network() {
    let Some((folder, model)) = model("aeva_resnet20_patch") else { return };
    let aeva = Aeva::new();
    let data = folder.join("cifar10/test_batch.bin");
    let run = |out: &str, extra: &[&str]| {
        let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--out", out];
        let part =
            ["--lens", "perturbation", "--iterations", "3", "--samples", "2", "--sources", "0-2", "--targets", "0-2"];
        aeva.run(&[&args[..], &part, extra].concat()).ends_with(3);
        aeva.artifacts(out)
    };
    let reference = run("a", &[]);
    assert_eq!(reference.len(), 6);
    assert_eq!(reference, run("b", &["--threads", "1"]));
    assert_eq!(reference, run("c", &["--batch-size", "75", "--threads", "3"]));
    assert_eq!(reference, run("d", &["--batch-size", "1"]));
}
