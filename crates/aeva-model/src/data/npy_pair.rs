//! Two `.npy` files: one with images, one with labels.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::array::{Stored, Stream};
use super::{Dataset, open_regular};
use crate::DataError;

pub(super) fn load(images: &Path, labels: Option<&Path>) -> Result<Dataset, DataError> {
    // A file beside it that looks like its labels may belong to something else, so nothing is guessed.
    let labels = labels.ok_or_else(|| DataError::NoLabels { path: images.to_owned() })?;
    let pixels = open(images)?.images()?;
    let labels = open(labels)?.labels(pixels.dim().0)?;
    Dataset::new(images, pixels, labels, None)
}

fn open(path: &Path) -> Result<Stored<'_, Whole>, DataError> {
    let (file, left) = open_regular(path)?;
    Stored::open(path, None, Whole { file: BufReader::with_capacity(1 << 16, file), left })
}

/// All bytes of a file.
struct Whole {
    file: BufReader<File>,
    left: u64,
}

impl Stream for Whole {
    fn left(&self) -> u64 {
        self.left
    }

    /// The file had as many bytes as its header states when it was opened. There is no checksum.
    fn finish(self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let found = self.file.read(&mut buffer[..wanted])?;
        self.left -= found as u64;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::DataOptions;
    use ndarray::{Array, Array1, Array4, Dimension};
    use ndarray_npy::{WritableElement, WriteNpyExt};

    fn write<T: WritableElement, D: Dimension>(path: &Path, array: &Array<T, D>) {
        array.write_npy(File::create(path).unwrap()).unwrap();
    }

    struct Pair(tempfile::TempDir);

    impl Pair {
        /// Images 0, 1 and 2 with labels 5, 6 and 7.
        fn new() -> Self {
            let pair = Self(tempfile::tempdir().unwrap());
            write(&pair.path("x.npy"), &Array4::<u8>::from_shape_fn((3, 2, 2, 1), |(n, ..)| u8::try_from(n).unwrap()));
            write(&pair.path("y.npy"), &Array1::from(vec![5_i64, 6, 7]));
            pair
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn load(&self, labels: Option<&str>) -> Result<Dataset, DataError> {
            let options = DataOptions { labels: labels.map(|name| self.path(name)), ..DataOptions::default() };
            Dataset::load_with(&self.path("x.npy"), &options)
        }
    }

    #[test]
    fn images_and_labels_in_two_files_are_read() {
        let pair = Pair::new();
        let data = pair.load(Some("y.npy")).unwrap();
        assert_eq!((data.labels.as_slice(), data.image_shape()), ([5, 6, 7].as_slice(), [2, 2, 1]));
        assert!((data.images[[2, 1, 1, 0]] - 2.0 / 255.0).abs() < 1e-9);
    }

    #[test]
    fn labels_are_never_guessed() {
        let pair = Pair::new();
        for name in ["labels.npy", "x_labels.npy"] {
            fs::copy(pair.path("y.npy"), pair.path(name)).unwrap();
        }
        let error = pair.load(None).unwrap_err();
        assert!(matches!(error, DataError::NoLabels { .. }), "{error}");
    }

    #[test]
    fn files_that_do_not_fit_are_refused_by_name() {
        let pair = Pair::new();
        let error = |labels: &str| pair.load(Some(labels)).unwrap_err().to_string();
        write(&pair.path("two.npy"), &Array1::from(vec![5_i64, 6]));
        assert!(error("two.npy").contains("two.npy: found 3 images and 2 labels"), "{}", error("two.npy"));
        write(&pair.path("reals.npy"), &Array1::from(vec![5.0_f64, 6.0, 7.0]));
        assert!(error("reals.npy").contains("labels of type float64"), "{}", error("reals.npy"));
        assert!(error("none.npy").contains("cannot read"), "{}", error("none.npy"));
        assert!(error("").contains("a folder"), "{}", error(""));
        // A header that states more values than the file has, and one that states fewer.
        let bytes = fs::read(pair.path("y.npy")).unwrap();
        fs::write(pair.path("short.npy"), &bytes[..bytes.len() - 1]).unwrap();
        assert!(error("short.npy").contains("but 23 bytes of values"), "{}", error("short.npy"));
        fs::write(pair.path("long.npy"), [&bytes[..], &[0]].concat()).unwrap();
        assert!(error("long.npy").contains("but 25 bytes of values"), "{}", error("long.npy"));
        fs::write(pair.path("cut.npy"), &bytes[..20]).unwrap();
        assert!(error("cut.npy").contains("cut.npy cannot be decoded"), "{}", error("cut.npy"));
    }

    #[test]
    fn labels_of_other_data_are_refused() {
        let pair = Pair::new();
        let options = DataOptions { labels: Some(pair.path("y.npy")), ..DataOptions::default() };
        fs::create_dir(pair.path("folder")).unwrap();
        let error = Dataset::load_with(&pair.path("folder"), &options).unwrap_err().to_string();
        assert!(error.contains("--labels") && error.contains("images in a .npy file"), "{error}");
    }
}
