//! The file of trigger artifacts: headers, versions, and which payload goes with which.

use aeva_attack::trigger::{Pass, PassId};
use serde::{Deserialize, Serialize};

use super::TriggerArtifact;
use super::check::check;
use super::earlier::{self, HeaderV1};
use super::payload::{TriggersV4, TriggersV5};
use crate::container;
use crate::error::{DecodeError, EncodeError};
use crate::provenance::Provenance;
use crate::wire::{from_payload, to_header, to_payload};

const KIND_TRIGGERS: u16 = 2;
const PAYLOAD_VERSION: u16 = 5;

/// JSON header of payload versions 3 to 5.
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
    Ok((to_header(&header)?, to_payload(TriggersV5::new(setting, artifact.shape, &artifact.result)?)?))
}

/// Decodes the content of the file. Whether its parts go together is for [`check`] to say.
fn decode(version: u16, header: &[u8], payload: &[u8]) -> Result<TriggerArtifact, DecodeError> {
    let (provenance, trigger_search_version, name, pass) = match version {
        1 | 2 => {
            let HeaderV1 { provenance, trigger_search_version, level, look } =
                serde_json::from_slice(header).map_err(DecodeError::Header)?;
            let pass = if look.is_first() { Pass::Explore } else { Pass::Refine };
            (provenance.split().0, trigger_search_version, level, pass)
        }
        3 | 4 | PAYLOAD_VERSION => {
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
    let of_earlier = |first: TriggersV4| TriggersV5 { first, unlabelled: 0 };
    let wire: TriggersV5 = match version {
        PAYLOAD_VERSION => from_payload(payload)?,
        4 => of_earlier(from_payload(payload)?),
        _ => of_earlier(earlier::read(version, payload)?),
    };
    let (setting, shape, result) = wire.into_domain()?;
    if setting.to_string() != name {
        return Err(DecodeError::Inconsistent(format!("header of setting {name}, payload of {setting}")));
    }
    Ok(TriggerArtifact { provenance, trigger_search_version, id: PassId { setting, pass }, shape, result })
}

#[cfg(test)]
mod tests {
    use super::earlier::LookV1;
    use super::*;
    use crate::provenance::examples;
    use aeva_attack::trigger::{Overlay, PassResult, Patch, Setting, Trigger, TriggerFinding, Unfit};
    use aeva_stats::{Family, PairTally, Shape, Tally, TargetMap};

    fn wire(artifact: &TriggerArtifact) -> TriggersV4 {
        TriggersV4::new(artifact.id.setting, artifact.shape, &artifact.result).unwrap()
    }

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
                kept: vec![PairTally { source: target, target, tally: tally(2, 4) }],
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
                unlabelled: 3,
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
        let old = |version| {
            let payload = earlier::examples::written(version, wire(&artifact()));
            container::encode(KIND_TRIGGERS, version, &header, &payload).unwrap()
        };
        // Earlier versions do not tell how many images have no label, and the first one no answers at all.
        let mut expected = artifact();
        expected.result.unlabelled = 0;
        assert_eq!(TriggerArtifact::from_bytes(&old(2)).unwrap(), expected);
        let mut first = expected.clone();
        first.result.confusion.clear();
        assert_eq!(TriggerArtifact::from_bytes(&old(1)).unwrap(), first);
        // A header of one version does not go with the payload of another.
        assert!(matches!(TriggerArtifact::from_bytes(&old(3)), Err(DecodeError::Header(_))));
        let (header, payload) = encode(&artifact()).unwrap();
        let third = earlier::examples::written(3, wire(&artifact()));
        let third = container::encode(KIND_TRIGGERS, 3, &header, &third).unwrap();
        assert_eq!(TriggerArtifact::from_bytes(&third).unwrap(), expected);
        let fourth = container::encode(KIND_TRIGGERS, 4, &header, &to_payload(wire(&artifact())).unwrap()).unwrap();
        assert_eq!(TriggerArtifact::from_bytes(&fourth).unwrap(), expected);
        let newer = container::encode(KIND_TRIGGERS, 6, &header, &payload).unwrap();
        let error = TriggerArtifact::from_bytes(&newer).unwrap_err();
        assert!(matches!(error, DecodeError::PayloadVersion { found: 6, supported: 5 }));
    }

    #[test]
    fn patterns_are_kept_as_they_are() {
        let setting = Setting { family: Family::Wave, strength: 8 };
        let overlay = Trigger::Overlay(Overlay { amplitude: setting.amplitude(), pattern: vec![-1.0; 18] });
        let mut artifact = TriggerArtifact { id: PassId { setting, pass: Pass::Explore }, ..artifact() };
        artifact.result.findings.iter_mut().for_each(|finding| finding.trigger = overlay.clone());
        assert_eq!(TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap(), artifact);
        let header = HeaderV1 {
            provenance: examples::pair(),
            trigger_search_version: 1,
            level: "wave-08".to_owned(),
            look: LookV1::First,
        };
        let payload = earlier::examples::written(2, wire(&artifact));
        let old = container::encode(KIND_TRIGGERS, 2, &to_header(&header).unwrap(), &payload).unwrap();
        artifact.result.unlabelled = 0;
        assert_eq!(TriggerArtifact::from_bytes(&old).unwrap(), artifact);
    }

    /// The error of a payload that was changed after encoding, with a valid checksum.
    fn tampered(change: impl FnOnce(&mut TriggersV4)) -> DecodeError {
        let mut wire = wire(&artifact());
        change(&mut wire);
        let (header, _) = encode(&artifact()).unwrap();
        let payload = to_payload(TriggersV5 { first: wire, unlabelled: 0 }).unwrap();
        let bytes = container::encode(KIND_TRIGGERS, PAYLOAD_VERSION, &header, &payload).unwrap();
        TriggerArtifact::from_bytes(&bytes).unwrap_err()
    }

    #[test]
    fn impossible_contents_are_named() {
        let error = tampered(|wire| wire.strength = 31).to_string();
        assert!(error.contains("header of setting patch-32, payload of patch-31"), "{error}");
        let family = tampered(|wire| wire.family = 9);
        assert!(matches!(family, DecodeError::UnknownFamily { found: 9 }), "{family}");
        let hits = tampered(|wire| wire.findings[2].holdout = vec![[1, 2, 5, 4]]).to_string();
        assert!(hits.contains("5 hits of 4 trials"), "{hits}");
        let search = tampered(|wire| wire.findings[2].search = [7, 6]).to_string();
        assert!(search.contains("7 hits of 6 trials"), "{search}");
        let confusion = tampered(|wire| wire.confusion = vec![[0, 1, 101, 100]]).to_string();
        assert!(confusion.contains("101 hits of 100 trials"), "{confusion}");
    }

    #[test]
    fn triggers_that_no_shape_has_are_named() {
        let shape = tampered(|wire| wire.findings[2].trigger.shape = 256);
        let known = Shape::ALL.map(|shape| shape.spec().number);
        assert!(
            matches!(&shape, DecodeError::UnknownShape { found: 256, supported } if *supported == known),
            "{shape}"
        );
        assert_eq!(shape.to_string(), format!("a trigger has shape number 256, but this program knows {known:?}"));
        let count = |change: fn(&mut Vec<u32>, &mut Vec<f32>)| {
            tampered(|wire| {
                let trigger = &mut wire.findings[2].trigger;
                change(&mut trigger.numbers, &mut trigger.reals);
            })
        };
        let few = count(|numbers, _| numbers.truncate(2));
        assert!(matches!(few, DecodeError::Trigger(Unfit::Count { part: "numbers", found: 2, .. })), "{few}");
        let more = count(|_, reals| reals.push(0.5));
        assert!(matches!(more, DecodeError::Trigger(Unfit::Count { part: "reals", found: 1, .. })), "{more}");
        let far = count(|numbers, _| numbers[0] = u32::MAX);
        assert!(matches!(far, DecodeError::Trigger(Unfit::Outside { row: 0xffff_ffff, .. })), "{far}");
        // A shape that is known, though not that of the family.
        let other = tampered(|wire| {
            let trigger = &mut wire.findings[2].trigger;
            (trigger.shape, trigger.numbers, trigger.reals) = (1, vec![], vec![0.5]);
        });
        assert!(matches!(other, DecodeError::Trigger(Unfit::Family { expected: "patch", .. })), "{other}");
    }
}
