//! The file of a model.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aeva_artifact::sha256_hex;

use crate::ModelError;

/// A model file in memory.
#[derive(Debug, Clone)]
pub struct ModelFile {
    path: PathBuf,
    pub(crate) bytes: Arc<[u8]>,
    sha256: String,
}

impl ModelFile {
    /// Reads a model file.
    ///
    /// # Errors
    /// [`ModelError::Io`], and [`ModelError::Format`] for files that are recognisably something else.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let bytes = fs::read(path).map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
        let format = |found| Err(ModelError::Format { path: path.to_owned(), found });
        if bytes.is_empty() {
            return format("an empty file");
        }
        if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            return format("an HDF5 file, as Keras writes it");
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return format("a zip archive, as Keras (.keras) and PyTorch (.pt, .pth) write it");
        }
        let sha256 = sha256_hex(&bytes);
        Ok(Self { path: path.to_owned(), bytes: bytes.into(), sha256 })
    }

    /// SHA-256 of the file, lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_are_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let error = |bytes: &[u8]| {
            let path = folder.path().join("m.onnx");
            fs::write(&path, bytes).unwrap();
            ModelFile::read(&path).unwrap_err().to_string()
        };
        assert!(error(b"\x89HDF\r\n\x1a\nrest").contains("HDF5"));
        assert!(error(b"PK\x03\x04rest").contains("zip"));
        assert!(error(b"").contains("empty"));
        let missing = ModelFile::read(&folder.path().join("none.onnx")).unwrap_err();
        assert!(matches!(missing, ModelError::Io { .. }) && missing.to_string().contains("none.onnx"));
    }
}
