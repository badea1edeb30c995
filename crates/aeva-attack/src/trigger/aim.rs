//! How well a trigger does what it is meant to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aeva_artifact::{Aim, Turned};

use crate::Label;

/// Whether images of this label are asked about.
pub(super) fn takes(aim: Aim, source: Label) -> bool {
    match aim {
        Aim::Label(label) => source != label,
        Aim::Pair { source: wanted, .. } => source == wanted,
        Aim::Map => true,
    }
}

/// For every label of the images, the label it turns into; a map is read off the answers, each target taken once, by the label
/// that most images turn from.
pub(super) fn targets(aim: Aim, truth: &[Label], answers: &[Label]) -> Vec<(Label, Label)> {
    match aim {
        Aim::Label(label) => {
            let mut sources: Vec<Label> = truth.iter().copied().filter(|&source| source != label).collect();
            sources.sort_unstable();
            sources.dedup();
            sources.into_iter().map(|source| (source, label)).collect()
        }
        Aim::Pair { source, target } => vec![(source, target)],
        Aim::Map => {
            let mut counts: BTreeMap<(Label, Label), usize> = BTreeMap::new();
            for (&source, &answer) in truth.iter().zip(answers).filter(|(source, answer)| source != answer) {
                *counts.entry((source, answer)).or_default() += 1;
            }
            // Largest first, then by labels, so that the map never depends on the order of the images.
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

/// Number of images that do as is meant.
pub(super) fn score(aim: Aim, truth: &[Label], answers: &[Label]) -> usize {
    match aim {
        Aim::Label(target) | Aim::Pair { target, .. } => answers.iter().filter(|&&answer| answer == target).count(),
        Aim::Map => turned(&targets(aim, truth, answers), truth, answers).iter().map(|cell| cell.turned as usize).sum(),
    }
}

/// What became of the images, given where each label is meant to turn.
pub(super) fn turned(targets: &[(Label, Label)], truth: &[Label], answers: &[Label]) -> Vec<Turned> {
    let cell = |&(source, target): &(Label, Label)| {
        let mut cell = Turned { source, target, turned: 0, asked: 0 };
        for (_, answer) in truth.iter().zip(answers).filter(|&(&truth, _)| truth == source) {
            cell.asked += 1;
            cell.turned += u32::from(*answer == target);
        }
        cell
    };
    targets.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_takes_each_target_once() {
        // Two images each of three labels. A universal trigger fills one cell only, a permutation all three.
        let truth = [0, 1, 2, 0, 1, 2];
        assert_eq!(score(Aim::Map, &truth, &[1, 1, 1, 1, 1, 1]), 2);
        assert_eq!(targets(Aim::Map, &truth, &[1, 2, 0, 1, 2, 0]), [(0, 1), (1, 2), (2, 0)]);
        assert_eq!(score(Aim::Map, &truth, &[1, 2, 0, 1, 2, 2]), 5);
        assert_eq!(score(Aim::Map, &truth, &truth), 0);
        assert_eq!(score(Aim::Label(1), &[0, 2, 0, 2], &[1, 1, 0, 2]), 2);
    }
}
