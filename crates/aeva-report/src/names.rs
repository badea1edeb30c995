//! Names of labels.

/// The names of the labels, if they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassNames(Vec<String>);

impl ClassNames {
    /// Names in the order of the labels. Labels beyond the last one have none.
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// One name a line, in the order of the labels. Empty lines at the end do not count.
    pub fn from_lines(text: &str) -> Self {
        Self(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
    }

    /// One name a line, for [`from_lines`](Self::from_lines). Line breaks in names become spaces.
    pub fn to_lines(&self) -> String {
        self.0.iter().flat_map(|name| [name.replace(['\n', '\r'], " "), "\n".to_owned()]).collect()
    }

    /// Whether no name is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many labels have a name.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The label with its name, for example `3 (cat)`; without a name, `3`.
    pub fn of(&self, label: usize) -> String {
        match self.0.get(label).filter(|name| !name.is_empty()) {
            Some(name) if *name != label.to_string() => format!("{label} ({name})"),
            _ => label.to_string(),
        }
    }

    /// The same for several labels, with commas.
    pub fn list(&self, labels: impl IntoIterator<Item = usize>) -> String {
        labels.into_iter().map(|label| self.of(label)).collect::<Vec<String>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_keeps_its_number() {
        let names = ClassNames::from_lines("plane\n\n2\r\n cat \n\n");
        assert_eq!([0, 1, 2, 3, 9].map(|label| names.of(label)), ["0 (plane)", "1", "2", "3 (cat)", "9"]);
        assert_eq!((names.len(), names.list([3, 0])), (4, "3 (cat), 0 (plane)".to_owned()));
        assert_eq!(ClassNames::from_lines(&names.to_lines()), names);
        assert!(ClassNames::from_lines(" \n").is_empty());
    }
}
