//! The file of a model, together with the files that hold its weights.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::sha256_hex;
use crate::external_data::{self, ExternalFiles};
use crate::read_model::read_at_most;
use crate::{FileFormat, ModelError};

/// Largest model file, in bytes: a protocol buffer message has at most 2 GiB. Weights in other files may have more.
const LARGEST_MODEL: u64 = 1 << 31;

/// A model in memory: its file, and the files that it names for its weights.
#[derive(Clone)]
pub struct ModelFile {
    path: PathBuf,
    /// The file, with small tensors of the other files put in.
    pub(crate) bytes: Arc<[u8]>,
    /// The other files, by their names in the model.
    pub(crate) external: ExternalFiles,
    sha256: String,
}

impl fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelFile").field("path", &self.path).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl ModelFile {
    /// Reads a model file, and the files beside it that hold its weights.
    ///
    /// # Errors
    /// [`ModelError::Io`], [`ModelError::NotAFile`], [`ModelError::TooLarge`]; [`ModelError::Format`] and
    /// [`ModelError::Malformed`] for a file that is not an ONNX model; [`ModelError::External`] for weights outside the model's folder.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let bytes = read_at_most(path, LARGEST_MODEL)?;
        let format = |found| Err(ModelError::Format { path: path.to_owned(), found });
        if bytes.is_empty() {
            return format(FileFormat::Empty);
        }
        if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            return format(FileFormat::Hdf5);
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return format(FileFormat::Zip);
        }
        if bytes.get(4..8) == Some(b"ORTM") {
            return format(FileFormat::Ort);
        }
        let locations = external_data::locations(&bytes)
            .map_err(|_| ModelError::Malformed { path: path.to_owned(), bytes: bytes.len() })?;
        let external = external_data::read(path, locations)?;
        let own = sha256_hex(&bytes);
        let sha256 = if external.is_empty() { own } else { external_data::digest(&own, &external) };
        let bytes = external_data::with_small_tensors(&bytes, &external).map_or(bytes, Into::into);
        Ok(Self { path: path.to_owned(), bytes, external, sha256 })
    }

    /// SHA-256 in lower-case hexadecimal. For a model of several files it is the digest of a text that has the digest of each file
    /// (docs/formats.md).
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Absolute path of the folder of the other files. `None` if it no longer exists.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        fs::canonicalize(external_data::folder_of(&self.path)).ok()
    }

    /// The path that the model was read from.
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
        assert!(error(b"\x1c\0\0\0ORTM....").contains(".ort"));
        assert!(error(b"This is not a model.").contains("cannot load"));
        let no_file = ModelFile::read(folder.path()).unwrap_err();
        assert!(matches!(no_file, ModelError::NotAFile { .. }));
        let missing = ModelFile::read(&folder.path().join("none.onnx")).unwrap_err();
        assert!(matches!(missing, ModelError::Io { .. }) && missing.to_string().contains("none.onnx"));
    }
}
