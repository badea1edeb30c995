//! Which images the search looks at, and which it keeps for the proof.

use super::search::{CANDIDATES, CLIMBED_LABELS};
use crate::{CorrectImages, Label};

/// Images to search with over all classes, if there are enough.
const SEARCH: usize = 60;
/// Images to prove with over all classes.
const HELD_OUT: usize = 200;
/// Images of one class to search pairs with at the second look, if there are enough that are not held out.
const PAIR_SEARCH: usize = 20;
/// Images over all classes that are asked about to tell what is natural for pairs of labels.
const WIDE: usize = 100;
/// Changes a climb takes as a rule, in whole sets of images.
const EXPECTED_CHANGES: usize = 35;
/// Images of the first look at a candidate.
const EXPLORE: usize = 20;

/// Correctly classified images, divided into those that the search sees and those that it never does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    classes: u32,
    /// Index in the data set and label; the first of every class, then the second of every class, and so on.
    search: Vec<(usize, Label)>,
    held_out: Vec<(usize, Label)>,
    /// Of the images behind those held out, some more of every class.
    spare: Vec<(usize, Label)>,
    explore: usize,
}

impl Panel {
    /// Divides the images of each class: the first go to the search, at most half of them, the next are held out.
    pub fn new(correct: &CorrectImages) -> Self {
        let classes = correct.counts().len();
        let each = |images: usize| images.div_ceil(classes.max(1)).max(1);
        let for_search = |available: usize| each(SEARCH).min(available.div_ceil(2));
        let take = |rank: usize, held_out: bool| {
            (0..classes).filter_map(move |class| {
                let images = correct.of_class(class);
                let begin = if held_out { for_search(images.len()) } else { 0 };
                let limit = if held_out { each(HELD_OUT) } else { for_search(images.len()) };
                let label = Label::try_from(class).unwrap_or(Label::MAX);
                (rank < limit).then(|| images.get(begin + rank).map(|&index| (index, label))).flatten()
            })
        };
        let search: Vec<(usize, Label)> = (0..each(SEARCH)).flat_map(|rank| take(rank, false)).collect();
        let held_out = (0..each(HELD_OUT)).flat_map(|rank| take(rank, true)).collect();
        let spare = (0..classes).flat_map(|class| {
            let images = correct.of_class(class);
            let used = for_search(images.len()) + each(HELD_OUT);
            let label = Label::try_from(class).unwrap_or(Label::MAX);
            let more = PAIR_SEARCH.saturating_sub(for_search(images.len()));
            images.iter().skip(used).take(more).map(move |&index| (index, label))
        });
        let spare = spare.collect();
        let explore = EXPLORE.max(classes).min(search.len());
        Self { classes: Label::try_from(classes).unwrap_or(Label::MAX), search, held_out, spare, explore }
    }

    /// How many images of each class are held out, by how many are correct; known before any image is chosen.
    pub fn held_out_of(correct: &[usize]) -> Vec<usize> {
        let each = |images: usize| images.div_ceil(correct.len().max(1)).max(1);
        let held_out = |&available: &usize| {
            let for_search = each(SEARCH).min(available.div_ceil(2));
            each(HELD_OUT).min(available - for_search)
        };
        correct.iter().map(held_out).collect()
    }

    /// Number of labels of the model.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// Images of the search: index in the data set and label.
    pub fn search(&self) -> &[(usize, Label)] {
        &self.search
    }

    /// Images that are held out: index in the data set and label.
    pub fn held_out(&self) -> &[(usize, Label)] {
        &self.held_out
    }

    /// More images to search with, for one class at a time: index in the data set and label.
    pub(super) fn spare(&self) -> &[(usize, Label)] {
        &self.spare
    }

    /// Images that tell what is natural for pairs of labels: those of the search, and spare ones where these are few.
    pub(super) fn wide(&self) -> Vec<(usize, Label)> {
        let each = WIDE.div_ceil((self.classes as usize).max(1));
        let mut wide = self.search.clone();
        for label in 0..self.classes {
            let searched = self.search.iter().filter(|image| image.1 == label).count();
            let spare = self.spare.iter().filter(|image| image.1 == label);
            wide.extend(spare.take(each.saturating_sub(searched)));
        }
        wide
    }

    /// About how many images a whole search of one level classifies; it may take a third less or more.
    pub fn expected_queries(&self) -> u64 {
        let climbed = (self.classes as usize).min(CLIMBED_LABELS) + 1;
        (CANDIDATES as usize * self.explore
            + EXPECTED_CHANGES * climbed * self.search.len()
            + (self.classes as usize + 1) * self.held_out.len()) as u64
    }

    /// Images of the first look at a candidate.
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
        let panel = Panel::new(&CorrectImages::new(&truth, &truth, 4).unwrap());
        let indices = |side: &[(usize, Label)]| side.iter().map(|(index, _)| *index).collect::<Vec<usize>>();
        let (search, held_out) = (indices(panel.search()), indices(panel.held_out()));
        assert!(search.iter().all(|index| !held_out.contains(index)));
        // 15 of class 0 are searched with, 50 held out; the five behind them serve pairs besides.
        assert_eq!(indices(panel.spare()), [65, 66, 67, 68, 69]);
        assert_eq!(panel.search()[..3].iter().map(|(_, label)| *label).collect::<Vec<Label>>(), [0, 1, 2]);
        assert_eq!((search.len(), held_out.len()), (15 + 2 + 1, 50 + 1));
        assert_eq!(panel.wide(), [panel.search(), panel.spare()].concat());
        assert_eq!(Panel::held_out_of(&[500, 3, 1, 0]), [50, 1, 0, 0]);
    }
}
