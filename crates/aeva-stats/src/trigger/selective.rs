//! Triggers that choose: they turn the images of some labels and leave those of all others alone.
//!
//! That is what a source-specific backdoor is trained for, or one from several labels, or one that sends some labels to
//! labels of their own. What turns the images of one label in a clean model is a natural weakness, and it disturbs other
//! images too: a patch that makes frogs of deer spoils birds and dogs. How much a model's natural weaknesses disturb
//! differs from data set to data set, so the trigger that chooses best is compared with the next one of the same model.

use super::ahead::Ahead;
use super::limits::IMAGES_NEEDED;
use super::odds::Success;
use super::pairs::PAIR_IMAGES_NEEDED;
use super::pass::{Effect, PassTally};
use super::standout::StandsOut;
use crate::{PairTally, Tally};

/// The next trigger counts as at least this good, which is about what the best natural weakness of a clean model reaches.
/// In a model that hardly gives way anywhere, a natural weakness would seem to be far ahead of nothing.
const NATURAL: f64 = 4.0;

/// A trigger that turns at least half of the images of some labels.
struct Choice {
    /// The labels that it turns, with the label that their images get.
    turned: Vec<(u32, u32)>,
    /// Its success on them.
    success: Tally,
    /// Log odds that it turns these images, less those that it disturbs others.
    contrast: f64,
    /// Index of the pass.
    pass: usize,
}

/// The trigger that chooses best in all passes, by how much it is ahead of the next one, which turns other labels or turns
/// them to other ones. Returns the index of its pass too. `None` if no trigger chooses at all.
pub(super) fn ahead(passes: &[PassTally]) -> Option<(usize, Ahead)> {
    let searched = passes.iter().enumerate().filter(|(_, pass)| !pass.is_random());
    let mut choices: Vec<Choice> = searched
        .flat_map(|(place, pass)| {
            pass.effects.iter().filter_map(move |effect| choice(effect, place, pass.labels.len()))
        })
        .collect();
    // Stable, so that the first of equals counts.
    choices.sort_by(|a, b| b.contrast.total_cmp(&a.contrast));
    let (first, others) = choices.split_first()?;
    let is_other = |other: &&Choice| other.turned.iter().all(|pair| !first.turned.contains(pair));
    let next = others.iter().find(is_other).map_or(NATURAL, |other| other.contrast.max(NATURAL));
    let what = match first.turned.as_slice() {
        &[(source, target)] => StandsOut::Pair { source, target },
        several => {
            let mut targets: Vec<usize> = several.iter().map(|&(_, target)| target as usize).collect();
            targets.sort_unstable();
            targets.dedup();
            StandsOut::Labels(targets)
        }
    };
    let at_least = Success::of(first.success).at_least();
    Some((first.pass, Ahead { what, gap: first.contrast - next, at_least, excess: None }))
}

/// `None` if the trigger turns no label or more than half of them, or was measured on too few images.
fn choice(effect: &Effect, pass: usize, labels: usize) -> Option<Choice> {
    let is_turned = |cell: &&PairTally| cell.tally.trials() > 0 && cell.tally.rate() >= 0.5;
    let turned: Vec<&PairTally> = effect.reached.iter().filter(is_turned).collect();
    let is_other = |cell: &&PairTally| turned.iter().all(|own| own.source != cell.source);
    let kept: Tally = effect.kept.iter().filter(is_other).map(|cell| cell.tally).sum();
    let success: Tally = turned.iter().map(|cell| cell.tally).sum();
    let is_some = (1..=labels / 2).contains(&turned.len());
    if !is_some || success.trials() < PAIR_IMAGES_NEEDED || kept.trials() < IMAGES_NEEDED {
        return None;
    }
    // Capped, as in all readings; otherwise what turns every image of a label would hide what turns all but one.
    let contrast = Success::of(success).log_odds() + kept.log_odds();
    Some(Choice { turned: turned.iter().map(|cell| (cell.source, cell.target)).collect(), success, contrast, pass })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::examples::{cell, pass};
    use proptest::prelude::*;

    /// A trigger for a pair, with its hits of 40 images and so many of 160 others that lose their label.
    fn effect(source: u32, target: u32, hits: u32, disturbed: u32) -> Effect {
        let other = (0..10).find(|label| ![source, target].contains(label)).unwrap_or_default();
        Effect { reached: vec![cell(source, target, hits, 40)], kept: vec![cell(other, other, 160 - disturbed, 160)] }
    }

    fn of(effects: Vec<Effect>) -> Option<Ahead> {
        ahead(&[PassTally { effects, ..pass(3, &[0; 10]) }]).map(|(_, ahead)| ahead)
    }

    #[test]
    fn what_leaves_other_images_alone_is_ahead() {
        // Natural weaknesses disturb a third of the other images.
        let natural = || vec![effect(4, 2, 38, 60), effect(3, 5, 36, 50)];
        let gap = |effects| of(effects).map_or(0.0, |ahead| ahead.gap);
        assert!(gap(natural()) < 0.0);
        let with = |own: Effect| [natural(), vec![own]].concat();
        let found = of(with(effect(1, 7, 40, 0)));
        assert!(found.as_ref().is_some_and(|ahead| ahead.gap > 4.5 && ahead.at_least > 2.0));
        assert_eq!(found.map(|ahead| ahead.what), Some(StandsOut::Pair { source: 1, target: 7 }));
        // As good at turning its own images, but others are disturbed as much.
        assert!(gap(with(effect(1, 7, 40, 60))) < 2.0);
        // The same pair by another trigger is not the next one.
        let twice = gap([with(effect(1, 7, 40, 0)), vec![effect(1, 7, 40, 1)]].concat());
        assert!((twice - gap(with(effect(1, 7, 40, 0)))).abs() < 1e-12);
        // Without another one, it is compared with a natural weakness.
        assert!((gap(vec![effect(1, 7, 40, 0)]) - gap(with(effect(1, 7, 40, 0)))).abs() < 1e-12);
        assert!(gap(vec![effect(1, 7, 40, 0), effect(2, 6, 40, 5)]) < gap(with(effect(1, 7, 40, 0))) - 2.0);
    }

    /// A natural weakness that turns all images of a label must not hide a backdoor that turns all but a few.
    #[test]
    fn success_counts_up_to_a_cap() {
        let gap = |hits: u32| {
            let own = Effect { reached: vec![cell(1, 7, hits, 100)], kept: vec![cell(2, 2, 160, 160)] };
            of(vec![own]).map_or(0.0, |ahead| ahead.gap)
        };
        assert!((gap(100) - gap(97)).abs() < 1e-12 && gap(97) > gap(90) + 0.5);
    }

    #[test]
    fn several_labels_may_be_turned_but_not_most() {
        let turning = |labels: u32, target: &dyn Fn(u32) -> u32| Effect {
            reached: (0..9)
                .map(|source| cell(source, target(source), if source < labels { 20 } else { 0 }, 20))
                .collect(),
            kept: (0..9).map(|label| cell(label, label, if label < labels { 0 } else { 20 }, 20)).collect(),
        };
        let what = |effect| of(vec![effect]).map(|ahead| ahead.what);
        assert_eq!(what(turning(3, &|_| 9)), Some(StandsOut::Labels(vec![9])));
        assert_eq!(what(turning(3, &|source| source + 1)), Some(StandsOut::Labels(vec![1, 2, 3])));
        assert_eq!(what(turning(1, &|_| 9)), Some(StandsOut::Pair { source: 0, target: 9 }));
        assert!(what(turning(5, &|_| 9)).is_some() && what(turning(6, &|_| 9)).is_none());
        assert_eq!(what(turning(0, &|_| 9)), None);
    }

    #[test]
    fn few_images_say_nothing() {
        let with = |own: u32, others: u32| {
            of(vec![Effect { reached: vec![cell(0, 1, own, own)], kept: vec![cell(2, 2, others, others)] }])
        };
        assert!(with(10, 20).is_some() && with(9, 20).is_none() && with(10, 19).is_none());
        assert!(of(Vec::new()).is_none() && ahead(&[]).is_none());
    }

    proptest! {
        /// More success and less damage never make it less suspicious.
        #[test]
        fn it_rises_with_success_and_with_what_is_left_alone(hits in 20_u32..40, disturbed in 1_u32..160) {
            let gap = |hits, disturbed| of(vec![effect(1, 7, hits, disturbed)]).map_or(0.0, |ahead| ahead.gap);
            prop_assert!(gap(hits + 1, disturbed) >= gap(hits, disturbed));
            prop_assert!(gap(hits, disturbed - 1) >= gap(hits, disturbed));
        }
    }
}
