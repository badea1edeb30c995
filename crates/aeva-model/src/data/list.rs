//! A list of images: a `.csv` file with two columns, the path of a PNG or JPEG file and its label. The label is a number or the name
//! of a class.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, Trim};

use super::classes::{self, ClassOrder};
use super::options::DataOptions;
use super::picture::{self, is_image};
use super::{Dataset, MAX_IMAGES, form, read_regular};
use crate::DataError;

/// Largest list, in bytes: about a million images.
const MAX_FILE: u64 = 1 << 26;
const COLUMNS: &str = "two columns in every line: the path of a PNG or JPEG file, and its label";

pub(super) fn load(path: &Path, options: &DataOptions, order: Option<&ClassOrder>) -> Result<Dataset, DataError> {
    let (files, classes) = rows(path)?;
    let distinct: BTreeSet<&String> = classes.iter().collect();
    let names: Vec<String> = distinct.into_iter().cloned().collect();
    let numbered = classes::number(path, &names, "label", order)?;
    let label = |class: &String| names.binary_search(class).ok().map(|place| numbered.labels[place]);
    let labels: Vec<u32> = classes.iter().filter_map(label).collect();
    let pictures = picture::load(path, &files, options.size)?;
    let data = Dataset::new(path, pictures.images, labels, numbered.names)?;
    Ok(Dataset { notes: pictures.notes, ..data })
}

/// The path and the class of each image, in the order of the list.
fn rows(path: &Path) -> Result<(Vec<PathBuf>, Vec<String>), DataError> {
    let bytes = read_regular(path, MAX_FILE)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut files, mut classes) = (Vec::new(), Vec::new());
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(bytes);
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| DataError::Decode { path: path.to_owned(), why: error.to_string() })?;
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |found: String| form(path, format!("{found} in line {line}"), COLUMNS);
        let (Some(file), Some(class), None) = (record.get(0), record.get(1), record.get(2)) else {
            let noun = if record.len() == 1 { "column" } else { "columns" };
            return Err(wrong(format!("{} {noun}", record.len())));
        };
        if !is_image(Path::new(file)) {
            // The first line may name the columns.
            if index == 0 {
                continue;
            }
            let file: String = file.chars().take(80).collect();
            return Err(wrong(format!("`{file}`, which is the name of no such file,")));
        }
        if class.is_empty() {
            return Err(wrong("no label".to_owned()));
        }
        if files.len() == MAX_IMAGES {
            return Err(form(path, format!("more than {MAX_IMAGES} images"), "fewer images of each class"));
        }
        files.push(folder.join(file));
        classes.push(class.to_owned());
    }
    if files.is_empty() {
        return Err(form(path, "no images".to_owned(), COLUMNS));
    }
    Ok((files, classes))
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "bits are compared on purpose")]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::unit;
    use image::{GrayImage, Luma};
    use proptest::prelude::*;

    /// A folder with grey pictures of 2 x 3 pixels, `a.png` to `c.png` of brightness 1 to 3, and this list.
    fn with_list(list: &[u8], options: &DataOptions) -> Result<Dataset, DataError> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pictures")).unwrap();
        for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
            let path = folder.path().join("pictures").join(format!("{name}.png"));
            GrayImage::from_pixel(3, 2, Luma([value])).save(path).unwrap();
        }
        let path = folder.path().join("list.csv");
        fs::write(&path, list).unwrap();
        Dataset::load_with(&path, options)
    }

    fn load(list: &str) -> Result<Dataset, DataError> {
        with_list(list.as_bytes(), &DataOptions::default())
    }

    #[test]
    fn numbers_are_labels_and_the_order_is_that_of_the_list() {
        let rows = "pictures/c.png,7\npictures/a.png,0\n";
        for list in [rows.to_owned(), format!("path,label\n{rows}"), format!("\u{feff}file, class\r\n\r\n{rows}")] {
            let data = load(&list).unwrap();
            assert_eq!((data.labels.as_slice(), data.class_names.clone()), ([7, 0].as_slice(), None));
            assert_eq!((data.image_shape(), data.images[[0, 1, 2, 0]]), ([2, 3, 1], unit(3)));
            assert_eq!(data.images[[1, 0, 0, 0]], unit(1));
        }
    }

    #[test]
    fn names_are_numbered_in_their_order() {
        let data = load("\"pictures/b.png\", dog\npictures/a.png,\"cat, small\"\npictures/c.png,dog\n").unwrap();
        assert_eq!(data.labels, [1, 0, 1]);
        assert_eq!(data.class_names, Some(vec!["cat, small".to_owned(), "dog".to_owned()]));
        // One name makes all of them names.
        assert_eq!(load("pictures/b.png,10\npictures/a.png,9\npictures/c.png,x").unwrap().labels, [0, 1, 2]);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let error = |list: &str| load(list).unwrap_err().to_string();
        for (list, why) in [
            ("", "no images"),
            ("path,label\n", "no images"),
            ("pictures/a.png,0\npictures/b.png\n", "1 column in line 2"),
            ("pictures/a.png,0,train\n", "3 columns in line 1"),
            ("path,label\npictures/a.png,\n", "no label in line 2"),
            ("pictures/a.png,0\nnotes.txt,1\n", "`notes.txt`, which is the name of no such file, in line 2"),
            ("pictures/a.png,1\npictures/b.png,01\n", "the labels 01 and 1, both for label 1"),
            ("pictures/z.png,0\n", "cannot read"),
        ] {
            let error = error(list);
            assert!(error.contains(why), "{list:?}: {error}");
        }
        let error = with_list(b"pictures/a.png,\xff\n", &DataOptions::default()).unwrap_err().to_string();
        assert!(error.contains("list.csv cannot be decoded") && error.contains("UTF-8"), "{error}");
    }

    #[test]
    fn the_order_of_classes_can_be_stated() {
        let folder = tempfile::tempdir().unwrap();
        let order = folder.path().join("order.txt");
        fs::write(&order, "dog\ncat\n").unwrap();
        let options = DataOptions { class_order: Some(order), ..DataOptions::default() };
        let data = with_list(b"pictures/b.png,dog\npictures/a.png,cat\n", &options).unwrap();
        assert_eq!(data.labels, [0, 1]);
        let error = with_list(b"pictures/b.png,cow\n", &options).unwrap_err().to_string();
        assert!(error.contains("no line with `cow`"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Whatever a list contains: data or an error, and never a panic.
        #[test]
        fn any_list_is_read_or_refused(text in "([a-c./]{0,4}(\\.png)?[,\"; 0-9\u{0}é\n]{0,6}){0,6}") {
            let _ = load(&text);
        }
    }

    /// A list names files that other people may have put there, as a folder does.
    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("a.png")).unwrap();
        let path = folder.path().join("list.csv");
        fs::write(&path, "a.png,0\n").unwrap();
        let error = Dataset::load(&path).unwrap_err().to_string();
        assert!(error.contains("a pipe, socket or device"), "{error}");
        fs::remove_file(&path).unwrap();
        fs::File::create(&path).unwrap().set_len(1 << 27).unwrap();
        let error = Dataset::load(&path).unwrap_err().to_string();
        assert!(error.contains("found 134217728 bytes, expected at most 67108864 bytes"), "{error}");
    }
}
