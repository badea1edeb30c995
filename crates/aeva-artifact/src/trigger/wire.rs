//! The payload of trigger artifacts as it stands in the file. Wire types never change; new versions are added beside them.

use bincode::error::EncodeError;
use serde::{Deserialize, Serialize};

use super::{Aim, Family, Level, Look, Overlay, Patch, Trigger, TriggerArtifact, TriggerFinding, Turned};
use crate::wire::{encode_error, from_payload, to_payload};
use crate::{DecodeError, Provenance};

pub(super) const KIND_TRIGGERS: u16 = 2;
pub(super) const PAYLOAD_VERSION: u16 = 2;

/// JSON header, all payload versions.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    provenance: Provenance,
    trigger_search_version: u32,
    level: String,
    /// Missing where it is the first, as in files from before there was a second.
    #[serde(default, skip_serializing_if = "is_first")]
    look: Look,
}

#[derive(Serialize, Deserialize)]
struct TriggersV1 {
    family: FamilyV1,
    strength: u32,
    shape: [u32; 3],
    queries: u64,
    findings: Vec<FindingV1>,
}

/// The first version, and what became of the images under random triggers.
#[derive(Serialize, Deserialize)]
struct TriggersV2 {
    first: TriggersV1,
    /// source, answer, images with it, images asked about
    confusion: Vec<[u32; 4]>,
}

/// Families were added at the end, with no new version: older files hold none of them.
#[derive(Serialize, Deserialize)]
enum FamilyV1 {
    Patch,
    Overlay,
    Wave,
    Noise,
    Square,
}

#[derive(Serialize, Deserialize)]
struct FindingV1 {
    aim: AimV1,
    trigger: TriggerV1,
    climbed: bool,
    search: [u32; 2],
    /// source, target, turned, asked
    held_out: Vec<[u32; 4]>,
}

#[derive(Serialize, Deserialize)]
enum AimV1 {
    Label(u32),
    /// source, target
    Pair(u32, u32),
    Map,
}

#[derive(Serialize, Deserialize)]
enum TriggerV1 {
    /// row, column, side, values
    Patch(u32, u32, u32, Vec<f32>),
    /// amplitude, pattern
    Overlay(f32, Vec<f32>),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_first(look: &Look) -> bool {
    *look == Look::First
}

pub(super) fn encode(artifact: &TriggerArtifact) -> Result<(Vec<u8>, Vec<u8>), EncodeError> {
    let small =
        |value: usize| u32::try_from(value).map_err(|_| EncodeError::Other("an image dimension does not fit 32 bits"));
    let [height, width, channels] = artifact.shape;
    let mut findings = Vec::with_capacity(artifact.findings.len());
    for finding in &artifact.findings {
        findings.push(FindingV1 {
            aim: match finding.aim {
                Aim::Label(label) => AimV1::Label(label),
                Aim::Pair { source, target } => AimV1::Pair(source, target),
                Aim::Map => AimV1::Map,
            },
            trigger: match &finding.trigger {
                Trigger::Patch(patch) => {
                    TriggerV1::Patch(small(patch.row)?, small(patch.column)?, small(patch.side)?, patch.values.clone())
                }
                Trigger::Overlay(overlay) => TriggerV1::Overlay(overlay.amplitude, overlay.pattern.clone()),
            },
            climbed: finding.climbed,
            search: [finding.search.0, finding.search.1],
            held_out: finding.held_out.iter().map(as_array).collect(),
        });
    }
    let first = TriggersV1 {
        family: match artifact.level.family {
            Family::Patch => FamilyV1::Patch,
            Family::Overlay => FamilyV1::Overlay,
            Family::Wave => FamilyV1::Wave,
            Family::Noise => FamilyV1::Noise,
            Family::Square => FamilyV1::Square,
        },
        strength: artifact.level.strength,
        shape: [small(height)?, small(width)?, small(channels)?],
        queries: artifact.queries,
        findings,
    };
    let payload = TriggersV2 { first, confusion: artifact.confusion.iter().map(as_array).collect() };
    let header = Header {
        provenance: artifact.provenance.clone(),
        trigger_search_version: artifact.trigger_search_version,
        level: artifact.level.to_string(),
        look: artifact.look,
    };
    Ok((serde_json::to_vec(&header).map_err(|error| encode_error(&error))?, to_payload(payload)?))
}

/// What the file says; whether it can be true is still to be checked.
pub(super) fn decode(version: u16, header: Header, payload: &[u8]) -> Result<TriggerArtifact, DecodeError> {
    let (wire, confusion): (TriggersV1, Vec<[u32; 4]>) = match version {
        1 => (from_payload(payload)?, Vec::new()),
        PAYLOAD_VERSION => {
            let TriggersV2 { first, confusion } = from_payload(payload)?;
            (first, confusion)
        }
        _ => return Err(DecodeError::PayloadVersion { found: version, supported: PAYLOAD_VERSION }),
    };
    let family = match wire.family {
        FamilyV1::Patch => Family::Patch,
        FamilyV1::Overlay => Family::Overlay,
        FamilyV1::Wave => Family::Wave,
        FamilyV1::Noise => Family::Noise,
        FamilyV1::Square => Family::Square,
    };
    let level = Level { family, strength: wire.strength };
    if level.to_string() != header.level {
        return Err(DecodeError::Inconsistent(format!("header of level {}, payload of {level}", header.level)));
    }
    let finding = |finding: FindingV1| TriggerFinding {
        aim: match finding.aim {
            AimV1::Label(label) => Aim::Label(label),
            AimV1::Pair(source, target) => Aim::Pair { source, target },
            AimV1::Map => Aim::Map,
        },
        trigger: finding.trigger.into(),
        climbed: finding.climbed,
        search: (finding.search[0], finding.search[1]),
        held_out: finding.held_out.into_iter().map(from_array).collect(),
    };
    Ok(TriggerArtifact {
        provenance: header.provenance,
        trigger_search_version: header.trigger_search_version,
        level,
        look: header.look,
        shape: wire.shape.map(|dimension| dimension as usize),
        queries: wire.queries,
        findings: wire.findings.into_iter().map(finding).collect(),
        confusion: confusion.into_iter().map(from_array).collect(),
    })
}

fn as_array(cell: &Turned) -> [u32; 4] {
    [cell.source, cell.target, cell.turned, cell.asked]
}

fn from_array([source, target, turned, asked]: [u32; 4]) -> Turned {
    Turned { source, target, turned, asked }
}

impl From<TriggerV1> for Trigger {
    fn from(wire: TriggerV1) -> Self {
        match wire {
            TriggerV1::Patch(row, column, side, values) => {
                Self::Patch(Patch { row: row as usize, column: column as usize, side: side as usize, values })
            }
            TriggerV1::Overlay(amplitude, pattern) => Self::Overlay(Overlay { amplitude, pattern }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container;
    use crate::provenance::example;

    fn artifact() -> TriggerArtifact {
        let trigger = |label: u32| {
            let patch = Patch { row: 1, column: 0, side: 2, values: vec![0.5; 12] };
            let cell = Turned { source: (label + 1) % 10, target: label, turned: 3, asked: 4 };
            TriggerFinding {
                aim: Aim::Label(label),
                trigger: Trigger::Patch(patch),
                climbed: true,
                search: (5, 6),
                held_out: vec![cell],
            }
        };
        let mut findings: Vec<TriggerFinding> = (0..example().model.classes).map(trigger).collect();
        findings.push(TriggerFinding { aim: Aim::Pair { source: 7, target: 2 }, ..trigger(2) });
        findings.push(TriggerFinding { aim: Aim::Map, climbed: false, search: (0, 9), held_out: vec![], ..trigger(0) });
        TriggerArtifact {
            provenance: example(),
            trigger_search_version: 1,
            level: Level { family: Family::Patch, strength: 32 },
            look: Look::Second,
            shape: [3, 2, 3],
            queries: 77,
            findings,
            confusion: vec![Turned { source: 7, target: 7, turned: 90, asked: 100 }],
        }
    }

    #[test]
    fn round_trip() {
        let bytes = artifact().to_bytes().unwrap();
        assert_eq!(TriggerArtifact::from_bytes(&bytes).unwrap(), artifact());
        assert!(matches!(crate::PairArtifact::from_bytes(&bytes), Err(DecodeError::Kind { found: 2, expected: 1 })));
    }

    #[test]
    fn files_of_the_first_version_are_read() {
        let (header, payload) = encode(&artifact()).unwrap();
        let TriggersV2 { first, .. } = from_payload(&payload).unwrap();
        let bytes = container::encode(KIND_TRIGGERS, 1, &header, &to_payload(first).unwrap()).unwrap();
        let expected = TriggerArtifact { confusion: Vec::new(), ..artifact() };
        assert_eq!(TriggerArtifact::from_bytes(&bytes).unwrap(), expected);
        let newer = container::encode(KIND_TRIGGERS, 3, &header, &payload).unwrap();
        let error = TriggerArtifact::from_bytes(&newer).unwrap_err();
        assert!(matches!(error, DecodeError::PayloadVersion { found: 3, supported: 2 }));
    }

    #[test]
    fn proofs_count_every_image_once() {
        let mut artifact = artifact();
        assert_eq!(artifact.label_proofs(), vec![(3, 4); 10]);
        let cell = |source, turned| Turned { source, target: (source + 1) % 10, turned, asked: 4 };
        assert_eq!(artifact.pair_proofs(), [Turned { source: 7, target: 2, turned: 3, asked: 4 }]);
        artifact.findings[11].held_out = vec![cell(0, 4), cell(1, 2)];
        assert_eq!(artifact.map_proof(), (6, 40));
    }

    #[test]
    fn patterns_are_kept_as_they_are() {
        let level = Level { family: Family::Wave, strength: 8 };
        let overlay = Trigger::Overlay(Overlay { amplitude: level.amplitude(), pattern: vec![-1.0; 18] });
        let mut artifact = TriggerArtifact { level, look: Look::First, ..artifact() };
        artifact.findings.iter_mut().for_each(|finding| finding.trigger = overlay.clone());
        assert_eq!(TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap(), artifact);
    }

    #[test]
    fn header_and_payload_are_of_one_level() {
        let (header, _) = encode(&artifact()).unwrap();
        let (_, payload) =
            encode(&TriggerArtifact { level: Level { family: Family::Patch, strength: 31 }, ..artifact() }).unwrap();
        let bytes = container::encode(KIND_TRIGGERS, PAYLOAD_VERSION, &header, &payload).unwrap();
        let error = TriggerArtifact::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("header of level patch-32, payload of patch-31"), "{error}");
    }
}
