//! What is stated about the images of a data set, besides where they are.

use std::path::{Path, PathBuf};

use super::source::Source;
use crate::DataError;

/// What the user states about a data set. Where nothing is stated, the files alone count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataOptions {
    /// The labels of a `.npy` file of images: a `.npy` file as well.
    pub labels: Option<PathBuf>,
}

impl DataOptions {
    /// Refuses what has no meaning for data of this kind, so that nothing that is stated is ignored.
    pub(super) fn check(&self, path: &Path, source: Source) -> Result<(), DataError> {
        let unused = |option, takes| Err(DataError::Unused { path: path.to_owned(), option, takes });
        if self.labels.is_some() && source != Source::Npy {
            return unused("labels", "images in a .npy file");
        }
        Ok(())
    }
}
