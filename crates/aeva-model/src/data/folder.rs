//! A folder of PNG and JPEG images with one sub-folder per class. If all names of sub-folders are numbers, these are the labels.
//! Otherwise classes are numbered in the order of their names.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::Array4;

use super::{Dataset, checked_values, form, read_regular, room, unit};
use crate::DataError;

/// Largest file of one image, in bytes: `MAX_PIXELS` pixels of 4 channels that compression does not make smaller.
const MAX_FILE: u64 = 1 << 26;
/// Largest number of pixels in one image. No classifier takes an image this large, and a file of a few bytes can state any size.
const MAX_PIXELS: u64 = 1 << 24;
/// Largest memory of a decoder, in bytes: 16 bits for each of 4 channels, and as much again.
const MAX_DECODER_BYTES: u64 = 16 * MAX_PIXELS;

pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    let folders: Vec<PathBuf> = entries(path)?.into_iter().filter(|entry| entry.is_dir()).collect();
    if folders.is_empty() {
        return Err(form(path, "no sub-folders".to_owned(), "one sub-folder of images for each class"));
    }
    let (labels_of_folders, class_names) = classes(path, &folders)?;
    let mut files = Vec::new();
    for (folder, label) in folders.iter().zip(labels_of_folders) {
        files.extend(entries(folder)?.into_iter().filter(|file| is_image(file)).map(|file| (file, label)));
    }
    let Some((first, _)) = files.first() else {
        return Err(form(path, "no images in the sub-folders".to_owned(), "PNG or JPEG files"));
    };

    let mut shape = None;
    let mut values = Vec::new();
    for (file, _) in &files {
        let picture = Picture::open(file)?;
        match shape {
            None => {
                let [height, width, channels] = picture.shape;
                values = room(path, checked_values(path, [files.len(), height, width, channels])?)?;
                shape = Some(picture.shape);
            }
            Some(expected) => picture.expect_shape(expected, first)?,
        }
        values.extend(picture.pixels()?.into_iter().map(unit));
    }
    let [height, width, channels] = shape.unwrap_or_default();
    let images = Array4::from_shape_vec((files.len(), height, width, channels), values)
        .map_err(|error| DataError::Decode { path: path.to_owned(), why: error.to_string() })?;
    Dataset::new(path, images, files.into_iter().map(|(_, label)| label).collect(), class_names)
}

/// The label of each folder, and the names of the classes unless they are numbers.
fn classes(path: &Path, folders: &[PathBuf]) -> Result<(Vec<u32>, Option<Vec<String>>), DataError> {
    let names: Vec<String> = folders.iter().map(|folder| name_of(folder)).collect();
    let numbers: Option<Vec<u32>> = names.iter().map(|name| name.parse().ok()).collect();
    let Some(numbers) = numbers else {
        return Ok(((0..).take(folders.len()).collect(), Some(names)));
    };
    let mut seen = BTreeMap::new();
    for (number, name) in numbers.iter().zip(&names) {
        if let Some(other) = seen.insert(number, name) {
            let found = format!("the sub-folders {other} and {name}, both for label {number}");
            return Err(form(path, found, "one sub-folder of images for each class"));
        }
    }
    Ok((numbers, None))
}

/// The entries of a folder, sorted by name so that the order does not depend on the file system.
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

/// An image file whose header has been read.
struct Picture<'a> {
    path: &'a Path,
    /// Shape `[h, w, c]` in the data set. A grey image loses its alpha channel.
    shape: [usize; 3],
    decoder: Box<dyn ImageDecoder>,
}

impl<'a> Picture<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let decode = |why: String| DataError::Decode { path: path.to_owned(), why };
        let bytes = read_regular(path, MAX_FILE)?;
        let format = ImageFormat::from_path(path).map_err(|error| decode(error.to_string()))?;
        // The content of the file decides, not its name.
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format)
            .with_guessed_format()
            .map_err(|error| decode(error.to_string()))?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_DECODER_BYTES);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(|error| decode(error.to_string()))?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            let expected = format!("at most {MAX_PIXELS} pixels: no classifier takes an image this large");
            return Err(form(path, format!("{width} x {height} pixels"), &expected));
        }
        let shape = [height as usize, width as usize, channels(decoder.color_type())];
        Ok(Self { path, shape, decoder: Box::new(decoder) })
    }

    /// Makes sure that the image has the shape of the first one.
    fn expect_shape(&self, expected: [usize; 3], first: &Path) -> Result<(), DataError> {
        let (path, first) = (self.path.to_owned(), first.to_owned());
        if self.shape[..2] != expected[..2] {
            return Err(DataError::ImageSize { path, found: self.shape, expected, first });
        }
        if self.shape[2] != expected[2] {
            return Err(DataError::ImageChannels { path, found: self.shape[2], expected: expected[2], first });
        }
        Ok(())
    }

    /// Decodes the pixels `[h, w, c]`. Files of 16 bits are reduced to 8 bits.
    fn pixels(self) -> Result<Vec<u8>, DataError> {
        let image = DynamicImage::from_decoder(self.decoder)
            .map_err(|error| DataError::Decode { path: self.path.to_owned(), why: error.to_string() })?;
        let pixels = match self.shape[2] {
            1 => image.into_luma8().into_raw(),
            3 => image.into_rgb8().into_raw(),
            _ => image.into_rgba8().into_raw(),
        };
        if pixels.len() == self.shape.iter().product::<usize>() {
            return Ok(pixels);
        }
        let why = format!("{} bytes of pixels for the shape {:?}", pixels.len(), self.shape);
        Err(DataError::Decode { path: self.path.to_owned(), why })
    }
}

fn channels(color: ColorType) -> usize {
    match (color.has_color(), color.has_alpha()) {
        (false, _) => 1,
        (true, false) => 3,
        (true, true) => 4,
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::float_cmp, clippy::type_complexity, reason = "small known values")]
mod tests {
    use std::fs::File;

    use super::*;
    use flate2::Crc;
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

    #[test]
    fn other_channels_are_told_from_another_size() {
        let folder = tempfile::tempdir().unwrap();
        let class = folder.path().join("0");
        fs::create_dir(&class).unwrap();
        RgbImage::new(3, 2).save(class.join("a.png")).unwrap();
        let error = |make: &dyn Fn(&Path)| {
            make(&class.join("b.png"));
            Dataset::load(folder.path()).unwrap_err().to_string()
        };
        let grey = error(&|path| GrayImage::new(3, 2).save(path).unwrap());
        assert!(grey.contains("b.png: found 1 channel, expected 3 channels as in"), "{grey}");
        assert!(grey.contains("the same channels") && !grey.contains("one size"), "{grey}");
        let alpha = error(&|path| image::RgbaImage::new(3, 2).save(path).unwrap());
        assert!(alpha.contains("found 4 channels, expected 3 channels"), "{alpha}");
        let small = error(&|path| GrayImage::new(2, 2).save(path).unwrap());
        assert!(small.contains("shape [2, 2, 1]") && small.contains("one size"), "{small}");
    }

    #[test]
    fn folders_of_the_same_label_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (name, other) in [("1", "01"), ("7", "+7")] {
            let made = [name, other].map(|name| folder.path().join(name));
            for class in &made {
                grey(class, "a.png", 0);
            }
            let error = Dataset::load(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("{other} and {name}, both for label")), "{error}");
            for class in &made {
                fs::remove_dir_all(class).unwrap();
            }
        }
    }

    /// Images of two classes, and one more file that `make` puts at the path that it is given.
    fn with_picture(name: &str, make: impl Fn(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        for class in ["0", "1"] {
            fs::create_dir(folder.path().join(class)).unwrap();
            GrayImage::new(16, 16).save(folder.path().join(class).join("m.png")).unwrap();
        }
        make(&folder.path().join("0").join(name));
        let error = Dataset::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        error
    }

    /// A PNG that states a size and has no pixels.
    fn png(width: u32, height: u32, color: u8) -> Vec<u8> {
        let chunk = |kind: &[u8], data: &[u8]| {
            let mut crc = Crc::new();
            crc.update(kind);
            crc.update(data);
            [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
        };
        let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, color, 0, 0, 0]].concat();
        [
            &b"\x89PNG\r\n\x1a\n"[..],
            &chunk(b"IHDR", &head),
            &chunk(b"IDAT", &[0x78, 1, 3, 0, 0, 0, 0, 1]),
            &chunk(b"IEND", b""),
        ]
        .concat()
    }

    #[test]
    fn pictures_are_refused_by_the_size_they_state() {
        for (width, height) in [(65535, 65535), (100_000, 100_000), (16, 1 << 24), (1 << 24, 16), (4097, 4096)] {
            for color in [0, 6] {
                for name in ["a.png", "z.png"] {
                    let error = with_picture(name, |path| fs::write(path, png(width, height, color)).unwrap());
                    assert!(
                        error.contains("no classifier takes an image this large") || error.contains("imit"),
                        "{error}"
                    );
                }
            }
        }
        for (width, height) in [(u32::MAX, u32::MAX), (i32::MAX as u32, 1), (1, i32::MAX as u32), (0, 0), (0, 5)] {
            with_picture("a.png", |path| fs::write(path, png(width, height, 6)).unwrap());
        }
        // Large, and not as the first one: its pixels are not looked at.
        let error = with_picture("z.png", |path| fs::write(path, png(4096, 4096, 0)).unwrap());
        assert!(error.contains("shape [4096, 4096, 1]") && error.contains("one size"), "{error}");
        let error = with_picture("a.png", |path| File::create(path).unwrap().set_len(1 << 27).unwrap());
        assert!(error.contains("found 134217728 bytes, expected at most 67108864 bytes"), "{error}");
    }

    /// Nobody writes into the pipe: whoever opens it waits for ever.
    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_never_opened() {
        use std::os::unix::fs::symlink;
        use std::process::Command;

        let error = with_picture("a.png", |path| fs::create_dir(path).unwrap());
        assert!(error.contains("found a folder, expected a regular file"), "{error}");
        let error = with_picture("a.png", |path| symlink("/dev/zero", path).unwrap());
        assert!(error.contains("a pipe, socket or device"), "{error}");
        for target in ["nowhere", "a.png"] {
            let error = with_picture("a.png", |path| symlink(target, path).unwrap());
            assert!(error.contains("cannot read"), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        if !Command::new("mkfifo").arg(folder.path().join("x.npz")).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no mkfifo");
            return;
        }
        let error = Dataset::load(&folder.path().join("x.npz")).unwrap_err().to_string();
        assert!(error.contains("a pipe, socket or device"), "{error}");
        let error = with_picture("a.png", |path| {
            Command::new("mkfifo").arg(path).status().unwrap();
        });
        assert!(error.contains("a pipe, socket or device"), "{error}");
    }
}
