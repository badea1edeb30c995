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
    let shape = wire.shape.map(|dimension| dimension as usize);
    let mut findings = Vec::with_capacity(wire.findings.len().min(payload.len()));
    for finding in wire.findings {
        let trigger = finding.trigger.into_domain(shape)?;
        findings.push(TriggerFinding {
            aim: match finding.aim {
                AimV1::Label(label) => Aim::Label(label),
                AimV1::Pair(source, target) => Aim::Pair { source, target },
                AimV1::Map => Aim::Map,
            },
            trigger,
            climbed: finding.climbed,
            search: (finding.search[0], finding.search[1]),
            held_out: finding.held_out.into_iter().map(from_array).collect(),
        });
    }
    let confusion: Vec<Turned> = confusion.into_iter().map(from_array).collect();
    let cells = findings.iter().flat_map(|finding| &finding.held_out).chain(&confusion);
    if let Some(cell) = cells.into_iter().find(|cell| cell.turned > cell.asked) {
        return Err(DecodeError::Inconsistent(format!("{} of {} images turned", cell.turned, cell.asked)));
    }
    let classes = header.provenance.model.classes;
    let labels = findings.iter().filter(|finding| matches!(finding.aim, Aim::Label(_))).count();
    if labels != classes as usize {
        return Err(DecodeError::Inconsistent(format!("{labels} labels of a model with {classes}")));
    }
    Ok(TriggerArtifact {
        provenance: header.provenance,
        trigger_search_version: header.trigger_search_version,
        level,
        look: header.look,
        shape,
        queries: wire.queries,
        findings,
        confusion,
    })
}

fn as_array(cell: &Turned) -> [u32; 4] {
    [cell.source, cell.target, cell.turned, cell.asked]
}

fn from_array([source, target, turned, asked]: [u32; 4]) -> Turned {
    Turned { source, target, turned, asked }
}

impl TriggerV1 {
    fn into_domain(self, [height, width, channels]: [usize; 3]) -> Result<Trigger, DecodeError> {
        let product = |a: usize, b: usize| a.checked_mul(b).and_then(|ab| ab.checked_mul(channels));
        let (trigger, needed, values) = match self {
            Self::Patch(row, column, side, values) => {
                let (row, column, side) = (row as usize, column as usize, side as usize);
                if row.saturating_add(side) > height || column.saturating_add(side) > width {
                    let what = format!(
                        "a patch of side {side} at row {row}, column {column} leaves an image of {height} x {width}"
                    );
                    return Err(DecodeError::Inconsistent(what));
                }
                (Trigger::Patch(Patch { row, column, side, values: values.clone() }), product(side, side), values)
            }
            Self::Overlay(amplitude, pattern) => {
                let trigger = Trigger::Overlay(Overlay { amplitude, pattern: pattern.clone() });
                (trigger, product(height, width), pattern)
            }
        };
        if Some(values.len()) != needed {
            return Err(DecodeError::Inconsistent(format!("a trigger has {} values, needs {needed:?}", values.len())));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(DecodeError::Inconsistent("a trigger has values that are not finite".to_owned()));
        }
        Ok(trigger)
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
        let overlay = Trigger::Overlay(Overlay { amplitude: 0.1, pattern: vec![-1.0; 18] });
        findings.push(TriggerFinding {
            aim: Aim::Map,
            trigger: overlay,
            climbed: false,
            search: (0, 9),
            held_out: vec![],
        });
        TriggerArtifact {
            provenance: example(),
            trigger_search_version: 1,
            level: Level { family: Family::Patch, strength: 4 },
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
    fn contradictions_are_named() {
        let why = |change: fn(&mut TriggerArtifact)| {
            let mut artifact = artifact();
            change(&mut artifact);
            TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap_err().to_string()
        };
        assert!(why(|a| a.shape = [2, 2, 3]).contains("leaves an image of 2 x 2"));
        assert!(why(|a| a.shape = [4, 2, 3]).contains("a trigger has 18 values"));
        assert!(why(|a| a.findings.truncate(3)).contains("3 labels of a model with"));
        assert!(why(|a| a.findings[0].held_out[0].turned = 5).contains("5 of 4 images turned"));
        assert!(why(|a| a.confusion[0].turned = 101).contains("101 of 100 images turned"));
        let nan = |a: &mut TriggerArtifact| {
            a.findings[0].trigger = Trigger::Patch(Patch { row: 0, column: 0, side: 1, values: vec![f32::NAN; 3] });
        };
        assert!(why(nan).contains("not finite"));
    }
}
