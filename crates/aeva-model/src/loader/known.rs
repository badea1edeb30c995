//! What a service answered at the start of an earlier run of the same scan, so that it is not paid for again.

use std::collections::BTreeMap;

use aeva_attack::Label;
use sha2::{Digest, Sha256};

/// Of so many known answers one is asked for again, to see whether it is still the same model.
const CHECKED: u32 = 16;
/// Numbers of an entry: four of the key, and the label.
const ENTRY: usize = 5;

/// The first bytes of the SHA-256 of what is sent for an image.
type Key = [u32; 4];

/// Labels of images by what was sent for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownAnswers(BTreeMap<Key, Label>);

impl KnownAnswers {
    /// The key of an image: the values as the service takes them, and how often it is asked about them.
    pub(super) fn key(values: &[f32], asks: usize) -> Key {
        let mut digest = Sha256::new();
        digest.update((asks as u64).to_le_bytes());
        for value in values {
            digest.update(value.to_le_bytes());
        }
        let digest = digest.finalize();
        std::array::from_fn(|place| u32::from_le_bytes(std::array::from_fn(|i| digest[4 * place + i])))
    }

    /// Whether a known answer is asked for again.
    pub(super) fn is_checked(key: Key) -> bool {
        key[0].is_multiple_of(CHECKED)
    }

    pub(super) fn get(&self, key: Key) -> Option<Label> {
        self.0.get(&key).copied()
    }

    /// Adds an answer. The first to the same image stays.
    pub(super) fn add(&mut self, key: Key, label: Label) {
        self.0.entry(key).or_insert(label);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them as numbers.
    pub fn to_numbers(&self) -> Vec<u32> {
        self.0.iter().flat_map(|(key, &label)| key.iter().copied().chain([label])).collect()
    }

    /// Those of [`to_numbers`](Self::to_numbers).
    pub fn from_numbers(numbers: &[u32]) -> Self {
        let entries = numbers.as_chunks::<ENTRY>().0.iter();
        Self(entries.map(|&[a, b, c, d, label]| ([a, b, c, d], label)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_known_by_what_was_sent() {
        let mut known = KnownAnswers::default();
        let images: Vec<[f32; 2]> = (0..1000_u16).map(|number| [f32::from(number), 0.5]).collect();
        for (label, image) in (0..).zip(&images) {
            known.add(KnownAnswers::key(image, 1), label);
            known.add(KnownAnswers::key(image, 1), 7);
        }
        let again = KnownAnswers::from_numbers(&known.to_numbers());
        assert_eq!(again, known);
        assert_eq!(again.get(KnownAnswers::key(&images[5], 1)), Some(5));
        assert_eq!(again.get(KnownAnswers::key(&images[5], 3)), None, "another way to ask");
        let checked = images.iter().filter(|image| KnownAnswers::is_checked(KnownAnswers::key(*image, 1))).count();
        assert!((30..100).contains(&checked), "{checked}");
        assert!(KnownAnswers::from_numbers(&[1, 2, 3]).is_empty());
    }
}
