//! A folder of PNG and JPEG images with one sub-folder a class. When all sub-folders have numbers as names, those are the labels;
//! otherwise classes are numbered in the order of their names.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageReader;
use ndarray::Array4;

use super::{Dataset, unit};
use crate::DataError;

pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    let form = |path: &Path, found: String, expected: &str| DataError::Form {
        path: path.to_owned(),
        found,
        expected: expected.to_owned(),
    };
    let folders: Vec<PathBuf> = entries(path)?.into_iter().filter(|entry| entry.is_dir()).collect();
    if folders.is_empty() {
        return Err(form(path, "no sub-folders".to_owned(), "one sub-folder of images for each class"));
    }
    let names: Vec<String> = folders.iter().map(|folder| name_of(folder)).collect();
    let numbers: Option<Vec<u32>> = names.iter().map(|name| name.parse().ok()).collect();
    let (labels_of_folders, class_names) = match numbers {
        Some(numbers) => (numbers, None),
        None => ((0..).take(folders.len()).collect(), Some(names)),
    };

    let mut shape: Option<([usize; 3], PathBuf)> = None;
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for (folder, label) in folders.iter().zip(labels_of_folders) {
        for file in entries(folder)?.into_iter().filter(|file| is_image(file)) {
            let (found, pixels) = read(&file)?;
            match &shape {
                None => shape = Some((found, file)),
                Some((expected, first)) if *expected != found => {
                    let expected = format!("{expected:?} as in {}: all images of one size", first.display());
                    return Err(form(&file, format!("shape {found:?} [h, w, c]"), &expected));
                }
                Some(_) => {}
            }
            values.extend(pixels);
            labels.push(label);
        }
    }
    let Some(([height, width, channels], _)) = shape else {
        return Err(form(path, "no images in the sub-folders".to_owned(), "PNG or JPEG files"));
    };
    let images = Array4::from_shape_vec((labels.len(), height, width, channels), values)
        .map_err(|error| DataError::Decode { path: path.to_owned(), why: error.to_string() })?;
    Dataset::new(path, images, labels, class_names)
}

/// Entries of a folder by name, so that the order does not depend on the file system.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let error = |source| DataError::Io { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if !name_of(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// Shape `[h, w, c]` and pixels of a file.
fn read(path: &Path) -> Result<([usize; 3], Vec<f32>), DataError> {
    let image = ImageReader::open(path)
        .map_err(|source| DataError::Io { path: path.to_owned(), source })?
        .with_guessed_format()
        .map_err(|source| DataError::Io { path: path.to_owned(), source })?
        .decode()
        .map_err(|error| DataError::Decode { path: path.to_owned(), why: error.to_string() })?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    // As it is stored; grey with alpha loses the alpha, and 16-bit files are read with 8 bits.
    let (channels, bytes) = match (image.color().has_color(), image.color().has_alpha()) {
        (false, _) => (1, image.into_luma8().into_raw()),
        (true, false) => (3, image.into_rgb8().into_raw()),
        (true, true) => (4, image.into_rgba8().into_raw()),
    };
    Ok(([height, width, channels], bytes.into_iter().map(unit).collect()))
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::float_cmp, clippy::type_complexity, reason = "small known values")]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage};

    fn grey(folder: &Path, name: &str, value: u8) {
        fs::create_dir_all(folder).unwrap();
        GrayImage::from_fn(3, 2, |x, y| Luma([value + x as u8 + 10 * y as u8])).save(folder.join(name)).unwrap();
    }

    #[test]
    fn numbered_folders_are_labels_and_files_are_in_order() {
        let folder = tempfile::tempdir().unwrap();
        grey(&folder.path().join("00012"), "b.png", 50);
        grey(&folder.path().join("00012"), "a.png", 40);
        grey(&folder.path().join("2"), "c.png", 60);
        fs::write(folder.path().join("2").join("notes.txt"), "no image").unwrap();
        let data = Dataset::load(folder.path()).unwrap();
        assert_eq!(data.labels, [12, 12, 2]);
        assert_eq!(data.image_shape(), [2, 3, 1]);
        assert_eq!(data.images[[0, 1, 2, 0]], unit(52));
        assert_eq!(data.images[[1, 0, 0, 0]], unit(50));
        assert_eq!(data.class_names, None);
    }

    #[test]
    fn named_folders_are_numbered_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [("dog", 10), ("cat", 20)] {
            let class = folder.path().join(name);
            fs::create_dir_all(&class).unwrap();
            RgbImage::from_pixel(4, 4, Rgb([value, 2, 3])).save(class.join("1.png")).unwrap();
        }
        let data = Dataset::load(folder.path()).unwrap();
        assert_eq!(data.class_names, Some(vec!["cat".to_owned(), "dog".to_owned()]));
        assert_eq!(data.labels, [0, 1]);
        assert_eq!(data.images[[0, 0, 0, 0]], unit(20));
    }

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = || Dataset::load(folder.path()).unwrap_err().to_string();
        assert!(error().contains("no sub-folders"));
        fs::create_dir(folder.path().join("0")).unwrap();
        assert!(error().contains("no images"));
        grey(&folder.path().join("0"), "a.png", 0);
        fs::write(folder.path().join("0").join("b.png"), b"not a png").unwrap();
        assert!(error().contains("b.png"));
        GrayImage::new(5, 5).save(folder.path().join("0").join("b.png")).unwrap();
        assert!(error().contains("shape [5, 5, 1]"), "{}", error());
    }
}
