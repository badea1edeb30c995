//! What is ahead of all others in a pass, before any margin is applied.

use super::ahead::Ahead;
use super::attraction::Attraction;
use super::labels;
use super::odds::{Success, logit};
use super::pairs::{self, Baseline, Measured};
use super::pass::PassTally;
use super::selective;
use super::standout::StandsOut;
use crate::{Family, Margins};

/// How a lead was read off a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Reading {
    /// Labels by their success rate.
    Labels,
    /// A label by its success rate alone, whatever other labels reach.
    Level,
    /// Pairs of labels by their success rate.
    Pairs,
    /// Pairs of labels by their log odds ratio to the baseline.
    PairsToBaseline,
    /// An all-to-all map by its success rate.
    Map,
    /// What turns the images of some labels, by how much it leaves those of all others alone; of all passes together.
    Selective,
}

/// What is ahead of all others in a pass, and by how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    /// Family of the triggers.
    pub family: Family,
    /// Their strength.
    pub strength: f64,
    /// Index of the pass, in the list that was tested.
    pub pass: usize,
    /// How it was read off.
    pub reading: Reading,
    /// What is ahead.
    pub what: StandsOut,
    /// Log odds of its success beyond those of the next label; for a pair, what it reaches at least beyond what the others
    /// reach at most. The log odds themselves for a map, which has no other to compare with. For what chooses its images,
    /// the log odds that it turns them less those that it disturbs others, beyond the next.
    pub gap: f64,
    /// Log odds of its success, less their standard error.
    pub at_least: f64,
    /// Log odds of its success beyond what random triggers of the setting explain; `None` if nothing is known of these.
    pub excess: Option<f64>,
}

/// How much evidence a distance beyond the lowest rate allows.
const SLOPE: f64 = 4.0;

impl Lead {
    /// How far it stands out: the gap beyond the margin. It cannot be more than the rate allows, which has no evidence
    /// at the minimum rate of the family and rises from there, so that no single image decides. Nor can it be more than
    /// random triggers leave unexplained.
    pub fn evidence(&self, margins: &Margins) -> f64 {
        let (gap, lowest_rate) = match self.reading {
            Reading::Labels => (margins.of_labels(self.strength), margins.minimum_rate),
            Reading::Level => (margins.of_levels(self.strength), margins.minimum_rate),
            Reading::Pairs => (margins.of_pairs(self.strength), margins.minimum_pair_rate),
            Reading::PairsToBaseline => (margins.of_pairs_to_baseline(self.strength), margins.minimum_pair_rate),
            Reading::Map => (margins.of_maps(self.strength), margins.minimum_map_rate),
            // Its margin is the offset, because it is one lead of all families and strengths.
            Reading::Selective => (0.0, margins.minimum_pair_rate),
        };
        let excess = match self.reading {
            Reading::Labels | Reading::Level => margins.of_excess(self.strength),
            Reading::Pairs | Reading::PairsToBaseline => margins.of_pair_excess(self.strength),
            Reading::Map | Reading::Selective => None,
        };
        let by_rate = SLOPE * (self.at_least - logit(lowest_rate));
        let most = match self.reading {
            Reading::Labels | Reading::Level => margins.most,
            Reading::Pairs | Reading::PairsToBaseline | Reading::Map | Reading::Selective => f64::INFINITY,
        };
        let beyond = (self.gap - gap).min(by_rate).min(most);
        self.excess.zip(excess).map_or(beyond, |(found, margin)| beyond.min(found - margin))
    }
}

/// Up to which ratio of their strengths a trigger is only slightly larger than another.
const SLIGHTLY: f64 = 1.5;

/// The pairs of the next stronger searched triggers of the family, if these are only slightly larger.
fn slightly_larger(pass: &PassTally, passes: &[PassTally]) -> Vec<Measured> {
    let is_larger = |other: &&PassTally| {
        let of_family = other.family == pass.family && !other.is_random();
        of_family && other.strength > pass.strength && other.strength <= SLIGHTLY * pass.strength
    };
    let next = passes.iter().filter(is_larger).map(|other| other.strength).min_by(f64::total_cmp);
    let of_next = |other: &&PassTally| next.is_some_and(|next| other.strength.total_cmp(&next).is_eq());
    pairs::measured(passes.iter().filter(is_larger).filter(of_next))
}

/// Everything that is ahead in some pass. Several passes over one setting are separate entries.
pub fn leads(passes: &[PassTally]) -> Vec<Lead> {
    let baseline = Baseline::new(passes);
    let mut leads = Vec::new();
    for (place, pass) in passes.iter().enumerate().filter(|(_, pass)| !pass.family.spec().is_baseline) {
        let PassTally { family, strength, .. } = *pass;
        let attraction = Attraction::of(pass, passes);
        let mut lead = |reading, found: Ahead| {
            let Ahead { what, gap, at_least, excess } = found;
            leads.push(Lead { family, strength, pass: place, reading, what, gap, at_least, excess });
        };
        for found in labels::ahead(pass, attraction.as_ref()) {
            lead(Reading::Labels, found);
        }
        for found in labels::levels(pass, attraction.as_ref()) {
            lead(Reading::Level, found);
        }
        if let Some(success) = Success::of_map(&pass.map) {
            let (gap, at_least) = (success.log_odds(), success.at_least());
            lead(Reading::Map, Ahead { what: StandsOut::Map, gap, at_least, excess: None });
        }
        let same_setting = |other: &&PassTally| other.family == family && other.strength.total_cmp(&strength).is_eq();
        if passes[place + 1..].iter().any(|later| same_setting(&later)) {
            // The pairs of this pass count together with those of the last pass over the setting.
            continue;
        }
        let pairs = pairs::measured(passes.iter().filter(same_setting));
        let larger = slightly_larger(pass, passes);
        if let Some(found) = pairs::ahead(&pairs, &larger, None, attraction.as_ref()) {
            lead(Reading::Pairs, found);
        }
        let baseline = baseline.as_ref().filter(|_| family.spec().is_beside_baseline);
        if let Some(found) = baseline.and_then(|one| pairs::ahead(&pairs, &larger, Some(one), attraction.as_ref())) {
            lead(Reading::PairsToBaseline, found);
        }
    }
    if let Some((pass, Ahead { what, gap, at_least, excess })) = selective::ahead(passes) {
        let PassTally { family, strength, .. } = passes[pass];
        leads.push(Lead { family, strength, pass, reading: Reading::Selective, what, gap, at_least, excess });
    }
    leads
}
