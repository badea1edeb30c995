//! From the names of classes to labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Dataset, form, read_regular};
use crate::DataError;

/// Largest file with an order of classes, in bytes.
const MAX_FILE: u64 = 1 << 24;

/// The names of classes in the order of a model's labels, as a file states them.
pub(super) struct ClassOrder {
    path: PathBuf,
    names: Vec<String>,
    labels: BTreeMap<String, u32>,
}

/// The labels of some classes.
#[derive(Debug, PartialEq)]
pub(super) struct Numbered {
    /// The label of each class that was asked about.
    pub(super) labels: Vec<u32>,
    /// Names of all classes in the order of their labels, unless they are numbers.
    pub(super) names: Option<Vec<String>>,
}

impl ClassOrder {
    /// Reads a text file with one name a line.
    ///
    /// # Errors
    /// [`DataError::ClassOrder`] for a file that is not UTF-8, or has a name twice or an empty line, except at its end.
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let wrong = |found: String| DataError::ClassOrder { path: path.to_owned(), found };
        let text = String::from_utf8(read_regular(path, MAX_FILE)?).map_err(|_| wrong("no UTF-8 text".to_owned()))?;
        let names: Vec<String> =
            text.trim_start_matches('\u{feff}').trim_end().lines().map(|line| line.trim().to_owned()).collect();
        let mut labels = BTreeMap::new();
        for (label, name) in (0..).zip(&names) {
            if name.is_empty() {
                return Err(wrong(format!("no name in line {}", label + 1)));
            }
            if let Some(other) = labels.insert(name.clone(), label) {
                return Err(wrong(format!("`{name}` in lines {} and {}", other + 1, label + 1)));
            }
        }
        if names.is_empty() {
            return Err(wrong("no names".to_owned()));
        }
        Ok(Self { path: path.to_owned(), names, labels })
    }

    /// The labels of these classes of `data`.
    fn number(&self, data: &Path, names: &[String]) -> Result<Numbered, DataError> {
        let label = |name: &String| {
            self.labels.get(name).copied().ok_or_else(|| DataError::ClassOrder {
                path: self.path.clone(),
                found: format!("no line with `{name}`, which is a class of {}", data.display()),
            })
        };
        let labels = names.iter().map(label).collect::<Result<_, _>>()?;
        Ok(Numbered { labels, names: Some(self.names.clone()) })
    }

    /// Gives the classes of data that has names for its labels the labels of this order.
    ///
    /// # Errors
    /// [`DataError::ClassOrder`] for a class that is not in the order, and for data without names.
    pub(super) fn renumber(&self, mut data: Dataset) -> Result<Dataset, DataError> {
        let Some(names) = &data.class_names else {
            let found = format!("names of classes, but {} has labels without names", data.path().display());
            return Err(DataError::ClassOrder { path: self.path.clone(), found });
        };
        let numbered = self.number(data.path(), names)?;
        for label in &mut data.labels {
            let new = usize::try_from(*label).ok().and_then(|label| numbered.labels.get(label).copied());
            *label = new.ok_or_else(|| DataError::ClassOrder {
                path: self.path.clone(),
                found: format!("names of classes, but label {label} of {} has no name", data.path.display()),
            })?;
        }
        data.class_names = numbered.names;
        Ok(data)
    }
}

/// The labels of the classes with these `names`, sorted and each of them once: as the `order` says; or the names themselves, if all
/// are numbers; or their ranks. `what` has a name: a sub-folder, for example.
///
/// # Errors
/// [`DataError::Form`] for two names of one label, and [`DataError::ClassOrder`].
pub(super) fn number(
    path: &Path,
    names: &[String],
    what: &str,
    order: Option<&ClassOrder>,
) -> Result<Numbered, DataError> {
    if let Some(order) = order {
        return order.number(path, names);
    }
    let numbers: Option<Vec<u32>> = names.iter().map(|name| name.parse().ok()).collect();
    let Some(labels) = numbers else {
        return Ok(Numbered { labels: (0..).take(names.len()).collect(), names: Some(names.to_vec()) });
    };
    let mut seen = BTreeMap::new();
    for (number, name) in labels.iter().zip(names) {
        if let Some(other) = seen.insert(number, name) {
            let found = format!("the {what}s {other} and {name}, both for label {number}");
            return Err(form(path, found, &format!("one {what} of images for each class")));
        }
    }
    Ok(Numbered { labels, names: None })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use ndarray::Array4;

    fn order(text: &[u8]) -> Result<ClassOrder, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order.txt");
        fs::write(&path, text).unwrap();
        ClassOrder::read(&path)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn data(class_names: Option<&[&str]>) -> Dataset {
        let images = Array4::zeros((3, 1, 1, 1));
        Dataset::new(Path::new("data"), images, vec![0, 1, 2], class_names.map(names)).unwrap()
    }

    #[test]
    fn an_order_gives_labels() {
        let order = order("\u{feff}zebra\r\n  ant \nbee\n\n".as_bytes()).unwrap();
        let numbered = number(Path::new("data"), &names(&["ant", "zebra"]), "sub-folder", Some(&order)).unwrap();
        assert_eq!(numbered, Numbered { labels: vec![1, 0], names: Some(names(&["zebra", "ant", "bee"])) });
        let renumbered = order.renumber(data(Some(&["bee", "zebra", "ant"]))).unwrap();
        assert_eq!(renumbered.labels, [2, 0, 1]);
        assert_ne!(renumbered.sha256(), data(None).sha256(), "a run is never continued in another order");
    }

    #[test]
    fn what_is_not_in_the_order_is_named() {
        let unknown = order(b"ant\nbee").unwrap().renumber(data(Some(&["ant", "cat", "bee"]))).unwrap_err().to_string();
        assert!(unknown.contains("no line with `cat`, which is a class of data"), "{unknown}");
        let few = order(b"ant\nbee").unwrap().renumber(data(Some(&["ant", "bee"]))).unwrap_err().to_string();
        assert!(few.contains("label 2 of data has no name"), "{few}");
        let none = order(b"ant\nbee").unwrap().renumber(data(None)).unwrap_err().to_string();
        assert!(none.contains("data has labels without names"), "{none}");
    }

    #[test]
    fn files_that_are_no_order_are_refused() {
        for (text, why) in [
            (&b"ant\nbee\nant\n"[..], "`ant` in lines 1 and 3"),
            (b"ant\n\nbee\n", "no name in line 2"),
            (b"", "no names"),
            (b" \n\n", "no names"),
            (b"ant\n\xff\n", "no UTF-8 text"),
        ] {
            let error = order(text).err().unwrap().to_string();
            assert!(error.contains("order.txt") && error.contains(why), "{error}");
        }
    }
}
