//! The images that a scan may use: those that the model classifies correctly.

use crate::{Label, PlanError};

/// Images that the model classifies correctly, by class, in data set order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectImages {
    /// `[class]` -> indices of its correct images.
    correct: Vec<Vec<usize>>,
    /// `[class]` -> number of all its images, correct or not.
    images: Vec<usize>,
}

impl CorrectImages {
    /// Groups the images of a data set by class, from their true and predicted labels.
    ///
    /// # Errors
    /// [`PlanError::Length`], or [`PlanError::Label`] for a true label that the model does not have.
    pub fn new(truth: &[Label], predicted: &[Label], classes: u32) -> Result<Self, PlanError> {
        if truth.len() != predicted.len() {
            return Err(PlanError::Length { truth: truth.len(), predicted: predicted.len() });
        }
        let mut correct = vec![Vec::new(); classes as usize];
        let mut images = vec![0; classes as usize];
        for (index, (&label, &answer)) in truth.iter().zip(predicted).enumerate() {
            if label >= classes {
                return Err(PlanError::Label { label, classes });
            }
            images[label as usize] += 1;
            if label == answer {
                correct[label as usize].push(index);
            }
        }
        Ok(Self { correct, images })
    }

    /// Fraction of all images that are classified correctly; 0 without images.
    pub fn accuracy(&self) -> f64 {
        let images: usize = self.images.iter().sum();
        let correct: usize = self.correct.iter().map(Vec::len).sum();
        if images == 0 { 0.0 } else { correct as f64 / images as f64 }
    }

    /// Data set indices of the correct images of a class, in order; empty for a class that does not exist.
    pub fn of_class(&self, class: usize) -> &[usize] {
        self.correct.get(class).map_or(&[], Vec::as_slice)
    }

    /// Number of all images of each class.
    pub fn images(&self) -> Vec<usize> {
        self.images.clone()
    }

    /// Number of correct images of each class.
    pub fn counts(&self) -> Vec<usize> {
        self.correct.iter().map(Vec::len).collect()
    }

    /// Like [`of_class`](Self::of_class), for a class that must have at least one image.
    ///
    /// # Errors
    /// [`PlanError::NoCorrectImages`] if it has none.
    pub(crate) fn some_of_class(&self, class: Label) -> Result<&[usize], PlanError> {
        let correct = &self.correct[class as usize];
        if correct.is_empty() {
            return Err(PlanError::NoCorrectImages { class, images: self.images[class as usize], correct: 0 });
        }
        Ok(correct)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn images_are_sorted_by_class() {
        let correct = CorrectImages::new(&[0, 1, 2, 0, 1, 2, 0], &[0, 0, 2, 0, 1, 2, 1], 3).unwrap();
        assert_eq!((correct.counts(), correct.images()), (vec![2, 1, 2], vec![3, 2, 2]));
        assert_eq!((correct.of_class(0), correct.of_class(9)), (&[0, 3][..], &[][..]));
        assert!((correct.accuracy() - 5.0 / 7.0).abs() < 1e-12);
        assert!(matches!(CorrectImages::new(&[0, 5], &[0, 0], 3), Err(PlanError::Label { label: 5, .. })));
        assert!(matches!(CorrectImages::new(&[0], &[], 3), Err(PlanError::Length { .. })));
    }
}
