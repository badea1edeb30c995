//! Labelled images from files.

mod cifar;
mod folder;
mod npz;

use std::path::{Path, PathBuf};

use aeva_artifact::hex;
use ndarray::Array4;
use sha2::{Digest, Sha256};

use crate::DataError;

/// Labelled images.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Images `[n, h, w, c]` in standard layout, values in `[0, 1]`.
    pub images: Array4<f32>,
    /// Label of each image.
    pub labels: Vec<u32>,
    /// Names of the classes, where the data has them.
    pub class_names: Option<Vec<String>>,
    path: PathBuf,
}

impl Dataset {
    /// Loads what `path` names: a `.npz` file, a CIFAR-10 or CIFAR-100 `.bin` file, a folder with such a file of test images, or
    /// a folder of images with one sub-folder a class.
    ///
    /// # Errors
    /// [`DataError`] names the file, what was found and what was expected.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let metadata = std::fs::metadata(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            _ if metadata.is_dir() => {
                match ["test_batch.bin", "test.bin"].iter().map(|name| path.join(name)).find(|p| p.is_file()) {
                    Some(file) => cifar::load(&file),
                    None => folder::load(path),
                }
            }
            Some("npz") => npz::load(path),
            Some("bin") => cifar::load(path),
            _ => Err(DataError::UnknownKind { path: path.to_owned() }),
        }
    }

    /// Puts images and labels together; the loaders come through here.
    pub(crate) fn new(
        path: &Path,
        images: Array4<f32>,
        labels: Vec<u32>,
        class_names: Option<Vec<String>>,
    ) -> Result<Self, DataError> {
        let form = |found: String, expected: &str| {
            Err(DataError::Form { path: path.to_owned(), found, expected: expected.to_owned() })
        };
        let (count, height, width, channels) = images.dim();
        if count != labels.len() {
            return form(format!("{count} images and {} labels", labels.len()), "one label for each image");
        }
        if count == 0 || height == 0 || width == 0 {
            return form(format!("images of shape {:?}", images.dim()), "at least one image with pixels");
        }
        if !matches!(channels, 1 | 3 | 4) {
            return form(format!("{channels} channels"), "1, 3 or 4 channels");
        }
        let images = images.as_standard_layout().into_owned();
        Ok(Self { images, labels, class_names, path: path.to_owned() })
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Image shape `[h, w, c]`.
    pub fn image_shape(&self) -> [usize; 3] {
        let (_, height, width, channels) = self.images.dim();
        [height, width, channels]
    }

    /// SHA-256 of shape, labels and pixels, lower-case hexadecimal: the same images in another file format have the same.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        for &size in self.images.shape() {
            hasher.update((size as u64).to_le_bytes());
        }
        for label in &self.labels {
            hasher.update(label.to_le_bytes());
        }
        for value in &self.images {
            hasher.update(value.to_le_bytes());
        }
        hex(&hasher.finalize())
    }
}

/// An 8-bit pixel in `[0, 1]`.
fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}
