//! What a trigger is meant to do, and how well it does it.

use crate::Label;

/// What a trigger is meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aim {
    /// To turn images of all other labels into one.
    Label(Label),
    /// To turn the images of every label into a label of its own, as an all-to-all backdoor does.
    Map,
}

/// What became of the images of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned {
    /// Label of the images.
    pub source: Label,
    /// Label that they are meant to turn into.
    pub target: Label,
    /// Images that did.
    pub turned: u32,
    /// Images that were asked about.
    pub asked: u32,
}

impl Aim {
    /// Whether images of this label are asked about.
    pub(super) fn takes(self, source: Label) -> bool {
        self != Self::Label(source)
    }

    /// For every label of the images, the label it turns into; a map is read off the answers, each target taken once, by the label
    /// that most images turn from.
    pub(super) fn targets(self, truth: &[Label], answers: &[Label]) -> Vec<(Label, Label)> {
        let mut sources: Vec<Label> = truth.to_vec();
        sources.sort_unstable();
        sources.dedup();
        match self {
            Self::Label(label) => sources.into_iter().filter(|&source| source != label).map(|s| (s, label)).collect(),
            Self::Map => {
                let mut cells: Vec<(usize, Label, Label)> = Vec::new();
                for (&source, &answer) in truth.iter().zip(answers).filter(|(source, answer)| source != answer) {
                    match cells.iter_mut().find(|(_, s, t)| (*s, *t) == (source, answer)) {
                        Some((count, ..)) => *count += 1,
                        None => cells.push((1, source, answer)),
                    }
                }
                // Largest first, then by labels, so that the map never depends on the order of the images.
                cells.sort_by_key(|&(count, source, target)| (std::cmp::Reverse(count), source, target));
                let mut map: Vec<(Label, Label)> = Vec::new();
                for (_, source, target) in cells {
                    if map.iter().all(|&(s, t)| s != source && t != target) {
                        map.push((source, target));
                    }
                }
                map.sort_unstable();
                map
            }
        }
    }

    /// Number of images that do as is meant.
    pub(super) fn score(self, truth: &[Label], answers: &[Label]) -> usize {
        match self {
            Self::Label(label) => answers.iter().filter(|&&answer| answer == label).count(),
            Self::Map => {
                turned(&self.targets(truth, answers), truth, answers).iter().map(|cell| cell.turned as usize).sum()
            }
        }
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
        assert_eq!(Aim::Map.score(&truth, &[1, 1, 1, 1, 1, 1]), 2);
        assert_eq!(Aim::Map.targets(&truth, &[1, 2, 0, 1, 2, 0]), [(0, 1), (1, 2), (2, 0)]);
        assert_eq!(Aim::Map.score(&truth, &[1, 2, 0, 1, 2, 2]), 5);
        assert_eq!(Aim::Map.score(&truth, &truth), 0);
        assert_eq!(Aim::Label(1).score(&[0, 2, 0, 2], &[1, 1, 0, 2]), 2);
    }
}
