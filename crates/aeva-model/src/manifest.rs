//! The manifest of a model states what the file is and what it takes. It is `NAME.toml` beside `NAME.onnx`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::read_model::read_at_most;
use crate::{Layout, ModelError, ValueRange};

/// Largest manifest that is read, in bytes. A manifest has a few lines.
const LARGEST: u64 = 1 << 20;

/// Version of the manifest's schema.
const SCHEMA_VERSION: u32 = 1;

/// The manifest of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this schema: 1.
    pub schema_version: u32,
    /// The file of the model.
    pub model: ModelManifest,
    /// What the model takes.
    #[serde(default)]
    pub input: InputManifest,
    /// What the model answers.
    #[serde(default, skip_serializing_if = "OutputManifest::is_default")]
    pub output: OutputManifest,
}

/// `[model]`: which file this is, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// Name of the file, in the folder of the manifest.
    pub file: String,
    /// SHA-256 of the model as [`ModelFile::sha256`](crate::ModelFile::sha256) has it, lower-case hexadecimal.
    pub sha256: String,
    /// Number of labels.
    pub classes: u32,
    /// The origin of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// `[input]`: what the model takes. All fields are optional; a field that is missing is found out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputManifest {
    /// Order of the dimensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Image shape `[h, w, c]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// Interval of the pixels, before the mean is subtracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_range: Option<ValueRange>,
    /// Mean of each channel, in the unit of `value_range`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in the same unit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f32>,
    /// Whether the model takes the channels in reverse order (BGR).
    #[serde(skip_serializing_if = "is_false")]
    pub reverse_channels: bool,
}

/// `[output]`: which of the model's outputs is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputManifest {
    /// Name of the output; the first output if not stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For a model with one score: label 1 begins above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Names of the labels, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
}

impl OutputManifest {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Manifest {
    /// A manifest of the current schema.
    pub fn new(model: ModelManifest, input: InputManifest, output: OutputManifest) -> Self {
        Self { schema_version: SCHEMA_VERSION, model, input, output }
    }

    /// The path of the manifest of `model`.
    pub fn path_for(model: &Path) -> PathBuf {
        model.with_extension("toml")
    }

    /// Reads the manifest at `path`. `None` if there is no such file.
    ///
    /// # Errors
    /// [`ModelError::Io`], [`ModelError::NotAFile`], [`ModelError::TooLarge`], and [`ModelError::Manifest`] for a file that is not a
    /// manifest, or has another schema version.
    pub fn read(path: &Path) -> Result<Option<Self>, ModelError> {
        let bytes = match read_at_most(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(ModelError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let wrong = |why: String| ModelError::Manifest { path: path.to_owned(), why };
        let text = std::str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?;
        let manifest: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if manifest.schema_version != SCHEMA_VERSION {
            let found = manifest.schema_version;
            return Err(wrong(format!("schema_version {found}, this program reads {SCHEMA_VERSION}")));
        }
        let (names, classes) = (manifest.output.class_names.len(), manifest.model.classes);
        if names > 0 && u32::try_from(names) != Ok(classes) {
            return Err(wrong(format!("{names} class_names for {classes} classes")));
        }
        if manifest.output.threshold.is_some_and(|threshold| !threshold.is_finite()) {
            return Err(wrong("a threshold that is not finite".to_owned()));
        }
        Ok(Some(manifest))
    }

    /// The manifest as TOML.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] if TOML cannot represent it; `path` is the one that the error names.
    pub fn to_toml(&self, path: &Path) -> Result<String, ModelError> {
        toml::to_string(self).map_err(|error| ModelError::Manifest { path: path.to_owned(), why: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Manifest>, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.toml");
        std::fs::write(&path, text).unwrap();
        Manifest::read(&path)
    }

    const MINIMAL: &str = "schema_version = 1\n[model]\nfile = 'm.onnx'\nsha256 = '00'\nclasses = 10\n";

    #[test]
    fn round_trip() {
        let mut manifest = read(MINIMAL).unwrap().unwrap();
        assert_eq!(manifest.input, InputManifest::default());
        manifest.input = InputManifest {
            layout: Some(Layout::Nchw),
            shape: Some([28, 28, 1]),
            value_range: Some(ValueRange::BYTE),
            mean: vec![0.5],
            std: vec![0.25],
            reverse_channels: true,
        };
        manifest.output = OutputManifest {
            name: Some("logits".to_owned()),
            threshold: Some(0.5),
            class_names: (0..10).map(|label| format!("class {label}")).collect(),
        };
        manifest.model.source = Some("here".to_owned());
        let text = manifest.to_toml(Path::new("m.toml")).unwrap();
        assert_eq!(read(&text).unwrap(), Some(manifest));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error(&format!("{MINIMAL}[input]\nlayuot = 'nchw'\n")).contains("layuot"));
        assert!(error(&format!("{MINIMAL}[input]\nlayout = 'hwcn'\n")).contains("hwcn"));
        assert!(error(&format!("{MINIMAL}[input]\nvalue_range = [1.0, 0.0]\n")).contains("1..0"));
        assert!(
            error(&format!("{MINIMAL}[output]\nclass_names = ['a', 'b']\n")).contains("2 class_names for 10 classes")
        );
        assert!(error(&format!("{MINIMAL}[output]\nthreshold = nan\n")).contains("not finite"));
        assert!(error(&MINIMAL.replace("= 1\n", "= 9\n")).contains("schema_version 9"));
        assert!(error("not toml").contains("m.toml"));
        assert!(Manifest::read(Path::new("nowhere/at/all.toml")).unwrap().is_none());
    }
}
