//! Reading the files of a model.

use std::path::Path;
use std::sync::Arc;

use crate::ModelError;
use crate::regular_file::{FileError, read_regular};

/// Reads a regular file of at most `limit` bytes. Other files, such as pipes and devices, may have no end.
pub(crate) fn read_at_most(path: &Path, limit: u64) -> Result<Arc<[u8]>, ModelError> {
    read_regular(path, limit).map(Into::into).map_err(|error| match error {
        FileError::Folder | FileError::Special => ModelError::NotAFile { path: path.to_owned() },
        FileError::TooLarge(_) => ModelError::TooLarge { path: path.to_owned(), limit },
        FileError::Io(source) => ModelError::Io { path: path.to_owned(), source },
    })
}
