//! Which images the search uses, and which are kept to measure its success.

use super::stream::RandomStream;
use crate::{CorrectImages, Label};

/// Search images over all classes, if there are enough.
const SEARCH: usize = 60;
/// Hold-out images over all classes.
const HOLDOUT: usize = 200;
/// Search images of one class for pairs in a refining pass, if there are enough besides the hold-out images.
const PAIR_SEARCH: usize = 20;
/// Hold-out images of one class for pairs, if there are enough besides all others. A pair has only these, and stands out
/// by little.
const PAIR_HOLDOUT: usize = 40;
/// Purpose of the random streams that draw the images; triggers have smaller ones.
const DRAW: u32 = u32::MAX;
/// Images over all classes for random triggers, which measure the baseline of pairs of labels.
const BASELINE: usize = 100;
/// Exploration images: candidates are tried on these.
const EXPLORE: usize = 20;
/// Search images at most, over all classes: of a thousand classes, not every one is needed.
const MOST_SEARCH: usize = 100;

/// Correctly classified images, divided into those that the search uses and those that it never sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSplit {
    classes: u32,
    /// Data set index and label: the first image of every class, then the second of every class, and so on.
    search: Vec<(usize, Label)>,
    holdout: Vec<(usize, Label)>,
    /// More hold-out images of every class, for pairs.
    pair_holdout: Vec<(usize, Label)>,
    /// More search images of every class, for pairs.
    reserve: Vec<(usize, Label)>,
    explore: usize,
}

impl ImageSplit {
    /// Divides the images of each class, in an order drawn by `seed`. The search gets the first ones, at most half of
    /// them. The next ones are the hold-out images, then come more hold-out images for pairs and more search images for
    /// pairs, if the class has that many.
    pub fn new(correct: &CorrectImages, seed: u64) -> Self {
        let classes = correct.counts().len();
        let own: Vec<Parts> = (0..classes).map(|class| Parts::of(correct.of_class(class).len(), classes)).collect();
        let drawn: Vec<Vec<(usize, Label)>> = (0..classes)
            .map(|class| {
                let label = Label::try_from(class).unwrap_or(Label::MAX);
                shuffled(correct.of_class(class), seed, label).into_iter().map(|index| (index, label)).collect()
            })
            .collect();
        // The first image of every class, then the second of every class, and so on.
        let in_turn = |begin: fn(&Parts) -> usize, count: fn(&Parts) -> usize| -> Vec<(usize, Label)> {
            let most = own.iter().map(count).max().unwrap_or(0);
            let of_rank = |rank: usize| {
                let here = own.iter().zip(&drawn).filter(move |(parts, _)| rank < count(parts));
                here.filter_map(move |(parts, images)| images.get(begin(parts) + rank).copied())
            };
            (0..most).flat_map(of_rank).collect()
        };
        let by_class = |begin: fn(&Parts) -> usize, count: fn(&Parts) -> usize| -> Vec<(usize, Label)> {
            let here = own.iter().zip(&drawn);
            here.flat_map(|(parts, images)| images.iter().skip(begin(parts)).take(count(parts)).copied()).collect()
        };
        let mut search = in_turn(|_| 0, |parts| parts.search);
        if classes > MOST_SEARCH {
            shuffle(&mut search, &mut RandomStream::new(seed, DRAW, Label::MAX));
            search.truncate(MOST_SEARCH);
        }
        let holdout = in_turn(|parts| parts.search, |parts| parts.holdout);
        let pair_holdout = by_class(|parts| parts.search + parts.holdout, |parts| parts.pair_holdout);
        let reserve = by_class(|parts| parts.search + parts.holdout + parts.pair_holdout, |parts| parts.reserve);
        let explore = EXPLORE.max(classes).min(search.len());
        let classes = Label::try_from(classes).unwrap_or(Label::MAX);
        Self { classes, search, holdout, pair_holdout, reserve, explore }
    }

    /// Number of hold-out images of each class, given the number of its correct images. It is known before any image is
    /// chosen.
    pub fn holdout_of(correct: &[usize]) -> Vec<usize> {
        correct.iter().map(|&available| Parts::of(available, correct.len()).holdout).collect()
    }

    /// The same for pairs of labels: number of hold-out images of each class that a pair from this class is measured on.
    pub fn pair_holdout_of(correct: &[usize]) -> Vec<usize> {
        let parts = correct.iter().map(|&available| Parts::of(available, correct.len()));
        parts.map(|parts| parts.holdout + parts.pair_holdout).collect()
    }

    /// Number of labels of the model.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// All images of either side: data set index and label.
    pub(super) fn images(&self) -> impl Iterator<Item = (usize, Label)> {
        [&self.search, &self.holdout, &self.pair_holdout, &self.reserve].into_iter().flatten().copied()
    }

    /// Search images: data set index and label.
    pub fn search(&self) -> &[(usize, Label)] {
        &self.search
    }

    /// Hold-out images: data set index and label.
    pub fn holdout(&self) -> &[(usize, Label)] {
        &self.holdout
    }

    /// More hold-out images, for one class at a time: data set index and label.
    pub(super) fn pair_holdout(&self) -> &[(usize, Label)] {
        &self.pair_holdout
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

    /// How many of the exploration images a candidate is tried on first: half of them if these are of all classes, else all.
    pub(super) fn first_look(&self) -> usize {
        let half = self.explore / 2;
        if half >= self.classes as usize { half } else { self.explore }
    }
}

/// How many images of one class each side gets.
#[derive(Debug, Clone, Copy)]
struct Parts {
    search: usize,
    holdout: usize,
    pair_holdout: usize,
    reserve: usize,
}

impl Parts {
    fn of(available: usize, classes: usize) -> Self {
        let each = |images: usize| images.div_ceil(classes.max(1)).max(1);
        let search = each(SEARCH).min(available.div_ceil(2));
        let holdout = each(HOLDOUT).min(available - search);
        let left = available - search - holdout;
        // Half of what is left, so that a pair can be searched as well as measured.
        let pair_holdout = PAIR_HOLDOUT.saturating_sub(holdout).min(left.div_ceil(2));
        let reserve = PAIR_SEARCH.saturating_sub(search).min(left - pair_holdout);
        Self { search, holdout, pair_holdout, reserve }
    }
}

/// The images of a class in an order drawn by the seed. Neighbours in a data set are often alike, such
/// as frames of one video, and would put copies on both sides; and nobody who knows the data set knows which images a
/// scan uses.
fn shuffled(images: &[usize], seed: u64, label: Label) -> Vec<usize> {
    let mut images = images.to_vec();
    shuffle(&mut images, &mut RandomStream::new(seed, DRAW, label));
    images
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], stream: &mut RandomStream) {
    for last in (1..items.len()).rev() {
        items.swap(last, stream.below(last + 1));
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
        let split = ImageSplit::new(&CorrectImages::new(&truth, &truth, 4).unwrap(), 7);
        let sides = [split.search(), split.holdout(), split.pair_holdout(), split.reserve()];
        let mut used: Vec<usize> = sides.iter().flat_map(|side| side.iter().map(|(index, _)| *index)).collect();
        let count = used.len();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), count, "an image is on two sides");
        // The search gets 15 images of class 0, then come 50 hold-out images; five more are the reserve.
        assert_eq!(sides.map(<[_]>::len), [15 + 2 + 1, 50 + 1, 0, 5]);
        assert_eq!(split.search()[..3].iter().map(|(_, label)| *label).collect::<Vec<Label>>(), [0, 1, 2]);
        assert!(sides.iter().all(|side| side.iter().all(|&(index, label)| truth[index] == label)));
        assert_eq!(split.baseline(), [split.search(), split.reserve()].concat());
        assert_eq!(ImageSplit::holdout_of(&[500, 3, 1, 0]), [50, 1, 0, 0]);
    }

    #[test]
    fn pairs_of_many_classes_have_hold_out_images_of_their_own() {
        // 43 classes of 28 images: 2 to search, 5 to measure, and of the other 21 more than half to measure pairs.
        let truth: Vec<Label> = (0..43 * 28).map(|index| index % 43).collect();
        let split = ImageSplit::new(&CorrectImages::new(&truth, &truth, 43).unwrap(), 0);
        let of_class = |side: &[(usize, Label)]| side.iter().filter(|(_, label)| *label == 9).count();
        let sides = [split.search(), split.holdout(), split.pair_holdout(), split.reserve()];
        assert_eq!(sides.map(of_class), [2, 5, 11, 10]);
        assert_eq!((split.explore().len(), split.first_look()), (43, 43), "half of them would be half of the classes");
        assert_eq!(
            (ImageSplit::pair_holdout_of(&[28; 43]), ImageSplit::holdout_of(&[28; 43])),
            (vec![16; 43], vec![5; 43])
        );
    }

    #[test]
    fn the_seed_draws_the_images() {
        let truth: Vec<Label> = (0..1000).map(|index| index % 10).collect();
        let correct = CorrectImages::new(&truth, &truth, 10).unwrap();
        let [one, same, other] = [1, 1, 2].map(|seed| ImageSplit::new(&correct, seed));
        assert_eq!(one, same);
        let mut first: Vec<Label> = one.explore()[..one.first_look()].iter().map(|&(_, label)| label).collect();
        first.sort_unstable();
        assert_eq!((one.explore().len(), first), (20, (0..10).collect()), "one of every class");
        let shared = one.search().iter().filter(|image| other.search().contains(image)).count();
        assert!(shared < 20, "{shared} of 60 images are the same for another seed");
    }
}
