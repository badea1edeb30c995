//! Real models for the tests: not part of this project, taken from `AEVA_SHARED_DATA` or `../shared/data` where they are.

use std::path::{Path, PathBuf};

use crate::root;

/// The folder, if it is there.
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("AEVA_SHARED_DATA").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => root().parent()?.join("shared").join("data"),
    };
    folder.is_dir().then_some(folder)
}

/// Where the converted models are kept between runs.
pub fn converted() -> PathBuf {
    root().join("target").join("shared-models")
}

/// Keras models in `folder`, with the place of each converted one.
pub fn keras_models(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let names =
        ["cifar10/aeva_resnet20_patch", "cifar10/clean_resnet8", "mnist/badnets_cnn_target0", "mnist/clean_cnn"];
    names
        .iter()
        .map(|name| {
            let stem = name.rsplit('/').next().unwrap_or(name);
            (folder.join(format!("{name}.h5")), converted().join(format!("{stem}.onnx")))
        })
        .filter(|(keras, _)| keras.is_file())
        .collect()
}
