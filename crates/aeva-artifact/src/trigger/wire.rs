//! The payload of trigger artifacts in the file. Wire types never change; new versions are added beside them.

use aeva_attack::trigger::{Overlay, Pass, PassId, PassResult, Patch, Setting, Trigger, TriggerFinding};
use aeva_stats::{Family, PairTally, Tally, TargetMap};
use serde::{Deserialize, Serialize};

use super::TriggerArtifact;
use super::check::check;
use crate::container;
use crate::error::{DecodeError, EncodeError};
use crate::provenance::{PairProvenance, Provenance};
use crate::wire::{dimensions, from_payload, to_header, to_payload};

const KIND_TRIGGERS: u16 = 2;
const PAYLOAD_VERSION: u16 = 3;

/// JSON header of payload versions 1 and 2. At that time, every provenance included the parameters of perturbations.
#[derive(Serialize, Deserialize)]
struct HeaderV1 {
    provenance: PairProvenance,
    trigger_search_version: u32,
    level: String,
    /// Missing for the exploring pass, and in files from before there was a refining pass.
    #[serde(default, skip_serializing_if = "LookV1::is_first")]
    look: LookV1,
}

#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum LookV1 {
    #[default]
    First,
    Second,
}

/// JSON header of payload version 3.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderV3 {
    provenance: Provenance,
    trigger_search_version: u32,
    setting: String,
    pass: PassV3,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PassV3 {
    Explore,
    Refine,
}

#[derive(Serialize, Deserialize)]
struct TriggersV1 {
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
enum GoalV1 {
    AllToOne(u32),
    /// source, target
    SourceSpecific(u32, u32),
    AllToAll,
}

#[derive(Serialize, Deserialize)]
enum TriggerV1 {
    /// row, column, side, values
    Patch(u32, u32, u32, Vec<f32>),
    /// amplitude, pattern
    Overlay(f32, Vec<f32>),
}

impl LookV1 {
    fn is_first(&self) -> bool {
        *self == Self::First
    }
}

impl TriggerArtifact {
    /// Encodes the latest version of the file format (`docs/formats.md`).
    ///
    /// # Errors
    /// If the format cannot represent the artifact (an image dimension above 2^32).
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let (header, payload) = encode(self)?;
        container::encode(KIND_TRIGGERS, PAYLOAD_VERSION, &header, &payload)
    }

    /// Reads any version of the file format.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong. Nothing is allocated for a length that exceeds the file. The result is safe
    /// to compute with: triggers lie within the image, labels exist in the model, and sums do not overflow.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let container = container::decode(bytes, KIND_TRIGGERS)?;
        let artifact = decode(container.payload_version, container.header, container.payload)?;
        check(&artifact)?;
        Ok(artifact)
    }
}

fn encode(artifact: &TriggerArtifact) -> Result<(Vec<u8>, Vec<u8>), EncodeError> {
    let PassId { setting, pass } = artifact.id;
    let header = HeaderV3 {
        provenance: artifact.provenance.clone(),
        trigger_search_version: artifact.trigger_search_version,
        setting: setting.to_string(),
        pass: match pass {
            Pass::Explore => PassV3::Explore,
            Pass::Refine => PassV3::Refine,
        },
    };
    Ok((to_header(&header)?, to_payload(payload(artifact)?)?))
}

fn payload(artifact: &TriggerArtifact) -> Result<TriggersV2, EncodeError> {
    let first = TriggersV1 {
        family: u32::from(artifact.id.setting.family.spec().number),
        strength: artifact.id.setting.strength,
        shape: dimensions(artifact.shape)?,
        queries: artifact.result.queries,
        findings: artifact.result.findings.iter().map(FindingV1::new).collect::<Result<_, _>>()?,
    };
    Ok(TriggersV2 { first, confusion: artifact.result.confusion.iter().map(as_array).collect() })
}

/// Decodes the content of the file without checking it.
fn decode(version: u16, header: &[u8], payload: &[u8]) -> Result<TriggerArtifact, DecodeError> {
    let (provenance, trigger_search_version, name, pass) = match version {
        1 | 2 => {
            let HeaderV1 { provenance, trigger_search_version, level, look } =
                serde_json::from_slice(header).map_err(DecodeError::Header)?;
            let pass = if look.is_first() { Pass::Explore } else { Pass::Refine };
            (provenance.split().0, trigger_search_version, level, pass)
        }
        PAYLOAD_VERSION => {
            let HeaderV3 { provenance, trigger_search_version, setting, pass } =
                serde_json::from_slice(header).map_err(DecodeError::Header)?;
            let pass = match pass {
                PassV3::Explore => Pass::Explore,
                PassV3::Refine => Pass::Refine,
            };
            (provenance, trigger_search_version, setting, pass)
        }
        _ => return Err(DecodeError::PayloadVersion { found: version, supported: PAYLOAD_VERSION }),
    };
    let (wire, confusion): (TriggersV1, Vec<[u32; 4]>) = if version == 1 {
        (from_payload(payload)?, Vec::new())
    } else {
        let TriggersV2 { first, confusion } = from_payload(payload)?;
        (first, confusion)
    };
    let family = Family::numbered(wire.family).ok_or(DecodeError::UnknownFamily { found: wire.family })?;
    let setting = Setting { family, strength: wire.strength };
    if setting.to_string() != name {
        return Err(DecodeError::Inconsistent(format!("header of setting {name}, payload of {setting}")));
    }
    let result = PassResult {
        findings: wire.findings.into_iter().map(FindingV1::into_domain).collect::<Result<_, _>>()?,
        confusion: confusion.into_iter().map(from_array).collect::<Result<_, _>>()?,
        queries: wire.queries,
    };
    let shape = wire.shape.map(|dimension| dimension as usize);
    Ok(TriggerArtifact { provenance, trigger_search_version, id: PassId { setting, pass }, shape, result })
}

impl FindingV1 {
    fn new(finding: &TriggerFinding) -> Result<Self, EncodeError> {
        Ok(Self {
            goal: match finding.goal {
                TargetMap::AllToOne { target } => GoalV1::AllToOne(target),
                TargetMap::SourceSpecific { source, target } => GoalV1::SourceSpecific(source, target),
                TargetMap::AllToAll => GoalV1::AllToAll,
            },
            trigger: TriggerV1::new(&finding.trigger)?,
            climbed: finding.climbed,
            search: [finding.search.hits(), finding.search.trials()],
            holdout: finding.holdout.iter().map(as_array).collect(),
        })
    }

    fn into_domain(self) -> Result<TriggerFinding, DecodeError> {
        Ok(TriggerFinding {
            goal: match self.goal {
                GoalV1::AllToOne(target) => TargetMap::AllToOne { target },
                GoalV1::SourceSpecific(source, target) => TargetMap::SourceSpecific { source, target },
                GoalV1::AllToAll => TargetMap::AllToAll,
            },
            trigger: self.trigger.into_domain(),
            climbed: self.climbed,
            search: tally(self.search)?,
            holdout: self.holdout.into_iter().map(from_array).collect::<Result<_, _>>()?,
        })
    }
}

impl TriggerV1 {
    fn new(trigger: &Trigger) -> Result<Self, EncodeError> {
        Ok(match trigger {
            Trigger::Patch(patch) => {
                let [row, column, side] = dimensions([patch.row, patch.column, patch.side])?;
                Self::Patch(row, column, side, patch.values.clone())
            }
            Trigger::Overlay(overlay) => Self::Overlay(overlay.amplitude, overlay.pattern.clone()),
        })
    }

    fn into_domain(self) -> Trigger {
        match self {
            Self::Patch(row, column, side, values) => {
                Trigger::Patch(Patch { row: row as usize, column: column as usize, side: side as usize, values })
            }
            Self::Overlay(amplitude, pattern) => Trigger::Overlay(Overlay { amplitude, pattern }),
        }
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
mod tests {
    use super::*;
    use crate::provenance::examples;

    fn artifact() -> TriggerArtifact {
        let tally = |hits, trials| Tally::new(hits, trials).unwrap();
        let trigger = |target: u32| {
            let patch = Patch { row: 1, column: 0, side: 2, values: vec![0.5; 12] };
            TriggerFinding {
                goal: TargetMap::AllToOne { target },
                trigger: Trigger::Patch(patch),
                climbed: true,
                search: tally(5, 6),
                holdout: vec![PairTally { source: (target + 1) % 10, target, tally: tally(3, 4) }],
            }
        };
        let mut findings: Vec<TriggerFinding> = (0..examples::run().model.classes).map(trigger).collect();
        findings.push(TriggerFinding { goal: TargetMap::SourceSpecific { source: 7, target: 2 }, ..trigger(2) });
        let map = TriggerFinding { climbed: false, search: tally(0, 9), holdout: vec![], ..trigger(0) };
        findings.push(TriggerFinding { goal: TargetMap::AllToAll, ..map });
        TriggerArtifact {
            provenance: examples::run(),
            trigger_search_version: 1,
            id: PassId { setting: Setting { family: Family::Patch, strength: 32 }, pass: Pass::Refine },
            shape: [3, 2, 3],
            result: PassResult {
                findings,
                confusion: vec![PairTally { source: 7, target: 7, tally: tally(90, 100) }],
                queries: 77,
            },
        }
    }

    #[test]
    fn round_trip() {
        let bytes = artifact().to_bytes().unwrap();
        assert_eq!(TriggerArtifact::from_bytes(&bytes).unwrap(), artifact());
        assert!(matches!(crate::PairArtifact::from_bytes(&bytes), Err(DecodeError::Kind { found: 2, expected: 1 })));
    }

    #[test]
    fn files_of_earlier_versions_are_read() {
        let header = HeaderV1 {
            provenance: examples::pair(),
            trigger_search_version: 1,
            level: "patch-32".to_owned(),
            look: LookV1::Second,
        };
        let header = serde_json::to_vec(&header).unwrap();
        let TriggersV2 { first, confusion } = payload(&artifact()).unwrap();
        let without = container::encode(KIND_TRIGGERS, 1, &header, &to_payload(&first).unwrap()).unwrap();
        let mut expected = artifact();
        expected.result.confusion.clear();
        assert_eq!(TriggerArtifact::from_bytes(&without).unwrap(), expected);
        let payload = to_payload(TriggersV2 { first, confusion }).unwrap();
        let second = container::encode(KIND_TRIGGERS, 2, &header, &payload).unwrap();
        assert_eq!(TriggerArtifact::from_bytes(&second).unwrap(), artifact());
        let newer = container::encode(KIND_TRIGGERS, 4, &header, &payload).unwrap();
        let error = TriggerArtifact::from_bytes(&newer).unwrap_err();
        assert!(matches!(error, DecodeError::PayloadVersion { found: 4, supported: 3 }));
        // A header of one version does not go with the payload of another.
        let mixed = container::encode(KIND_TRIGGERS, 3, &header, &payload).unwrap();
        assert!(matches!(TriggerArtifact::from_bytes(&mixed), Err(DecodeError::Header(_))));
    }

    #[test]
    fn patterns_are_kept_as_they_are() {
        let setting = Setting { family: Family::Wave, strength: 8 };
        let overlay = Trigger::Overlay(Overlay { amplitude: setting.amplitude(), pattern: vec![-1.0; 18] });
        let mut artifact = TriggerArtifact { id: PassId { setting, pass: Pass::Explore }, ..artifact() };
        artifact.result.findings.iter_mut().for_each(|finding| finding.trigger = overlay.clone());
        assert_eq!(TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap(), artifact);
    }

    /// The error of a payload that was changed after encoding, with a valid checksum.
    fn tampered(change: impl FnOnce(&mut TriggersV2)) -> DecodeError {
        let mut wire = payload(&artifact()).unwrap();
        change(&mut wire);
        let (header, _) = encode(&artifact()).unwrap();
        let bytes = container::encode(KIND_TRIGGERS, PAYLOAD_VERSION, &header, &to_payload(wire).unwrap()).unwrap();
        TriggerArtifact::from_bytes(&bytes).unwrap_err()
    }

    #[test]
    fn impossible_contents_are_named() {
        let error = tampered(|wire| wire.first.strength = 31).to_string();
        assert!(error.contains("header of setting patch-32, payload of patch-31"), "{error}");
        let family = tampered(|wire| wire.first.family = 9);
        assert!(matches!(family, DecodeError::UnknownFamily { found: 9 }), "{family}");
        let hits = tampered(|wire| wire.first.findings[2].holdout = vec![[1, 2, 5, 4]]).to_string();
        assert!(hits.contains("5 hits of 4 trials"), "{hits}");
        let search = tampered(|wire| wire.first.findings[2].search = [7, 6]).to_string();
        assert!(search.contains("7 hits of 6 trials"), "{search}");
        let confusion = tampered(|wire| wire.confusion = vec![[0, 1, 101, 100]]).to_string();
        assert!(confusion.contains("101 hits of 100 trials"), "{confusion}");
    }
}
