//! The payload of pairs in the file. Wire types are not domain types: they never change, new versions are added beside
//! them, and old artifacts remain readable for ever. Only this file names or calls bincode.

use aeva_attack::perturbation::{Outcome, PairResult, QueryCounts, SampleRecord};
use bincode::config;
use serde::{Deserialize, Serialize};

use crate::container;
use crate::error::{DecodeError, EncodeError};
use crate::limits::{check_classes, check_pair, check_queries, check_shape};
use crate::pair::PairArtifact;
use crate::provenance::PairProvenance;

pub(crate) const KIND_PAIR: u16 = 1;
pub(crate) const PAYLOAD_VERSION: u16 = 1;

/// JSON header of a pair artifact, all payload versions.
#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) provenance: PairProvenance,
    pub(crate) source: u32,
    pub(crate) target: u32,
}

#[derive(Serialize, Deserialize)]
struct PairV1 {
    source: u32,
    target: u32,
    shape: [u32; 3],
    samples: Vec<SampleV1>,
}

#[derive(Serialize, Deserialize)]
struct SampleV1 {
    sample: u32,
    origin_index: u64,
    start_index: u64,
    outcome: OutcomeV1,
    iterations: u32,
    distance: f64,
    /// start, bisection, gradient, step
    queries: [u64; 4],
    perturbation: Option<Vec<f32>>,
}

#[derive(Serialize, Deserialize)]
enum OutcomeV1 {
    Finished,
    Budget,
    StartRejected,
    StepUnderflow,
}

impl PairArtifact {
    /// Encodes the latest version of the file format (`docs/formats.md`).
    ///
    /// # Errors
    /// If the format cannot represent the artifact (an image dimension above 2^32).
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let (source, target) = (self.result.source, self.result.target);
        let header = to_header(&Header { provenance: self.provenance.clone(), source, target })?;
        container::encode(KIND_PAIR, PAYLOAD_VERSION, &header, &encode(&self.result)?)
    }

    /// Reads any version of the file format.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong. Nothing is allocated for a length that exceeds the file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let container = container::decode(bytes, KIND_PAIR)?;
        let header: Header = serde_json::from_slice(container.header).map_err(DecodeError::Header)?;
        decode(container.payload_version, header, container.payload)
    }
}

/// Integers are little-endian with a fixed width: sizes are predictable, and the format is easy to read elsewhere.
fn wire_config() -> impl config::Config {
    config::standard().with_fixed_int_encoding()
}

pub(crate) fn encode(pair: &PairResult) -> Result<Vec<u8>, EncodeError> {
    let (shape, samples) = (dimensions(pair.shape)?, pair.samples.iter().map(SampleV1::from).collect());
    to_payload(PairV1 { source: pair.source, target: pair.target, shape, samples })
}

/// Encodes a header of any kind.
pub(crate) fn to_header(header: &impl Serialize) -> Result<Vec<u8>, EncodeError> {
    serde_json::to_vec(header).map_err(EncodeError::Header)
}

/// Encodes a payload of any kind.
pub(crate) fn to_payload(wire: impl Serialize) -> Result<Vec<u8>, EncodeError> {
    bincode::serde::encode_to_vec(wire, wire_config()).map_err(|error| EncodeError::Payload(Box::new(error)))
}

/// The dimensions of an image, in the 32 bits of the file format.
pub(crate) fn dimensions(found: [usize; 3]) -> Result<[u32; 3], EncodeError> {
    let [height, width, channels] = found;
    Ok([dimension(height)?, dimension(width)?, dimension(channels)?])
}

/// A dimension of an image or a position in it, in the 32 bits of the file format.
pub(crate) fn dimension(found: usize) -> Result<u32, EncodeError> {
    u32::try_from(found).map_err(|_| EncodeError::Dimension { found })
}

/// Reads a whole payload of any kind.
pub(crate) fn from_payload<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    let (wire, read): (T, usize) = bincode::serde::decode_from_slice(payload, wire_config())
        .map_err(|error| DecodeError::Payload(Box::new(error)))?;
    if read != payload.len() {
        return Err(DecodeError::Payload(format!("{} bytes left over", payload.len() - read).into()));
    }
    Ok(wire)
}

pub(crate) fn decode(version: u16, header: Header, payload: &[u8]) -> Result<PairArtifact, DecodeError> {
    if version != PAYLOAD_VERSION {
        return Err(DecodeError::PayloadVersion { found: version, supported: PAYLOAD_VERSION });
    }
    let wire: PairV1 = from_payload(payload)?;
    wire.into_domain(header)
}

impl PairV1 {
    fn into_domain(self, header: Header) -> Result<PairArtifact, DecodeError> {
        if (self.source, self.target) != (header.source, header.target) {
            return Err(DecodeError::Inconsistent(format!(
                "header of pair {} -> {}, payload of {} -> {}",
                header.source, header.target, self.source, self.target
            )));
        }
        let classes = check_classes(header.provenance.model.classes)?;
        check_pair(self.source, self.target, classes)?;
        let shape = self.shape.map(|dimension| dimension as usize);
        let values = check_shape(shape)?;
        check_queries(self.samples.iter().flat_map(|sample| sample.queries))?;
        for sample in &self.samples {
            sample.check(values, header.provenance.data.images)?;
        }
        let samples = self.samples.into_iter().map(SampleRecord::from).collect();
        let result = PairResult { source: self.source, target: self.target, shape, samples };
        Ok(PairArtifact { provenance: header.provenance, result })
    }
}

impl SampleV1 {
    /// Checks that the fields fit a data set of `images` images with `values` values each.
    fn check(&self, values: usize, images: u64) -> Result<(), DecodeError> {
        let sample = self.sample;
        if let Some(found) = [self.origin_index, self.start_index].into_iter().find(|&index| index >= images) {
            return Err(DecodeError::Image { sample, found, images });
        }
        if !(self.distance.is_finite() && self.distance >= 0.0) {
            return Err(DecodeError::Distance { sample, found: self.distance });
        }
        let inconsistent = |what: String| Err(DecodeError::Inconsistent(format!("sample {sample} {what}")));
        match &self.perturbation {
            Some(v) if v.len() != values => inconsistent(format!("has {} values, its shape needs {values}", v.len())),
            Some(v) if v.iter().any(|value| !value.is_finite()) => {
                inconsistent("has values that are not finite".to_owned())
            }
            None if matches!(self.outcome, OutcomeV1::Finished) => {
                inconsistent("is finished but has no perturbation".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl From<&SampleRecord> for SampleV1 {
    fn from(record: &SampleRecord) -> Self {
        let QueryCounts { start, bisection, gradient, step } = record.queries;
        Self {
            sample: record.sample,
            origin_index: record.origin_index,
            start_index: record.start_index,
            outcome: match record.outcome {
                Outcome::Finished => OutcomeV1::Finished,
                Outcome::Budget => OutcomeV1::Budget,
                Outcome::StartRejected => OutcomeV1::StartRejected,
                Outcome::StepUnderflow => OutcomeV1::StepUnderflow,
            },
            iterations: record.iterations,
            distance: record.distance,
            queries: [start, bisection, gradient, step],
            perturbation: record.perturbation.clone(),
        }
    }
}

impl From<SampleV1> for SampleRecord {
    fn from(wire: SampleV1) -> Self {
        let [start, bisection, gradient, step] = wire.queries;
        Self {
            sample: wire.sample,
            origin_index: wire.origin_index,
            start_index: wire.start_index,
            outcome: match wire.outcome {
                OutcomeV1::Finished => Outcome::Finished,
                OutcomeV1::Budget => Outcome::Budget,
                OutcomeV1::StartRejected => Outcome::StartRejected,
                OutcomeV1::StepUnderflow => Outcome::StepUnderflow,
            },
            iterations: wire.iterations,
            distance: wire.distance,
            queries: QueryCounts { start, bisection, gradient, step },
            perturbation: wire.perturbation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::examples;
    use proptest::prelude::*;

    fn pair(samples: Vec<SampleRecord>) -> PairArtifact {
        PairArtifact {
            provenance: examples::pair(),
            result: PairResult { source: 3, target: 1, shape: [2, 1, 3], samples },
        }
    }

    fn record(sample: u32, perturbation: Option<Vec<f32>>) -> SampleRecord {
        SampleRecord {
            sample,
            origin_index: 11,
            start_index: 12,
            outcome: if perturbation.is_some() { Outcome::Finished } else { Outcome::StartRejected },
            iterations: 50,
            distance: 0.25,
            queries: QueryCounts { start: 1, bisection: 2, gradient: 3, step: 4 },
            perturbation,
        }
    }

    /// Bytes of a pair whose payload was changed after encoding, with a valid checksum.
    fn tampered(change: impl FnOnce(&mut PairV1)) -> Vec<u8> {
        let domain = pair(vec![record(0, Some(vec![0.5; 6]))]);
        let mut wire = PairV1 {
            source: 3,
            target: 1,
            shape: [2, 1, 3],
            samples: domain.result.samples.iter().map(SampleV1::from).collect(),
        };
        change(&mut wire);
        let header = Header { provenance: domain.provenance, source: 3, target: 1 };
        let payload = bincode::serde::encode_to_vec(wire, wire_config()).unwrap();
        container::encode(KIND_PAIR, PAYLOAD_VERSION, &serde_json::to_vec(&header).unwrap(), &payload).unwrap()
    }

    #[test]
    fn contradictions_are_named() {
        let why = |change: fn(&mut PairV1)| PairArtifact::from_bytes(&tampered(change)).unwrap_err().to_string();
        assert!(PairArtifact::from_bytes(&tampered(|_| {})).is_ok());
        assert!(why(|p| p.target = 2).contains("header of pair 3 -> 1, payload of 3 -> 2"));
        assert!(why(|p| p.shape[0] = 5).contains("has 6 values"));
        assert!(why(|p| p.samples[0].perturbation = Some(vec![f32::NAN; 6])).contains("not finite"));
        assert!(why(|p| p.samples[0].perturbation = None).contains("has no perturbation"));
    }

    #[test]
    fn impossible_contents_are_named() {
        let error = |change: fn(&mut PairV1)| PairArtifact::from_bytes(&tampered(change)).unwrap_err();
        for shape in [[u32::MAX; 3], [2, 1, 0], [0, 1, 3], [60_000, 60_000, 1]] {
            let error = PairArtifact::from_bytes(&tampered(|p| p.shape = shape)).unwrap_err();
            assert!(matches!(error, DecodeError::Shape { .. }), "{error}");
        }
        for distance in [f64::NAN, f64::INFINITY, -1.0] {
            let error = PairArtifact::from_bytes(&tampered(|p| p.samples[0].distance = distance)).unwrap_err();
            assert!(matches!(error, DecodeError::Distance { sample: 0, .. }), "{error}");
        }
        let far = error(|p| p.samples[0].origin_index = u64::MAX);
        assert!(matches!(far, DecodeError::Image { found: u64::MAX, images: 100, .. }), "{far}");
        assert!(matches!(error(|p| p.samples[0].start_index = 100), DecodeError::Image { found: 100, .. }));
        let queries = error(|p| p.samples[0].queries = [u64::MAX; 4]);
        assert!(matches!(queries, DecodeError::TooManyQueries { found: u64::MAX, .. }), "{queries}");
        let of = |source, target, classes| {
            let mut pair = pair(vec![]);
            (pair.result.source, pair.result.target) = (source, target);
            pair.provenance.model.classes = classes;
            PairArtifact::from_bytes(&pair.to_bytes().unwrap())
        };
        assert!(of(3, 1, 4).is_ok());
        assert!(matches!(of(3, 1, 3), Err(DecodeError::Label { what: "a source", found: 3, classes: 3 })));
        assert!(matches!(of(0, 7, 3), Err(DecodeError::Label { what: "a target", found: 7, classes: 3 })));
        assert!(matches!(of(2, 2, 3), Err(DecodeError::SelfPair { label: 2 })));
        assert!(matches!(of(2, 1, u32::MAX), Err(DecodeError::Classes { found: u32::MAX, .. })));
    }

    #[test]
    fn other_payloads_are_refused() {
        let header = Header { provenance: examples::pair(), source: 3, target: 1 };
        let header = serde_json::to_vec(&header).unwrap();
        let decode = |version, header: &[u8], payload: &[u8]| {
            PairArtifact::from_bytes(&container::encode(KIND_PAIR, version, header, payload).unwrap()).unwrap_err()
        };
        assert!(matches!(decode(2, &header, b""), DecodeError::PayloadVersion { found: 2, supported: 1 }));
        assert!(matches!(decode(1, b"{}", b""), DecodeError::Header(_)));
        assert!(matches!(decode(1, &header, b"\x01"), DecodeError::Payload(_)));
        // A claimed length far beyond the payload must fail without an allocation.
        let mut huge = [3_u32, 1, 2, 1, 3].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        huge.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(decode(1, &header, &huge), DecodeError::Payload(_)));
        let mut longer = encode(&pair(vec![]).result).unwrap();
        longer.push(0);
        assert!(matches!(decode(1, &header, &longer), DecodeError::Payload(_)));
    }

    proptest! {
        #[test]
        fn round_trip(values in prop::collection::vec(-1.0..1.0_f32, 6), count in 0_u32..4) {
            let mut samples: Vec<SampleRecord> = (0..count).map(|k| record(k, Some(values.clone()))).collect();
            samples.push(record(count, None));
            let pair = pair(samples);
            let bytes = pair.to_bytes().unwrap();
            prop_assert_eq!(PairArtifact::from_bytes(&bytes).unwrap(), pair.clone());
            prop_assert_eq!(pair.to_bytes().unwrap(), bytes);
        }
    }
}
