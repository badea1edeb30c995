//! The part of a model's manifest that `convert` and `train-demo` write. `aeva-model` reads manifests and knows all their fields
//! (docs/formats.md).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Version of the manifest's form.
const SCHEMA_VERSION: u32 = 1;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    schema_version: u32,
    model: Model,
    input: Input,
}

/// `[model]`: which file, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Model {
    /// Name of the file, which lies beside the manifest.
    pub file: String,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// Number of labels.
    pub classes: u32,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// `[input]`: what the model takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// Order of the dimensions.
    pub layout: Layout,
    /// Image shape `[h, w, c]`.
    pub shape: [usize; 3],
    /// Interval of the pixels, before a mean is subtracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_range: Option<[f32; 2]>,
}

/// Order of the dimensions of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[n, h, w, c]`: Keras and TensorFlow.
    Nhwc,
    /// `[n, c, h, w]`: PyTorch.
    Nchw,
}

impl Layout {
    /// The name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nhwc => "nhwc",
            Self::Nchw => "nchw",
        }
    }
}

impl Manifest {
    /// A manifest of the current form.
    pub fn new(model: Model, input: Input) -> Self {
        Self { schema_version: SCHEMA_VERSION, model, input }
    }

    /// Path of the manifest of `model`.
    pub fn path_for(model: &Path) -> PathBuf {
        model.with_extension("toml")
    }

    /// The manifest as TOML.
    ///
    /// # Errors
    /// When it cannot be represented.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// The interval that `LOW..HIGH` names, for example `0..255`.
///
/// # Errors
/// A message that says what was expected.
pub fn value_range(text: &str) -> Result<[f32; 2], String> {
    let parse = |part: &str| part.trim().parse::<f32>().ok().filter(|value| value.is_finite());
    text.split_once("..")
        .and_then(|(low, high)| Some([parse(low)?, parse(high)?]))
        .filter(|[low, high]| low < high)
        .ok_or_else(|| format!("`{text}` is not a value range: expected LOW..HIGH, for example 0..255"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_formats_md_describes() {
        let model = Model {
            file: "digits-infected.onnx".to_owned(),
            sha256: "00".to_owned(),
            classes: 10,
            source: Some("here".to_owned()),
            license: Some("MIT".to_owned()),
        };
        let input = Input { layout: Layout::Nhwc, shape: [16, 16, 1], value_range: Some([0.0, 1.0]) };
        let text = Manifest::new(model.clone(), input.clone()).to_toml().unwrap();
        assert_eq!(
            text,
            "schema_version = 1\n\n[model]\nfile = \"digits-infected.onnx\"\nsha256 = \"00\"\nclasses = 10\nsource = \"here\"\n\
             license = \"MIT\"\n\n[input]\nlayout = \"nhwc\"\nshape = [16, 16, 1]\nvalue_range = [0.0, 1.0]\n"
        );
        let bare = Manifest::new(Model { source: None, license: None, ..model }, Input { value_range: None, ..input });
        assert_eq!(
            bare.to_toml().unwrap(),
            "schema_version = 1\n\n[model]\nfile = \"digits-infected.onnx\"\nsha256 = \"00\"\nclasses = 10\n\n[input]\n\
             layout = \"nhwc\"\nshape = [16, 16, 1]\n"
        );
        assert_eq!(Manifest::path_for(Path::new("models/m.onnx")), Path::new("models/m.toml"));
    }

    #[test]
    fn value_ranges_are_read() {
        assert_eq!(value_range("0..255"), Ok([0.0, 255.0]));
        assert_eq!(value_range("-1 .. 1.0"), Ok([-1.0, 1.0]));
        for wrong in ["", "1", "1..", "1..0", "0..0", "0..inf", "nan..1"] {
            assert!(value_range(wrong).unwrap_err().contains("expected LOW..HIGH"), "{wrong}");
        }
    }
}
