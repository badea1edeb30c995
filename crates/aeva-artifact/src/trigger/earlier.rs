//! Payload versions 1 to 3 of trigger artifacts, which had a form of their own for every shape. They are read for ever,
//! and never written.

use serde::{Deserialize, Serialize};

use super::payload::{FindingV4, GoalV1, TriggerV4, TriggersV4};
use crate::error::DecodeError;
use crate::provenance::PairProvenance;
use crate::wire::from_payload;

/// JSON header of payload versions 1 and 2. At that time, every provenance included the parameters of perturbations.
#[derive(Serialize, Deserialize)]
pub(super) struct HeaderV1 {
    pub(super) provenance: PairProvenance,
    pub(super) trigger_search_version: u32,
    pub(super) level: String,
    /// Missing for the exploring pass, and in files from before there was a refining pass.
    #[serde(default, skip_serializing_if = "LookV1::is_first")]
    pub(super) look: LookV1,
}

#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum LookV1 {
    #[default]
    First,
    Second,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TriggersV1 {
    /// [`FamilySpec::number`](aeva_stats::FamilySpec::number)
    family: u32,
    strength: u32,
    shape: [u32; 3],
    queries: u64,
    findings: Vec<FindingV1>,
}

/// Version 1 plus the outcomes of the images under random triggers. Version 3 has the same payload.
#[derive(Serialize, Deserialize)]
struct TriggersV2 {
    first: TriggersV1,
    /// source, answer, images with this answer, all images of the source
    confusion: Vec<[u32; 4]>,
}

#[derive(Serialize, Deserialize)]
struct FindingV1 {
    goal: GoalV1,
    trigger: TriggerV1,
    climbed: bool,
    /// hits, trials
    search: [u32; 2],
    /// source, target, hits, trials
    holdout: Vec<[u32; 4]>,
}

#[derive(Serialize, Deserialize)]
enum TriggerV1 {
    /// row, column, side, values
    Patch(u32, u32, u32, Vec<f32>),
    /// amplitude, pattern
    Overlay(f32, Vec<f32>),
}

impl LookV1 {
    pub(super) fn is_first(&self) -> bool {
        *self == Self::First
    }
}

/// Reads the payload of version 1, or of versions 2 and 3, in the form of version 4.
pub(super) fn read(version: u16, payload: &[u8]) -> Result<TriggersV4, DecodeError> {
    let TriggersV2 { first, confusion } = if version == 1 {
        TriggersV2 { first: from_payload(payload)?, confusion: Vec::new() }
    } else {
        from_payload(payload)?
    };
    let TriggersV1 { family, strength, shape, queries, findings } = first;
    let findings = findings.into_iter().map(FindingV4::from).collect();
    Ok(TriggersV4 { family, strength, shape, queries, findings, confusion })
}

impl From<FindingV1> for FindingV4 {
    fn from(FindingV1 { goal, trigger, climbed, search, holdout }: FindingV1) -> Self {
        Self { goal, trigger: trigger.into(), climbed, search, holdout }
    }
}

impl From<TriggerV1> for TriggerV4 {
    fn from(trigger: TriggerV1) -> Self {
        match trigger {
            TriggerV1::Patch(row, column, side, values) => {
                Self { shape: 0, numbers: vec![row, column, side], reals: Vec::new(), values }
            }
            TriggerV1::Overlay(amplitude, values) => {
                Self { shape: 1, numbers: Vec::new(), reals: vec![amplitude], values }
            }
        }
    }
}

/// Writes them as the programs of their time did.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
pub(super) mod examples {
    use super::*;
    use crate::wire::to_payload;

    pub(in super::super) fn written(version: u16, wire: TriggersV4) -> Vec<u8> {
        let TriggersV4 { family, strength, shape, queries, findings, confusion } = wire;
        let finding = |FindingV4 { goal, trigger, climbed, search, holdout }| {
            let TriggerV4 { shape, numbers, reals, values } = trigger;
            let trigger = match shape {
                0 => TriggerV1::Patch(numbers[0], numbers[1], numbers[2], values),
                _ => TriggerV1::Overlay(reals[0], values),
            };
            FindingV1 { goal, trigger, climbed, search, holdout }
        };
        let findings = findings.into_iter().map(finding).collect();
        let first = TriggersV1 { family, strength, shape, queries, findings };
        if version == 1 { to_payload(first) } else { to_payload(TriggersV2 { first, confusion }) }.unwrap()
    }
}
