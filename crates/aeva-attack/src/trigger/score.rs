//! How well a trigger reaches its goal.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aeva_stats::{PairTally, Tally, TargetMap};

use crate::{Label, NO_LABEL};

/// The target label for every label of the images. The answers determine an all-to-all map: each target is assigned
/// once, to the label that most of its images come from.
pub(super) fn pairs_of(goal: TargetMap, truth: &[Label], answers: &[Label]) -> Vec<(Label, Label)> {
    match goal {
        TargetMap::AllToOne { target } => {
            let mut sources: Vec<Label> = truth.iter().copied().filter(|&source| source != target).collect();
            sources.sort_unstable();
            sources.dedup();
            sources.into_iter().map(|source| (source, target)).collect()
        }
        TargetMap::SourceSpecific { source, target } => vec![(source, target)],
        TargetMap::AllToAll => {
            let mut counts: BTreeMap<(Label, Label), usize> = BTreeMap::new();
            for (&source, &answer) in
                truth.iter().zip(answers).filter(|&(source, &answer)| *source != answer && answer != NO_LABEL)
            {
                *counts.entry((source, answer)).or_default() += 1;
            }
            // Largest first, then by label, so that the map does not depend on the order of the images.
            let mut cells: Vec<((Label, Label), usize)> = counts.into_iter().collect();
            cells.sort_by_key(|&(cell, count)| (Reverse(count), cell));
            let (mut sources, mut taken, mut map) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
            for ((source, target), _) in cells {
                if !sources.contains(&source) && !taken.contains(&target) {
                    sources.insert(source);
                    taken.insert(target);
                    map.push((source, target));
                }
            }
            map.sort_unstable();
            map
        }
    }
}

/// Number of images that reach their target label.
pub(super) fn score(goal: TargetMap, truth: &[Label], answers: &[Label]) -> usize {
    if let Some(target) = goal.target() {
        return answers.iter().filter(|&&answer| answer == target).count();
    }
    let cells = tallies(&pairs_of(goal, truth, answers), truth, answers);
    cells.iter().map(|cell| cell.tally.hits() as usize).sum()
}

/// Outcomes of the images by label, given the target label of each.
pub(super) fn tallies(pairs: &[(Label, Label)], truth: &[Label], answers: &[Label]) -> Vec<PairTally> {
    let cell = |&(source, target): &(Label, Label)| {
        let own = truth.iter().zip(answers).filter(|&(&truth, _)| truth == source);
        PairTally { source, target, tally: Tally::count(own.map(|(_, &answer)| answer == target)) }
    };
    pairs.iter().map(cell).collect()
}

/// How many images keep their label, by label.
pub(super) fn kept(truth: &[Label], answers: &[Label]) -> Vec<PairTally> {
    let labels: BTreeSet<Label> = truth.iter().copied().collect();
    tallies(&labels.into_iter().map(|label| (label, label)).collect::<Vec<_>>(), truth, answers)
}

/// Outcomes of the images `(index, label)` under several triggers together, by label and answer.
pub(super) fn confusion<'a>(images: &[(usize, Label)], answers: impl Iterator<Item = &'a [Label]>) -> Vec<PairTally> {
    let mut rows: BTreeMap<Label, (usize, BTreeMap<Label, usize>)> = BTreeMap::new();
    for (&(_, truth), &answer) in answers.flat_map(|answers| images.iter().zip(answers)) {
        let (trials, row) = rows.entry(truth).or_default();
        *trials += 1;
        *row.entry(answer).or_default() += 1;
    }
    let cells = |(source, (trials, row)): (Label, (usize, BTreeMap<Label, usize>))| {
        let labelled = row.into_iter().filter(|&(answer, _)| answer != NO_LABEL);
        labelled.map(move |(target, hits)| PairTally { source, target, tally: Tally::clamped(hits, trials) })
    };
    rows.into_iter().flat_map(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_in_one_cell() {
        let cell = |source, target, hits, trials| PairTally { source, target, tally: Tally::clamped(hits, trials) };
        let images = [(10, 0), (11, 1), (12, 0)];
        let found = confusion(&images, [[0, 2, 2], [0, 1, 2]].iter().map(<[_; 3]>::as_slice));
        assert_eq!(found, [cell(0, 0, 2, 4), cell(0, 2, 2, 4), cell(1, 1, 1, 2), cell(1, 2, 1, 2)]);
    }

    #[test]
    fn an_image_that_keeps_its_label_is_counted_by_label() {
        let cell =
            |label, hits, trials| PairTally { source: label, target: label, tally: Tally::clamped(hits, trials) };
        assert_eq!(kept(&[3, 0, 3, 3], &[3, 1, 0, 3]), [cell(0, 0, 1), cell(3, 2, 3)]);
    }

    #[test]
    fn an_image_without_a_label_is_a_trial_and_no_hit() {
        let cell = |source, target, hits, trials| PairTally { source, target, tally: Tally::clamped(hits, trials) };
        let (images, answers) = ([(10, 0), (11, 1)], [[NO_LABEL, 1], [1, NO_LABEL], [NO_LABEL, NO_LABEL]]);
        let found = confusion(&images, answers.iter().map(<[_; 2]>::as_slice));
        assert_eq!(found, [cell(0, 1, 1, 3), cell(1, 1, 1, 3)]);
        let truth = [0, 0, 1, 1];
        assert_eq!(score(TargetMap::AllToAll, &truth, &[NO_LABEL, NO_LABEL, 0, NO_LABEL]), 1);
        assert_eq!(pairs_of(TargetMap::AllToAll, &truth, &[NO_LABEL; 4]), []);
        assert_eq!(kept(&[3, 3], &[3, NO_LABEL]), [cell(3, 3, 1, 2)]);
    }

    #[test]
    fn a_map_takes_each_target_once() {
        // Two images of each of three labels. An all-to-one trigger fills one cell only, a permutation all three.
        let (truth, goal) = ([0, 1, 2, 0, 1, 2], TargetMap::AllToAll);
        assert_eq!(score(goal, &truth, &[1, 1, 1, 1, 1, 1]), 2);
        assert_eq!(pairs_of(goal, &truth, &[1, 2, 0, 1, 2, 0]), [(0, 1), (1, 2), (2, 0)]);
        assert_eq!(score(goal, &truth, &[1, 2, 0, 1, 2, 2]), 5);
        assert_eq!(score(goal, &truth, &truth), 0);
        assert_eq!(score(TargetMap::AllToOne { target: 1 }, &[0, 2, 0, 2], &[1, 1, 0, 2]), 2);
    }
}
