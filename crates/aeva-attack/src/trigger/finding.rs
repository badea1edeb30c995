//! The findings of a pass over a setting.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aeva_stats::{Effect, GoalTally, PairTally, PassTally, SearchedPair, Tally, TargetMap};

use super::{Setting, Trigger};

/// The best trigger that a pass found for one goal.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerFinding {
    /// The goal of the trigger.
    pub goal: TargetMap,
    /// What to stamp.
    pub trigger: Trigger,
    /// Whether hill climbing improved it; otherwise it is only the best candidate of the exploration.
    pub climbed: bool,
    /// Success on the images that it was chosen by, which is an optimistic figure.
    pub search: Tally,
    /// Success on hold-out images, by label.
    pub holdout: Vec<PairTally>,
    /// Hold-out images that keep their label, by label; source and target are the same. The best triggers for pairs are
    /// also tried on the images of all other labels, which their goals do not include.
    pub kept: Vec<PairTally>,
}

/// The findings of a pass over a setting.
#[derive(Debug, Clone, PartialEq)]
pub struct PassResult {
    /// One finding per goal: every label in order, then the searched pairs, then the all-to-all map. Random triggers
    /// have no finding for the map. Of more than [`LABELS_KEPT`](Self::LABELS_KEPT) labels, those that no trigger was
    /// measured for and that hardly any image reached are left out.
    pub findings: Vec<TriggerFinding>,
    /// Outcomes of all random triggers together, by label of the image and answer of the model, including answers equal
    /// to the label. Cells without images are left out. Empty if triggers were searched.
    pub confusion: Vec<PairTally>,
    /// Images classified.
    pub queries: u64,
    /// Those of them that the model had no label for.
    pub unlabelled: u64,
}

impl TriggerFinding {
    /// Success on all hold-out images together.
    pub fn success(&self) -> Tally {
        self.holdout.iter().map(|cell| cell.tally).sum()
    }
}

impl PassResult {
    /// Labels that always have a finding. A model of a thousand labels would fill files with triggers that do nothing.
    pub const LABELS_KEPT: usize = 64;

    /// Leaves out the labels that are furthest behind, as far as nothing was measured of them. Equals come in the order of
    /// `tie`.
    pub(super) fn without_last_labels(mut self, tie: impl Fn(TargetMap) -> usize) -> Self {
        let is_label = |finding: &&TriggerFinding| finding.goal.is_all_to_one();
        let mut labels: Vec<&TriggerFinding> = self.findings.iter().filter(is_label).collect();
        labels.sort_by_cached_key(|finding| {
            (finding.holdout.is_empty(), Reverse(finding.search.hits()), tie(finding.goal), finding.goal)
        });
        let measured = labels.iter().filter(|finding| !finding.holdout.is_empty()).count();
        let kept = measured.max(Self::LABELS_KEPT);
        let left_out: BTreeSet<TargetMap> = labels.into_iter().skip(kept).map(|finding| finding.goal).collect();
        self.findings.retain(|finding| !left_out.contains(&finding.goal));
        self
    }

    /// Success on hold-out images in the form that the test takes, for triggers of `setting` on images `[h, w, c]` and
    /// a model of `classes` labels.
    pub fn tally(&self, setting: Setting, shape: [usize; 3], classes: u32) -> PassTally {
        PassTally {
            family: setting.family,
            strength: setting.actual_strength(shape),
            labels: self.labels(classes),
            pairs: self.pairs(),
            effects: self.effects(),
            confusion: self.confusion.clone(),
            map: self.map(),
        }
    }

    /// The finding for a goal.
    pub fn finding(&self, goal: TargetMap) -> Option<&TriggerFinding> {
        self.findings.iter().find(|finding| finding.goal == goal)
    }

    /// `[label]` -> success of its trigger.
    fn labels(&self, classes: u32) -> Vec<GoalTally> {
        let mut labels = vec![GoalTally::default(); classes as usize];
        for finding in &self.findings {
            if let TargetMap::AllToOne { target } = finding.goal
                && let Some(label) = labels.get_mut(target as usize)
            {
                let by_source = finding.holdout.iter().map(|cell| cell.tally).collect();
                // A refining pass, which draws no candidates, leaves out labels that the exploring pass never reached:
                // there is nothing to climb from. They are as hard as a label can be.
                let is_out_of_reach = self.confusion.is_empty() && finding.search.hits() == 0;
                *label = GoalTally { by_source, climbed: finding.climbed || is_out_of_reach };
            }
        }
        labels
    }

    fn pairs(&self) -> Vec<SearchedPair> {
        let pair = |finding: &TriggerFinding| match finding.goal {
            TargetMap::SourceSpecific { source, target } => {
                let pair = PairTally { source, target, tally: finding.success() };
                Some(SearchedPair { pair, climbed: finding.climbed })
            }
            TargetMap::AllToOne { .. } | TargetMap::AllToAll => None,
        };
        self.findings.iter().filter_map(pair).collect()
    }

    /// What the triggers do that were climbed for and measured on hold-out images.
    fn effects(&self) -> Vec<Effect> {
        let measured = self.findings.iter().filter(|finding| finding.climbed && !finding.kept.is_empty());
        measured.map(|finding| Effect { reached: finding.holdout.clone(), kept: finding.kept.clone() }).collect()
    }

    /// Images whose label the map does not change count as misses.
    fn map(&self) -> GoalTally {
        let labels = self.findings.iter().filter(|finding| finding.goal.is_all_to_one());
        let missed = |cell: &PairTally| (cell.source, Tally::ZERO.with_misses(cell.tally.trials()));
        let mut by_source: BTreeMap<u32, Tally> = labels.flat_map(|finding| &finding.holdout).map(missed).collect();
        let found = self.finding(TargetMap::AllToAll);
        let cells = found.map_or(&[][..], |finding| &finding.holdout);
        by_source.extend(cells.iter().map(|cell| (cell.source, cell.tally)));
        let climbed = found.is_some_and(|finding| finding.climbed);
        GoalTally { by_source: by_source.into_values().collect(), climbed }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::trigger::Patch;
    use aeva_stats::Family;

    fn cell(source: u32, target: u32, hits: u32) -> PairTally {
        PairTally { source, target, tally: Tally::new(hits, 4).unwrap() }
    }

    fn result() -> PassResult {
        let finding = |goal, holdout| TriggerFinding {
            goal,
            trigger: Trigger::Patch(Patch { row: 0, column: 0, side: 1, values: vec![1.0] }),
            climbed: true,
            search: Tally::ZERO,
            holdout,
            kept: Vec::new(),
        };
        let label = |target: u32| {
            let others = (0..3).filter(|&source| source != target);
            finding(TargetMap::AllToOne { target }, others.map(|source| cell(source, target, target)).collect())
        };
        let mut findings: Vec<TriggerFinding> = (0..3).map(label).collect();
        findings.push(finding(TargetMap::SourceSpecific { source: 1, target: 2 }, vec![cell(1, 2, 3)]));
        findings[3].kept = vec![cell(0, 0, 4), cell(1, 1, 1)];
        findings.push(finding(TargetMap::AllToAll, vec![cell(0, 1, 4), cell(1, 2, 2)]));
        PassResult { findings, confusion: vec![cell(0, 0, 4)], queries: 7, unlabelled: 0 }
    }

    #[test]
    fn of_many_labels_those_behind_are_left_out() {
        let label = |target: u32| {
            let mut finding = result().findings.swap_remove(0);
            finding.goal = TargetMap::AllToOne { target };
            finding.search = Tally::new(target % 10, 10).unwrap();
            // One that was measured stays, however little it reaches.
            finding.holdout = if target == 90 { vec![cell(0, 90, 0)] } else { Vec::new() };
            finding
        };
        let pass = |labels: u32| {
            let mut pass = PassResult { findings: (0..labels).map(label).collect(), ..result() };
            pass.findings.push(result().findings.swap_remove(3));
            pass.without_last_labels(|_| 0)
        };
        assert_eq!(pass(64).findings.len(), 64 + 1, "and the pair");
        let many = pass(200);
        assert_eq!(many.findings.len(), 64 + 1);
        let targets: Vec<u32> = many.findings.iter().filter_map(|finding| finding.goal.target()).collect();
        assert!(targets.contains(&90) && targets.contains(&199) && !targets.contains(&100), "{targets:?}");
        assert!(targets[..64].is_sorted());
    }

    #[test]
    fn every_hold_out_image_counts_once() {
        let tally = result().tally(Setting { family: Family::Patch, strength: 3 }, [16, 16, 1], 3);
        assert_eq!((tally.family, tally.strength.to_bits()), (Family::Patch, 4.0_f64.to_bits()), "two pixels of 16");
        let pooled: Vec<Tally> = tally.labels.iter().map(GoalTally::pooled).collect();
        assert_eq!(pooled, [0, 2, 4].map(|hits| Tally::new(hits, 8).unwrap()));
        assert!(tally.labels.iter().all(|label| label.by_source.len() == 2 && label.climbed));
        assert_eq!(tally.pairs, [SearchedPair { pair: cell(1, 2, 3), climbed: true }]);
        assert_eq!(tally.confusion, [cell(0, 0, 4)]);
        let effect = Effect { reached: vec![cell(1, 2, 3)], kept: vec![cell(0, 0, 4), cell(1, 1, 1)] };
        assert_eq!(tally.effects, [effect], "the others were not tried on the images of other labels");
        // The map does not change label 2: its four images are misses.
        assert_eq!(tally.map.by_source, [4, 2, 0].map(|hits| Tally::new(hits, 4).unwrap()));
    }
}
