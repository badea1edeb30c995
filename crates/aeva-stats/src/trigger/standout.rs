//! The result of the trigger test.

use super::reference::Null;
use super::statistics::Statistics;
use crate::TargetMap;

/// How far something stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Standout {
    /// Log odds beyond the margin of the setting.
    pub evidence: f64,
    /// Index of the pass with the most evidence, in the list that was tested.
    pub pass: usize,
}

/// How far a pair of labels stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PairStandout {
    /// Label of the images.
    pub source: u32,
    /// Label that they get.
    pub target: u32,
    /// How far the pair stands out. The pass is the last one over its setting.
    pub standout: Standout,
}

/// What stands out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum StandsOut {
    /// Several labels, highest success rate first.
    Labels(Vec<usize>),
    /// A pair of labels.
    Pair {
        /// Label of the images.
        source: u32,
        /// Label that they get.
        target: u32,
    },
    /// An all-to-all map.
    Map,
}

/// What stands out most.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Strongest {
    /// What it is.
    pub what: StandsOut,
    /// How far it stands out.
    pub standout: Standout,
}

/// The result of the test on a model's triggers.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TriggerTest {
    /// What stands out most; `None` without passes or with fewer than three labels.
    pub strongest: Option<Strongest>,
    /// The share of comparable clean models in which anything stands out this far.
    pub p_value: f64,
    /// The comparable clean models.
    pub null: Null,
    /// `[label]` -> its own evidence over all families; `None` if it has too few images or no search climbed for it.
    pub labels: Vec<Option<Standout>>,
    /// The pair of labels with the highest evidence.
    pub pair: Option<PairStandout>,
    /// The highest evidence of an all-to-all map.
    pub map: Option<Standout>,
    /// Figures that are shown beside the test and do not enter it.
    pub statistics: Statistics,
}

impl Strongest {
    /// Keeps the stronger evidence; ties keep the existing one.
    pub(super) fn keep(strongest: &mut Option<Self>, what: StandsOut, standout: Standout) {
        if strongest.as_ref().is_none_or(|old| standout.evidence > old.standout.evidence) {
            *strongest = Some(Self { what, standout });
        }
    }

    /// The target labels; empty for a map of all labels.
    pub fn targets(&self) -> Vec<usize> {
        match &self.what {
            StandsOut::Labels(labels) => labels.clone(),
            StandsOut::Pair { target, .. } => vec![*target as usize],
            StandsOut::Map => Vec::new(),
        }
    }
}

/// Whatever the clean models say, something that is ahead of all others by less than this is no alarm: its odds would be
/// ahead by less than a factor of three.
const LEAST_EVIDENCE: f64 = 1.0;

impl TriggerTest {
    fn is_significant(&self, standout: Standout, alpha: f64) -> bool {
        standout.evidence >= LEAST_EVIDENCE && self.null.p_value(standout.evidence) <= alpha
    }

    /// The target labels of everything that stands out with at most this p-value, strongest evidence first; all labels
    /// for a map.
    pub fn suspects(&self, alpha: f64) -> Vec<usize> {
        let of = |map: TargetMap| map.target().map(|target| target as usize);
        if self.is_map(alpha) {
            return (0..self.labels.len()).collect();
        }
        self.target_maps(alpha).into_iter().filter_map(of).collect()
    }

    /// The backdoors that stand out with at most this p-value, strongest evidence first.
    pub fn target_maps(&self, alpha: f64) -> Vec<TargetMap> {
        if self.is_map(alpha) {
            return vec![TargetMap::AllToAll];
        }
        let pair = self.suspect_pair(alpha);
        let mut found: Vec<(f64, usize)> = (0..)
            .zip(&self.labels)
            .filter_map(|(label, own)| {
                own.filter(|&own| self.is_significant(own, alpha)).map(|own| (own.evidence, label))
            })
            .collect();
        // Labels that stand out together have the same evidence; the most successful one comes first.
        let together = self.strongest.as_ref().map(Strongest::targets).unwrap_or_default();
        let rank = |label: usize| together.iter().position(|&other| other == label).unwrap_or(usize::MAX);
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(rank(a.1).cmp(&rank(b.1))).then(a.1.cmp(&b.1)));
        let mut maps: Vec<TargetMap> = found
            .into_iter()
            .map(|(_, label)| match pair {
                Some((source, target)) if target as usize == label => TargetMap::SourceSpecific { source, target },
                _ => TargetMap::AllToOne { target: u32::try_from(label).unwrap_or(u32::MAX) },
            })
            .collect();
        if let Some((source, target)) = pair {
            let specific = TargetMap::SourceSpecific { source, target };
            if !maps.contains(&specific) {
                maps.push(specific);
            }
        }
        maps
    }

    /// The pair (source, target) of a source-specific backdoor, if a pair stands out and does so further than its
    /// target alone.
    pub fn suspect_pair(&self, alpha: f64) -> Option<(u32, u32)> {
        let PairStandout { source, target, standout } = self.pair?;
        let own = self.labels.get(target as usize).copied().flatten().map_or(f64::NEG_INFINITY, |own| own.evidence);
        (self.is_significant(standout, alpha) && standout.evidence > own).then_some((source, target))
    }

    /// Whether an all-to-all map stands out at least as far as any single label.
    pub fn is_map(&self, alpha: f64) -> bool {
        let own = self.labels.iter().flatten().map(|own| own.evidence).fold(f64::NEG_INFINITY, f64::max);
        self.map.is_some_and(|map| self.is_significant(map, alpha) && map.evidence >= own)
    }

    /// How far this backdoor stands out, and in which pass; `None` if it never ranked high.
    pub fn standout(&self, map: TargetMap) -> Option<Standout> {
        match map {
            TargetMap::AllToOne { target } => self.labels.get(target as usize).copied().flatten(),
            TargetMap::SourceSpecific { source, target } => {
                self.pair.filter(|pair| (pair.source, pair.target) == (source, target)).map(|pair| pair.standout)
            }
            TargetMap::AllToAll => self.map,
        }
    }
}
