//! What is stated about the images of a data set, besides where they are.

use std::path::{Path, PathBuf};

use super::size::ImageSize;
use super::source::Source;
use crate::DataError;

/// What the user states about a data set. Where nothing is stated, the files alone count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataOptions {
    /// The labels of a `.npy` file of images: a `.npy` file as well.
    pub labels: Option<PathBuf>,
    /// The size that all pictures of a folder or list get. Without it, they must have one size.
    pub size: Option<ImageSize>,
    /// A text file with the names of the classes, one a line, in the order of the model's labels. It gives classes with names their
    /// labels; without it, the names are numbered as they are sorted.
    pub class_order: Option<PathBuf>,
}

impl DataOptions {
    /// Refuses what has no meaning for data of this kind, so that nothing that is stated is ignored.
    pub(super) fn check(&self, path: &Path, source: Source) -> Result<(), DataError> {
        let unused = |option, takes| Err(DataError::Unused { path: path.to_owned(), option, takes });
        if self.labels.is_some() && source != Source::Npy {
            return unused("labels", "images in a .npy file");
        }
        if self.size.is_some() && !matches!(source, Source::Folder | Source::List) {
            return unused("resize", "pictures in a folder or in a .csv list");
        }
        Ok(())
    }
}
