//! Which images the search uses, and which are kept to measure its success.

use crate::{CorrectImages, Label};

/// Search images over all classes, if there are enough.
const SEARCH: usize = 60;
/// Hold-out images over all classes.
const HOLDOUT: usize = 200;
/// Search images of one class for pairs in a refining pass, if there are enough besides the hold-out images.
const PAIR_SEARCH: usize = 20;
/// Images over all classes for random triggers, which measure the baseline of pairs of labels.
const BASELINE: usize = 100;
/// Exploration images: candidates are tried on these.
const EXPLORE: usize = 20;

/// Correctly classified images, divided into those that the search uses and those that it never sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSplit {
    classes: u32,
    /// Data set index and label: the first image of every class, then the second of every class, and so on.
    search: Vec<(usize, Label)>,
    holdout: Vec<(usize, Label)>,
    /// More images of every class, from those after the hold-out images.
    reserve: Vec<(usize, Label)>,
    explore: usize,
}

impl ImageSplit {
    /// Divides the images of each class: the first ones go to the search (at most half of them), the next ones are the
    /// hold-out images.
    pub fn new(correct: &CorrectImages) -> Self {
        let classes = correct.counts().len();
        let each = |images: usize| images.div_ceil(classes.max(1)).max(1);
        let for_search = |available: usize| each(SEARCH).min(available.div_ceil(2));
        let take = |rank: usize, holdout: bool| {
            (0..classes).filter_map(move |class| {
                let images = correct.of_class(class);
                let begin = if holdout { for_search(images.len()) } else { 0 };
                let limit = if holdout { each(HOLDOUT) } else { for_search(images.len()) };
                let label = Label::try_from(class).unwrap_or(Label::MAX);
                (rank < limit).then(|| images.get(begin + rank).map(|&index| (index, label))).flatten()
            })
        };
        let search: Vec<(usize, Label)> = (0..each(SEARCH)).flat_map(|rank| take(rank, false)).collect();
        let holdout = (0..each(HOLDOUT)).flat_map(|rank| take(rank, true)).collect();
        let reserve = (0..classes).flat_map(|class| {
            let images = correct.of_class(class);
            let used = for_search(images.len()) + each(HOLDOUT);
            let label = Label::try_from(class).unwrap_or(Label::MAX);
            let more = PAIR_SEARCH.saturating_sub(for_search(images.len()));
            images.iter().skip(used).take(more).map(move |&index| (index, label))
        });
        let reserve = reserve.collect();
        let explore = EXPLORE.max(classes).min(search.len());
        Self { classes: Label::try_from(classes).unwrap_or(Label::MAX), search, holdout, reserve, explore }
    }

    /// Number of hold-out images of each class, given the number of its correct images. It is known before any image is
    /// chosen.
    pub fn holdout_of(correct: &[usize]) -> Vec<usize> {
        let each = |images: usize| images.div_ceil(correct.len().max(1)).max(1);
        let holdout = |&available: &usize| {
            let for_search = each(SEARCH).min(available.div_ceil(2));
            each(HOLDOUT).min(available - for_search)
        };
        correct.iter().map(holdout).collect()
    }

    /// Number of labels of the model.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// Search images: data set index and label.
    pub fn search(&self) -> &[(usize, Label)] {
        &self.search
    }

    /// Hold-out images: data set index and label.
    pub fn holdout(&self) -> &[(usize, Label)] {
        &self.holdout
    }

    /// More search images, for one class at a time: data set index and label.
    pub(super) fn reserve(&self) -> &[(usize, Label)] {
        &self.reserve
    }

    /// Images to measure the baseline of pairs of labels: the search images, and some of the reserve if they are few.
    pub(super) fn baseline(&self) -> Vec<(usize, Label)> {
        let each = BASELINE.div_ceil((self.classes as usize).max(1));
        let mut images = self.search.clone();
        for label in 0..self.classes {
            let searched = self.search.iter().filter(|image| image.1 == label).count();
            let reserve = self.reserve.iter().filter(|image| image.1 == label);
            images.extend(reserve.take(each.saturating_sub(searched)));
        }
        images
    }

    /// Exploration images: candidates are tried on these.
    pub(super) fn explore(&self) -> &[(usize, Label)] {
        &self.search[..self.explore]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn no_image_is_on_both_sides_and_every_class_comes_first() {
        // Class 0 has many images, class 1 three, class 2 one, class 3 none.
        let truth: Vec<Label> = [vec![0; 500], vec![1; 3], vec![2; 1]].concat();
        let split = ImageSplit::new(&CorrectImages::new(&truth, &truth, 4).unwrap());
        let indices = |side: &[(usize, Label)]| side.iter().map(|(index, _)| *index).collect::<Vec<usize>>();
        let (search, holdout) = (indices(split.search()), indices(split.holdout()));
        assert!(search.iter().all(|index| !holdout.contains(index)));
        // The search gets 15 images of class 0, then come 50 hold-out images; the last five are the reserve.
        assert_eq!(indices(split.reserve()), [65, 66, 67, 68, 69]);
        assert_eq!(split.search()[..3].iter().map(|(_, label)| *label).collect::<Vec<Label>>(), [0, 1, 2]);
        assert_eq!((search.len(), holdout.len()), (15 + 2 + 1, 50 + 1));
        assert_eq!(split.baseline(), [split.search(), split.reserve()].concat());
        assert_eq!(ImageSplit::holdout_of(&[500, 3, 1, 0]), [50, 1, 0, 0]);
    }
}
