//! Sets of labels on the command line.

use std::collections::BTreeSet;
use std::str::FromStr;

/// A set of labels, written as `0-4,7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelSet(pub(crate) BTreeSet<u32>);

/// Far above any class count, far below what would fill the memory.
const HIGHEST_LABEL: u32 = 99_999;

impl FromStr for LabelSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no set of labels: expected numbers and ranges, for example 0-4,7");
        let number = |part: &str| part.trim().parse::<u32>().ok().filter(|&label| label <= HIGHEST_LABEL);
        let mut labels = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = number(first).zip(number(last)).ok_or_else(wrong)?;
            if first > last {
                return Err(wrong());
            }
            labels.extend(first..=last);
        }
        Ok(Self(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_are_parsed() {
        let set = |text: &str| text.parse::<LabelSet>().map(|set| set.0.into_iter().collect::<Vec<_>>());
        assert_eq!(set("3"), Ok(vec![3]));
        assert_eq!(set("7,0-2,1"), Ok(vec![0, 1, 2, 7]));
        for bad in ["", "4-2", "-1", "a", "1,,2", "0-4294967295"] {
            assert!(set(bad).is_err(), "{bad}");
        }
    }
}
