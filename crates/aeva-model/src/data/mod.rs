//! Labelled images from files.

mod archive;
mod array;
mod cifar;
mod classes;
mod folder;
#[cfg(test)]
mod hostile;
mod list;
mod npy;
mod npy_pair;
mod npz;
mod options;
mod picture;
mod size;
mod source;
mod text;

use std::fs::File;
use std::path::{Path, PathBuf};

use ndarray::Array4;
use sha2::{Digest, Sha256};

pub use self::options::DataOptions;
pub use self::size::ImageSize;

use self::source::Source;
use crate::DataError;
use crate::digest::hex;
use crate::regular_file::{self, FileError};

/// Largest number of values in all images of a data set: 1 GiB as f32. A scan keeps all of them in memory, and needs only a few images
/// of each class. A small file can state more values than a machine can hold, and a compressed file can contain them.
const MAX_VALUES: usize = 1 << 28;

/// Largest number of images, so that the labels of tiny images take no more memory than the images.
const MAX_IMAGES: usize = 1 << 24;

/// Labelled images.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Images `[n, h, w, c]` in standard layout, values in `[0, 1]`.
    pub images: Array4<f32>,
    /// Label of each image, from 0.
    pub labels: Vec<u32>,
    /// Names of the classes in the order of their labels, if the data has them.
    pub class_names: Option<Vec<String>>,
    /// What was done to the images that a reader of the verdict should know.
    pub notes: Vec<String>,
    path: PathBuf,
}

impl Dataset {
    /// Loads what `path` names, about which nothing else is stated.
    ///
    /// # Errors
    /// As for [`load_with`](Self::load_with).
    pub fn load(path: &Path) -> Result<Self, DataError> {
        Self::load_with(path, &DataOptions::default())
    }

    /// Loads what `path` names: a `.npz` file, a `.npy` file of images (with one of labels), a `.csv` list of images and labels, a
    /// CIFAR-10 or CIFAR-100 `.bin` file, a folder with such a file of test images, or a folder of images with one sub-folder a class.
    ///
    /// A data set has at most 2^24 images with at most 2^28 values in all. Sizes that a file states are compared with its actual size
    /// before anything is allocated.
    ///
    /// # Errors
    /// [`DataError`] names the file, what was found and what was expected. What is stated without a meaning for this kind of data is
    /// an error, too.
    pub fn load_with(path: &Path, options: &DataOptions) -> Result<Self, DataError> {
        let source = Source::of(path)?;
        options.check(path, source)?;
        let order = options.class_order.as_deref().map(classes::ClassOrder::read).transpose()?;
        let numbered = match source {
            Source::Folder => return folder::load(path, options, order.as_ref()),
            Source::List => return list::load(path, options, order.as_ref()),
            Source::CifarFolder(name) => cifar::load(&path.join(name)),
            Source::Cifar => cifar::load(path),
            Source::Npz => npz::load(path),
            Source::Npy => npy_pair::load(path, options.labels.as_deref()),
        }?;
        match order {
            Some(order) => order.renumber(numbered),
            None => Ok(numbered),
        }
    }

    /// Puts images and labels together. Every loader ends here.
    pub(crate) fn new(
        path: &Path,
        images: Array4<f32>,
        labels: Vec<u32>,
        class_names: Option<Vec<String>>,
    ) -> Result<Self, DataError> {
        let form = |found: String, expected: &str| Err(form(path, found, expected));
        let (count, height, width, channels) = images.dim();
        if count != labels.len() {
            return form(format!("{count} images and {} labels", labels.len()), "one label for each image");
        }
        checked_values(path, [count, height, width, channels])?;
        // The images are copied only if necessary.
        let images = if images.is_standard_layout() { images } else { images.as_standard_layout().into_owned() };
        Ok(Self { images, labels, class_names, notes: Vec::new(), path: path.to_owned() })
    }

    /// The path that it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Image shape `[h, w, c]`.
    pub fn image_shape(&self) -> [usize; 3] {
        let (_, height, width, channels) = self.images.dim();
        [height, width, channels]
    }

    /// SHA-256 of shape, labels and pixels, lower-case hexadecimal. It does not depend on the file format.
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

/// Opens a regular file and returns it with its length in bytes. Folders, pipes and devices are refused before they are opened.
///
/// # Errors
/// [`DataError::Io`], and [`DataError::Form`] for something other than a regular file.
fn open_regular(path: &Path) -> Result<(File, u64), DataError> {
    regular_file::open_regular(path).map_err(|error| refused(path, error, u64::MAX))
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// As for [`open_regular`], and [`DataError::Form`] for a larger file.
fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    regular_file::read_regular(path, limit).map_err(|error| refused(path, error, limit))
}

fn refused(path: &Path, error: FileError, limit: u64) -> DataError {
    match error {
        FileError::Io(source) => DataError::Io { path: path.to_owned(), source },
        FileError::Folder => form(path, "a folder".to_owned(), "a regular file"),
        FileError::Special => form(path, "a pipe, socket or device".to_owned(), "a regular file"),
        FileError::TooLarge(bytes) => form(path, format!("{bytes} bytes"), &format!("at most {limit} bytes")),
    }
}

/// Number of values in images of shape `[n, h, w, c]`, if they are within the limits.
fn checked_values(path: &Path, shape: [usize; 4]) -> Result<usize, DataError> {
    let [count, height, width, channels] = shape;
    if shape.contains(&0) {
        return Err(form(path, format!("images of shape {shape:?}"), "at least one image with pixels"));
    }
    if !matches!(channels, 1 | 3 | 4) {
        return Err(form(path, format!("{channels} channels"), "1, 3 or 4 channels"));
    }
    let image = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
    let most = image.map_or(0, |image| MAX_VALUES / image).min(MAX_IMAGES);
    match image.and_then(|image| image.checked_mul(count)) {
        Some(values) if count <= most => Ok(values),
        _ => {
            let expected = if most == 0 {
                format!("images of at most {MAX_VALUES} values")
            } else {
                format!("at most {most} images of this shape: keep fewer images of each class")
            };
            Err(form(path, format!("{count} images of shape {:?} [h, w, c]", [height, width, channels]), &expected))
        }
    }
}

/// An empty vector with memory for `length` values. A lack of memory is an error instead of the end of the process.
fn room<T>(path: &Path, length: usize) -> Result<Vec<T>, DataError> {
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|_| {
        let found = format!("{length} values of {} bytes", size_of::<T>());
        form(path, found, "no more than the memory that is free")
    })?;
    Ok(values)
}

fn form(path: &Path, found: String, expected: &str) -> DataError {
    DataError::Form { path: path.to_owned(), found, expected: expected.to_owned() }
}
