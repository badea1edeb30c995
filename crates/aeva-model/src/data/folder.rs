//! A folder of PNG and JPEG images with one sub-folder per class. If all names of sub-folders are numbers, these are the labels.
//! Otherwise classes are numbered in the order of their names, or as the user states.

use std::fs;
use std::path::{Path, PathBuf};

use super::classes::{self, ClassOrder};
use super::options::DataOptions;
use super::picture::{self, is_image};
use super::{Dataset, form};
use crate::DataError;

pub(super) fn load(path: &Path, options: &DataOptions, order: Option<&ClassOrder>) -> Result<Dataset, DataError> {
    let folders: Vec<PathBuf> = entries(path)?.into_iter().filter(|entry| entry.is_dir()).collect();
    if folders.is_empty() {
        return Err(form(path, "no sub-folders".to_owned(), "one sub-folder of images for each class"));
    }
    let names: Vec<String> = folders.iter().map(|folder| name_of(folder)).collect();
    let numbered = classes::number(path, &names, "sub-folder", order)?;
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (folder, label) in folders.iter().zip(numbered.labels) {
        files.extend(entries(folder)?.into_iter().filter(|file| is_image(file)));
        labels.resize(files.len(), label);
    }
    if files.is_empty() {
        return Err(form(path, "no images in the sub-folders".to_owned(), "PNG or JPEG files"));
    }
    let pictures = picture::load(path, &files, options.size)?;
    let data = Dataset::new(path, pictures.images, labels, numbered.names)?;
    Ok(Dataset { notes: pictures.notes, ..data })
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

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::float_cmp, clippy::type_complexity, reason = "small known values")]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::data::unit;
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

    /// Pictures of three sizes and kinds, all of one colour each.
    fn mixed(folder: &Path) {
        for class in ["a", "b"] {
            fs::create_dir(folder.join(class)).unwrap();
        }
        RgbImage::from_pixel(4, 6, Rgb([10, 20, 30])).save(folder.join("a").join("1.png")).unwrap();
        GrayImage::from_pixel(2, 2, Luma([40])).save(folder.join("a").join("2.png")).unwrap();
        image::RgbaImage::from_pixel(5, 1, image::Rgba([50, 60, 70, 80])).save(folder.join("b").join("1.png")).unwrap();
    }

    fn sized(text: &str) -> DataOptions {
        DataOptions { size: Some(text.parse().unwrap()), ..DataOptions::default() }
    }

    #[test]
    fn pictures_of_several_sizes_can_be_made_of_one() {
        let folder = tempfile::tempdir().unwrap();
        mixed(folder.path());
        assert!(matches!(Dataset::load(folder.path()), Err(DataError::ImageSize { .. })));
        let data = Dataset::load_with(folder.path(), &sized("3x2")).unwrap();
        assert_eq!((data.image_shape(), data.labels.as_slice()), ([3, 2, 3], [0, 0, 1].as_slice()));
        for (image, colour) in data.images.outer_iter().zip([[10, 20, 30], [40, 40, 40], [50, 60, 70]]) {
            assert!(image.indexed_iter().all(|((_, _, c), &value)| value == unit(colour[c])), "{image:?}");
        }
        let notes = ["images were resized to 3 x 2", "images with other channels were made RGB"];
        assert_eq!(data.notes, notes);
        let other = Dataset::load_with(folder.path(), &sized("2x2")).unwrap();
        assert_ne!(other.sha256(), data.sha256());
    }

    #[test]
    fn pictures_of_that_size_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        grey(&folder.path().join("0"), "a.png", 50);
        let data = Dataset::load(folder.path()).unwrap();
        assert_eq!(Dataset::load_with(folder.path(), &sized("2x3")).unwrap(), data);
        // Each value of an enlarged picture lies between those that it had.
        let larger = Dataset::load_with(folder.path(), &sized("20x30")).unwrap();
        assert_eq!((larger.image_shape(), larger.images[[0, 0, 0, 0]]), ([20, 30, 1], unit(50)));
        assert!(larger.images.iter().all(|&value| (unit(50)..=unit(62)).contains(&value)));
    }

    /// A picture of one row would need a row of every new height on the way.
    #[test]
    fn pictures_that_take_too_much_memory_are_not_resized() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("0")).unwrap();
        GrayImage::new(60_000, 1).save(folder.path().join("0").join("a.png")).unwrap();
        let error = Dataset::load_with(folder.path(), &sized("4096x1")).unwrap_err().to_string();
        assert!(error.contains("a.png: found 60000 x 1 pixels"), "{error}");
        let error = Dataset::load_with(folder.path(), &sized("4096x4096")).unwrap_err().to_string();
        assert!(error.contains("60000 x 1"), "{error}");
        assert!(Dataset::load_with(folder.path(), &sized("1x7")).is_ok());
    }

    #[test]
    fn other_data_is_not_resized() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("test_batch.bin"), [0; 3073]).unwrap();
        let error = Dataset::load_with(folder.path(), &sized("8")).unwrap_err().to_string();
        assert!(error.contains("--resize is stated, which is for pictures in a folder"), "{error}");
    }

    #[test]
    fn the_order_of_folders_can_be_stated() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [("0", 10), ("dog", 20)] {
            grey(&folder.path().join("data").join(name), "a.png", value);
        }
        let order = folder.path().join("order.txt");
        let load = |text: &str| {
            fs::write(&order, text).unwrap();
            let options = DataOptions { class_order: Some(order.clone()), ..DataOptions::default() };
            Dataset::load_with(&folder.path().join("data"), &options)
        };
        let data = load("dog\ncat\n0\n").unwrap();
        assert_eq!(data.labels, [2, 0]);
        assert_eq!(data.class_names, Some(["dog", "cat", "0"].map(str::to_owned).to_vec()));
        let error = load("cat\n0\n").unwrap_err().to_string();
        assert!(error.contains("order.txt: found no line with `dog`, which is a class of"), "{error}");
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
