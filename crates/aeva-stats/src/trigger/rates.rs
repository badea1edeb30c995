//! How often triggers lead to the label that they reach most.

use super::attraction::attracted;
use super::limits::IMAGES_NEEDED;
use super::pass::{GoalTally, PassTally};
use crate::Tally;

/// The highest attack success rate of any label in a pass, `hits / trials` of its best trigger on hold-out images.
///
/// Labels with fewer than 20 trials take no part. It says nothing of the strength that the trigger needs: the strongest
/// triggers send most images of a clean model to some label, too.
pub(super) fn highest_success_rate(passes: &[PassTally]) -> Option<f64> {
    let tested = passes.iter().filter(|pass| !pass.family.spec().is_baseline);
    highest_rate(tested.flat_map(|pass| pass.labels.iter().map(GoalTally::pooled)))
}

/// The highest rate at which images of all other labels become a label under the random triggers of the baseline: how
/// much a label attracts whatever covers a part of an image.
///
/// The trials are images times triggers, and labels with fewer than 20 of them take no part. A backdoor that anything
/// in the right place opens raises this rate, so that a high one does not excuse a label.
pub(super) fn highest_baseline_rate(passes: &[PassTally]) -> Option<f64> {
    let baselines = passes.iter().filter(|pass| pass.family.spec().is_baseline);
    highest_rate(baselines.flat_map(attractions))
}

/// The images of all other labels that became each label, under all random triggers of a pass together.
fn attractions(pass: &PassTally) -> Vec<Tally> {
    let mut labels: Vec<u32> = pass.confusion.iter().flat_map(|cell| [cell.source, cell.target]).collect();
    labels.sort_unstable();
    labels.dedup();
    labels.into_iter().map(|label| attracted(pass, label as usize)).collect()
}

fn highest_rate(tallies: impl Iterator<Item = Tally>) -> Option<f64> {
    let enough = tallies.filter(|tally| tally.trials() >= IMAGES_NEEDED);
    enough.map(Tally::rate).max_by(f64::total_cmp)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::{Family, PairTally};
    use proptest::prelude::*;

    fn tally(hits: u32, trials: u32) -> Tally {
        Tally::new(hits, trials).unwrap()
    }

    fn pass(family: Family, labels: Vec<Tally>, confusion: &[(u32, u32, u32)]) -> PassTally {
        let cell = |&(source, target, hits)| PairTally { source, target, tally: tally(hits, 50) };
        let confusion = confusion.iter().map(cell).collect();
        let labels = labels.into_iter().map(GoalTally::from).collect();
        PassTally {
            family,
            strength: 3.0,
            labels,
            pairs: Vec::new(),
            confusion,
            map: GoalTally::default(),
            effects: Vec::new(),
        }
    }

    #[test]
    fn the_highest_success_rate_is_that_of_any_label_in_any_pass() {
        let rate = |passes: &[PassTally]| highest_success_rate(passes);
        let patches = pass(Family::Patch, vec![tally(20, 80), tally(19, 19), tally(0, 80)], &[]);
        assert_eq!(rate(std::slice::from_ref(&patches)), Some(0.25), "19 images are too few");
        let squares = pass(Family::Square, vec![tally(80, 80)], &[]);
        assert_eq!(rate(std::slice::from_ref(&squares)), None, "the baseline is not tested");
        let waves = pass(Family::Wave, vec![tally(0, 80), tally(60, 80)], &[]);
        assert_eq!(rate(&[patches, squares, waves]), Some(0.75));
    }

    #[test]
    fn the_highest_baseline_rate_is_that_of_the_label_that_squares_lead_to() {
        let rate = |passes: &[PassTally]| highest_baseline_rate(passes);
        // Label 2 gets 5 and 15 of the 100 images of labels 0 and 1, and label 0 gets 10 of those of labels 1 and 2.
        let cells = [(0, 0, 45), (0, 2, 5), (1, 1, 25), (1, 2, 15), (1, 0, 10), (2, 2, 50)];
        let squares = pass(Family::Square, Vec::new(), &cells);
        assert_eq!(rate(std::slice::from_ref(&squares)), Some(0.2));
        assert_eq!(rate(&[PassTally { family: Family::Noise, ..squares.clone() }]), None, "noise is no baseline");
        let still = pass(Family::Square, Vec::new(), &[(0, 0, 50), (1, 1, 50)]);
        assert_eq!(rate(std::slice::from_ref(&still)), Some(0.0));
        let of_one_label = pass(Family::Square, Vec::new(), &[(0, 0, 50)]);
        assert_eq!(rate(&[of_one_label]), None, "no images of other labels");
        assert_eq!(rate(&[still, squares]), Some(0.2));
    }

    proptest! {
        #[test]
        fn every_rate_is_one_whatever_the_labels_are_called(
            cells in prop::collection::vec((0_u32..6, 0_u32..6, 0_u32..=50), 0..20),
            labels in prop::collection::vec((0_u32..=50).prop_map(|hits| tally(hits, 50)), 0..6),
            by in 0_u32..6,
        ) {
            let renamed: Vec<(u32, u32, u32)> = cells.iter().map(|&(a, b, n)| ((a + by) % 6, (b + by) % 6, n)).collect();
            let rates = |cells: &[(u32, u32, u32)]| {
                let passes = [Family::Square, Family::Patch].map(|family| pass(family, labels.clone(), cells));
                [highest_success_rate(&passes), highest_baseline_rate(&passes)]
            };
            prop_assert_eq!(rates(&cells), rates(&renamed));
            prop_assert!(rates(&cells).into_iter().flatten().all(|rate| (0.0..=1.0).contains(&rate)));
        }
    }
}
