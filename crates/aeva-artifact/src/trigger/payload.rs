//! The payload of trigger artifacts, version 5, and what it says. Wire types never change; new versions are added beside
//! them.

use aeva_attack::trigger::{Parts, PassResult, Setting, Trigger, TriggerFinding};
use aeva_stats::{Family, PairTally, Shape, Tally, TargetMap};
use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, EncodeError};
use crate::wire::{dimension, dimensions};

/// Version 4 plus the images without a label.
#[derive(Serialize, Deserialize)]
pub(super) struct TriggersV5 {
    pub(super) first: TriggersV4,
    pub(super) unlabelled: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TriggersV4 {
    /// [`FamilySpec::number`](aeva_stats::FamilySpec::number)
    pub(super) family: u32,
    pub(super) strength: u32,
    pub(super) shape: [u32; 3],
    pub(super) queries: u64,
    pub(super) findings: Vec<FindingV4>,
    /// source, answer, images with this answer, all images of the source
    pub(super) confusion: Vec<[u32; 4]>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FindingV4 {
    pub(super) goal: GoalV1,
    pub(super) trigger: TriggerV4,
    pub(super) climbed: bool,
    /// hits, trials
    pub(super) search: [u32; 2],
    /// source, target, hits, trials; source and target are the same for images that keep their label
    pub(super) holdout: Vec<[u32; 4]>,
}

/// The same in all versions.
#[derive(Serialize, Deserialize)]
pub(super) enum GoalV1 {
    AllToOne(u32),
    /// source, target
    SourceSpecific(u32, u32),
    AllToAll,
}

/// A trigger of any shape, so that a later shape needs no later version.
#[derive(Serialize, Deserialize)]
pub(super) struct TriggerV4 {
    /// [`ShapeSpec::number`](aeva_stats::ShapeSpec::number)
    pub(super) shape: u32,
    /// The lists of [`Parts`].
    pub(super) numbers: Vec<u32>,
    pub(super) reals: Vec<f32>,
    pub(super) values: Vec<f32>,
}

impl TriggersV5 {
    pub(super) fn new(setting: Setting, shape: [usize; 3], result: &PassResult) -> Result<Self, EncodeError> {
        Ok(Self { first: TriggersV4::new(setting, shape, result)?, unlabelled: result.unlabelled })
    }

    /// The setting, the shape of the images, and what was found, none of it checked against the others.
    pub(super) fn into_domain(self) -> Result<(Setting, [usize; 3], PassResult), DecodeError> {
        let (setting, shape, result) = self.first.into_domain()?;
        Ok((setting, shape, PassResult { unlabelled: self.unlabelled, ..result }))
    }
}

impl TriggersV4 {
    pub(super) fn new(setting: Setting, shape: [usize; 3], result: &PassResult) -> Result<Self, EncodeError> {
        Ok(Self {
            family: u32::from(setting.family.spec().number),
            strength: setting.strength,
            shape: dimensions(shape)?,
            queries: result.queries,
            findings: result.findings.iter().map(FindingV4::new).collect::<Result<_, _>>()?,
            confusion: result.confusion.iter().map(as_array).collect(),
        })
    }

    /// Without images that have no label, which this version does not tell.
    fn into_domain(self) -> Result<(Setting, [usize; 3], PassResult), DecodeError> {
        let family = Family::numbered(self.family).ok_or(DecodeError::UnknownFamily { found: self.family })?;
        let result = PassResult {
            findings: self.findings.into_iter().map(FindingV4::into_domain).collect::<Result<_, _>>()?,
            confusion: self.confusion.into_iter().map(from_array).collect::<Result<_, _>>()?,
            queries: self.queries,
            unlabelled: 0,
        };
        let shape = self.shape.map(|dimension| dimension as usize);
        Ok((Setting { family, strength: self.strength }, shape, result))
    }
}

impl FindingV4 {
    fn new(finding: &TriggerFinding) -> Result<Self, EncodeError> {
        Ok(Self {
            goal: match finding.goal {
                TargetMap::AllToOne { target } => GoalV1::AllToOne(target),
                TargetMap::SourceSpecific { source, target } => GoalV1::SourceSpecific(source, target),
                TargetMap::AllToAll => GoalV1::AllToAll,
            },
            trigger: TriggerV4::new(&finding.trigger)?,
            climbed: finding.climbed,
            search: [finding.search.hits(), finding.search.trials()],
            holdout: finding.holdout.iter().chain(&finding.kept).map(as_array).collect(),
        })
    }

    fn into_domain(self) -> Result<TriggerFinding, DecodeError> {
        let cells: Vec<PairTally> = self.holdout.into_iter().map(from_array).collect::<Result<_, _>>()?;
        let (kept, holdout) = cells.into_iter().partition(|cell| cell.source == cell.target);
        Ok(TriggerFinding {
            goal: match self.goal {
                GoalV1::AllToOne(target) => TargetMap::AllToOne { target },
                GoalV1::SourceSpecific(source, target) => TargetMap::SourceSpecific { source, target },
                GoalV1::AllToAll => TargetMap::AllToAll,
            },
            trigger: self.trigger.into_domain()?,
            climbed: self.climbed,
            search: tally(self.search)?,
            holdout,
            kept,
        })
    }
}

impl TriggerV4 {
    fn new(trigger: &Trigger) -> Result<Self, EncodeError> {
        let Parts { numbers, reals, values } = trigger.parts();
        let numbers = numbers.into_iter().map(dimension).collect::<Result<_, _>>()?;
        Ok(Self { shape: u32::from(trigger.shape().spec().number), numbers, reals, values })
    }

    fn into_domain(self) -> Result<Trigger, DecodeError> {
        let shape = Shape::numbered(self.shape).ok_or_else(|| DecodeError::UnknownShape {
            found: self.shape,
            supported: Shape::ALL.iter().map(|shape| shape.spec().number).collect(),
        })?;
        let numbers = self.numbers.into_iter().map(|number| number as usize).collect();
        Ok(Trigger::from_parts(shape, Parts { numbers, reals: self.reals, values: self.values })?)
    }
}

fn tally([hits, trials]: [u32; 2]) -> Result<Tally, DecodeError> {
    Tally::new(hits, trials).map_err(|error| DecodeError::Inconsistent(error.to_string()))
}

fn as_array(cell: &PairTally) -> [u32; 4] {
    [cell.source, cell.target, cell.tally.hits(), cell.tally.trials()]
}

fn from_array([source, target, hits, trials]: [u32; 4]) -> Result<PairTally, DecodeError> {
    Ok(PairTally { source, target, tally: tally([hits, trials])? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::wire::to_payload;
    use aeva_attack::trigger::Overlay;

    /// The payload as `docs/formats.md` has it, byte by byte.
    #[test]
    fn the_bytes_of_a_pattern_are_frozen() {
        let tally = |hits, trials| Tally::new(hits, trials).unwrap();
        let finding = TriggerFinding {
            goal: TargetMap::SourceSpecific { source: 7, target: 2 },
            trigger: Trigger::Overlay(Overlay { amplitude: 0.25, pattern: vec![-1.0, 0.5] }),
            climbed: true,
            search: tally(5, 6),
            holdout: vec![PairTally { source: 7, target: 2, tally: tally(3, 4) }],
            kept: vec![PairTally { source: 8, target: 8, tally: tally(1, 2) }],
        };
        let confusion = vec![PairTally { source: 8, target: 9, tally: tally(1, 2) }];
        let result = PassResult { findings: vec![finding], confusion, queries: 77, unlabelled: 5 };
        let setting = Setting { family: Family::Noise, strength: 64 };
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let long = |long: u64| long.to_le_bytes().to_vec();
        let expected = [
            words(&[3, 64, 1, 2, 1]),
            long(77),
            long(1),
            words(&[1, 7, 2]),
            words(&[1]),
            long(0),
            long(1),
            0.25_f32.to_le_bytes().to_vec(),
            long(2),
            [-1.0_f32, 0.5].into_iter().flat_map(f32::to_le_bytes).collect(),
            vec![1],
            words(&[5, 6]),
            long(2),
            words(&[7, 2, 3, 4]),
            words(&[8, 8, 1, 2]),
            long(1),
            words(&[8, 9, 1, 2]),
            long(5),
        ];
        assert_eq!(to_payload(TriggersV5::new(setting, [1, 2, 1], &result).unwrap()).unwrap(), expected.concat());
    }
}
