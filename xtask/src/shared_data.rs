//! Real models for tests and measurements. They are not part of this project: they lie in `AEVA_SHARED_DATA` or `../shared/data`.

use std::path::{Path, PathBuf};

use crate::root;

/// The folder of the shared data, if there is one.
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("AEVA_SHARED_DATA").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => root().parent()?.join("shared").join("data"),
    };
    folder.is_dir().then_some(folder)
}

/// Folder of the converted models.
pub fn converted() -> PathBuf {
    root().join("target").join("shared-models")
}

/// The Keras models in `folder`, each with the path of its conversion.
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
