//! The results of one pass over one trigger setting: the input of the test.

use crate::{Family, PairTally, Tally};

/// Attack success rates of the best trigger of each label, on images that the search did not use.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PassTally {
    /// Family of the triggers.
    pub family: Family,
    /// Their actual strength, after rounding to whole pixels, in the unit of the family's shape.
    pub strength: f64,
    /// `[label]` -> success of its trigger on the images of all other labels; no trials if the pass only measured pairs.
    pub labels: Vec<GoalTally>,
    /// Pairs of labels that were searched.
    pub pairs: Vec<SearchedPair>,
    /// Outcomes of all random triggers that were drawn from the setting together, by label of the image and answer of the
    /// model: what the model does anyway. A search draws them to start from. Empty for a refining pass.
    pub confusion: Vec<PairTally>,
    /// Success of one trigger that sends each label to a different one, on all images.
    pub map: GoalTally,
    /// What triggers do to images that they should turn and to others, for those that were searched until their end. They
    /// are compared over all passes, so leave them out while the search is far from its end.
    #[cfg_attr(feature = "serde", serde(default))]
    pub effects: Vec<Effect>,
}

/// What a trigger does to the images of each label.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Effect {
    /// How many reach their target, for the labels that the goal includes.
    pub reached: Vec<PairTally>,
    /// How many keep their label; source and target are the same.
    pub kept: Vec<PairTally>,
}

impl PassTally {
    /// Whether its triggers are random and measured as drawn.
    pub(super) fn is_random(&self) -> bool {
        self.family.is_random()
    }

    /// Whether any of its triggers has the least success rate that evidence rises from ([`Margins`](crate::Margins)).
    pub fn reaches_enough(&self) -> bool {
        let least = self.family.spec().margins;
        self.labels.iter().any(|own| own.pooled().rate() >= least.minimum_rate)
            || self.pairs.iter().any(|own| own.pair.tally.rate() >= least.minimum_pair_rate)
            || self.map.pooled().rate() >= least.minimum_map_rate
    }
}

/// Success of a trigger, by label of the images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GoalTally {
    /// One entry for each label that images come from, in the order of labels: how many reach their target.
    pub by_source: Vec<Tally>,
    /// Whether the search went on for this goal until its end. A goal that was left behind says little of how far the
    /// model gives way.
    pub climbed: bool,
}

impl GoalTally {
    /// Success on all images together.
    pub fn pooled(&self) -> Tally {
        self.by_source.iter().copied().sum()
    }
}

impl From<Tally> for GoalTally {
    /// A goal whose images have one label.
    fn from(tally: Tally) -> Self {
        Self { by_source: vec![tally], climbed: true }
    }
}

/// A pair of labels that a pass searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SearchedPair {
    /// The labels, and the success of the trigger.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub pair: PairTally,
    /// Whether this pass searched it until its end; otherwise it was left behind, or an earlier pass found it.
    pub climbed: bool,
}

#[cfg(test)]
mod tests {
    use super::super::examples::{goal, pair, pass, tally};
    use super::*;

    #[test]
    fn labels_pairs_and_maps_reach_enough_from_their_least_rates_on() {
        let none = || pass(3, &[60, 20, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(!none().reaches_enough(), "a third of the images");
        let with = |change: &dyn Fn(&mut PassTally)| {
            let mut pass = none();
            change(&mut pass);
            pass.reaches_enough()
        };
        assert!(with(&|pass| pass.labels[7] = goal(64)));
        assert!(with(&|pass| pass.pairs = vec![pair(1, 2, 3, 40), pair(3, 4, 15, 40)]));
        assert!(!with(&|pass| pass.pairs = vec![pair(1, 2, 13, 40)]));
        assert!(with(&|pass| pass.map = tally(41, 200).into()));
    }
}
