//! The kinds of files and folders that images come from.

use std::fs;
use std::path::Path;

use crate::DataError;

/// Names of CIFAR's files of test images.
const TEST_FILES: [&str; 2] = ["test_batch.bin", "test.bin"];

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A folder with one sub-folder of images for each class.
    Folder,
    /// A list of pictures with their labels.
    List,
    /// A folder with this file of CIFAR.
    CifarFolder(&'static str),
    /// A `.bin` file of CIFAR.
    Cifar,
    /// Arrays of images and labels in one file.
    Npz,
    /// Images in one file and labels in another.
    Npy,
}

impl Source {
    /// The kind of a path. Nothing is read to find out; the names of files decide.
    pub(super) fn of(path: &Path) -> Result<Self, DataError> {
        let metadata = fs::metadata(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            _ if metadata.is_dir() => Ok(TEST_FILES
                .into_iter()
                .find(|name| path.join(name).is_file())
                .map_or(Self::Folder, Self::CifarFolder)),
            Some("npz") => Ok(Self::Npz),
            Some("npy") => Ok(Self::Npy),
            Some("csv") => Ok(Self::List),
            Some("bin") => Ok(Self::Cifar),
            _ => Err(DataError::UnknownKind { path: path.to_owned() }),
        }
    }
}
