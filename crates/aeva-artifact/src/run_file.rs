//! `run.json` as a file. A version never changes; new ones are added beside it, and old files remain readable for ever.

use serde::{Deserialize, Serialize};

use crate::error::RunInfoError;
use crate::provenance::{PairProvenance, PerturbationProvenance, Provenance, sha256_hex};
use crate::run_info::{RunInfo, SCHEMA_VERSION};

/// Largest file that is read. Two counts for each of [`MAX_CLASSES`](crate::MAX_CLASSES) labels, one per line, take
/// some 4 MiB.
pub(crate) const MAX_BYTES: u64 = 8 << 20;

/// The field that all versions have.
#[derive(Deserialize)]
struct AnyVersion {
    schema_version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunV1 {
    #[serde(rename = "schema_version")]
    _schema_version: u32,
    key: String,
    model_name: String,
    data_name: String,
    clean_accuracy: f64,
    clean_queries: u64,
    notes: Vec<String>,
    provenance: PairProvenance,
}

/// Version 1 plus the model's answers to clean images and a checksum.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunV2 {
    schema_version: u32,
    key: String,
    model_name: String,
    data_name: String,
    clean_accuracy: f64,
    clean_correct: Vec<u32>,
    clean_images: Vec<u32>,
    clean_answers: Option<String>,
    clean_queries: u64,
    notes: Vec<String>,
    provenance: PairProvenance,
    /// SHA-256 of the JSON of all other fields in this order, without spaces; always present in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

/// Version 2, with the provenance of perturbations separate from that of all searches.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunV3 {
    schema_version: u32,
    key: String,
    model_name: String,
    data_name: String,
    clean_accuracy: f64,
    clean_correct: Vec<u32>,
    clean_images: Vec<u32>,
    clean_answers: Option<String>,
    clean_queries: u64,
    notes: Vec<String>,
    provenance: Provenance,
    perturbations: PerturbationProvenance,
    /// As in version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

/// A version with a checksum.
trait Checked: Serialize {
    fn checksum(&mut self) -> &mut Option<String>;

    /// The checksum of a description that does not have one yet.
    fn own_checksum(&self) -> Result<String, RunInfoError> {
        Ok(sha256_hex(&serde_json::to_vec(self).map_err(RunInfoError::Json)?))
    }

    fn verify(&mut self) -> Result<(), RunInfoError> {
        let found = self.checksum().take().ok_or(RunInfoError::NoChecksum)?;
        let expected = self.own_checksum()?;
        if found == expected { Ok(()) } else { Err(RunInfoError::Checksum { found, expected }) }
    }
}

impl Checked for RunV2 {
    fn checksum(&mut self) -> &mut Option<String> {
        &mut self.checksum
    }
}

impl Checked for RunV3 {
    fn checksum(&mut self) -> &mut Option<String> {
        &mut self.checksum
    }
}

/// Encodes the latest version.
pub(crate) fn encode(info: &RunInfo) -> Result<Vec<u8>, RunInfoError> {
    info.check()?;
    let mut wire = RunV3 {
        schema_version: SCHEMA_VERSION,
        key: info.key.clone(),
        model_name: info.model_name.clone(),
        data_name: info.data_name.clone(),
        clean_accuracy: info.clean_accuracy,
        clean_correct: info.clean_correct.clone(),
        clean_images: info.clean_images.clone(),
        clean_answers: info.clean_answers.clone(),
        clean_queries: info.clean_queries,
        notes: info.notes.clone(),
        provenance: info.provenance.clone(),
        perturbations: info.perturbations.clone(),
        checksum: None,
    };
    wire.checksum = Some(wire.own_checksum()?);
    let mut text = serde_json::to_vec_pretty(&wire).map_err(RunInfoError::Json)?;
    text.push(b'\n');
    Ok(text)
}

/// Reads any version.
pub(crate) fn decode(text: &[u8]) -> Result<RunInfo, RunInfoError> {
    let AnyVersion { schema_version } = serde_json::from_slice(text).map_err(RunInfoError::Json)?;
    let info = match schema_version {
        1 => serde_json::from_slice::<RunV1>(text).map_err(RunInfoError::Json)?.into_info()?,
        2 => serde_json::from_slice::<RunV2>(text).map_err(RunInfoError::Json)?.into_info()?,
        3 => serde_json::from_slice::<RunV3>(text).map_err(RunInfoError::Json)?.into_info()?,
        found => return Err(RunInfoError::Version { found, supported: SCHEMA_VERSION }),
    };
    info.check()?;
    Ok(info)
}

/// Converts a run of versions 1 and 2. There the key was computed from the provenance of the perturbations.
fn of_perturbations(found: String, provenance: PairProvenance) -> Result<RunInfo, RunInfoError> {
    let expected = provenance.key();
    if found != expected {
        return Err(RunInfoError::Key { found, expected });
    }
    let (provenance, perturbations) = provenance.split();
    Ok(RunInfo::new(provenance, perturbations))
}

impl RunV1 {
    fn into_info(self) -> Result<RunInfo, RunInfoError> {
        Ok(RunInfo {
            schema_version: 1,
            model_name: self.model_name,
            data_name: self.data_name,
            clean_accuracy: self.clean_accuracy,
            clean_queries: self.clean_queries,
            notes: self.notes,
            ..of_perturbations(self.key, self.provenance)?
        })
    }
}

impl RunV2 {
    fn into_info(mut self) -> Result<RunInfo, RunInfoError> {
        self.verify()?;
        Ok(RunInfo {
            schema_version: 2,
            model_name: self.model_name,
            data_name: self.data_name,
            clean_accuracy: self.clean_accuracy,
            clean_correct: self.clean_correct,
            clean_images: self.clean_images,
            clean_answers: self.clean_answers,
            clean_queries: self.clean_queries,
            notes: self.notes,
            ..of_perturbations(self.key, self.provenance)?
        })
    }
}

impl RunV3 {
    fn into_info(mut self) -> Result<RunInfo, RunInfoError> {
        self.verify()?;
        Ok(RunInfo {
            schema_version: 3,
            key: self.key,
            model_name: self.model_name,
            data_name: self.data_name,
            clean_accuracy: self.clean_accuracy,
            clean_correct: self.clean_correct,
            clean_images: self.clean_images,
            clean_answers: self.clean_answers,
            clean_queries: self.clean_queries,
            notes: self.notes,
            provenance: self.provenance,
            perturbations: self.perturbations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::examples;
    use proptest::prelude::*;

    fn info() -> RunInfo {
        RunInfo {
            model_name: "model.onnx".to_owned(),
            data_name: "data.npz".to_owned(),
            clean_accuracy: 0.9738430583501007,
            clean_correct: (0..10).collect(),
            clean_images: vec![10; 10],
            clean_answers: Some(sha256_hex(b"answers")),
            clean_queries: 100,
            notes: vec!["a \"note\"\n".to_owned()],
            ..RunInfo::new(examples::run(), examples::perturbations())
        }
    }

    /// A description as version 1 wrote it.
    fn first_version() -> serde_json::Value {
        let info = info();
        let provenance = examples::pair();
        serde_json::json!({
            "schema_version": 1, "key": provenance.key(), "model_name": "model.onnx", "data_name": "data.npz",
            "clean_accuracy": info.clean_accuracy, "clean_queries": 100, "notes": [], "provenance": provenance,
        })
    }

    #[test]
    fn round_trip() {
        let text = encode(&info()).unwrap();
        let read = decode(&text).unwrap();
        assert_eq!(read, info());
        assert_eq!(read.clean_accuracy.to_bits(), 0.9738430583501007_f64.to_bits());
        assert_eq!(encode(&read).unwrap(), text);
    }

    #[test]
    fn the_checksum_is_that_of_the_other_fields() {
        let text = String::from_utf8(encode(&info()).unwrap()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        // The test removes the last field from the text, and all spaces outside strings.
        let (others, _) = text.split_once(",\n  \"checksum\"").unwrap();
        let compact: String = others.lines().map(|line| line.trim_start().replacen("\": ", "\":", 1)).collect();
        assert_eq!(json["checksum"], sha256_hex(format!("{compact}}}").as_bytes()));
    }

    /// Changing spaces changes no content; any other change is detected.
    #[test]
    fn any_other_character_is_noticed_or_says_the_same() {
        let text = encode(&info()).unwrap();
        for at in 0..text.len() {
            for other in [b'0', b'1', b'9', b'a', b'f', b'Z', b' ', b'"', b',', b'.', b'-', text[at] ^ 1, text[at] ^ 32]
            {
                let mut changed = text.clone();
                changed[at] = other;
                if let Ok(read) = decode(&changed) {
                    assert_eq!(read, info(), "byte {at} as {other}");
                }
            }
        }
        for cut in 0..text.len() - 1 {
            assert!(decode(&text[..cut]).is_err(), "{cut} bytes");
        }
    }

    #[test]
    fn files_of_the_first_version_are_read() {
        let read = decode(first_version().to_string().as_bytes()).unwrap();
        let expected = RunInfo {
            schema_version: 1,
            clean_correct: Vec::new(),
            clean_images: Vec::new(),
            clean_answers: None,
            notes: Vec::new(),
            ..info()
        };
        assert_eq!(read, expected);
        for (field, value) in [("checksum", "00".into()), ("clean_correct", serde_json::json!([])), ("x", 1.into())] {
            let mut changed = first_version();
            changed[field] = value;
            let error = decode(changed.to_string().as_bytes()).unwrap_err();
            assert!(matches!(&error, RunInfoError::Json(json) if json.to_string().contains(field)), "{error:?}");
        }
        let mut other_key = first_version();
        other_key["key"] = "00".into();
        assert!(matches!(decode(other_key.to_string().as_bytes()), Err(RunInfoError::Key { .. })));
    }

    #[test]
    fn files_of_the_second_version_are_read() {
        let (info, provenance) = (info(), examples::pair());
        let mut wire = RunV2 {
            schema_version: 2,
            key: provenance.key(),
            model_name: info.model_name.clone(),
            data_name: info.data_name.clone(),
            clean_accuracy: info.clean_accuracy,
            clean_correct: info.clean_correct.clone(),
            clean_images: info.clean_images.clone(),
            clean_answers: info.clean_answers.clone(),
            clean_queries: info.clean_queries,
            notes: info.notes.clone(),
            provenance,
            checksum: None,
        };
        wire.checksum = Some(wire.own_checksum().unwrap());
        let text = serde_json::to_vec_pretty(&wire).unwrap();
        assert_eq!(decode(&text).unwrap(), RunInfo { schema_version: 2, ..info });
        wire.key = "00".to_owned();
        wire.checksum = None;
        wire.checksum = Some(wire.own_checksum().unwrap());
        let text = serde_json::to_vec_pretty(&wire).unwrap();
        assert!(matches!(decode(&text), Err(RunInfoError::Key { .. })));
    }

    #[test]
    fn other_versions_are_named() {
        for version in [0_u64, 4, 99, u64::MAX] {
            let mut changed = first_version();
            changed["schema_version"] = version.into();
            let error = decode(changed.to_string().as_bytes()).unwrap_err();
            assert!(matches!(error, RunInfoError::Version { found, supported: 3 } if found == version), "{error:?}");
        }
        assert!(matches!(decode(b"{}"), Err(RunInfoError::Json(_))));
        assert!(matches!(decode("[".repeat(100_000).as_bytes()), Err(RunInfoError::Json(_))));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let change = |change: fn(&mut serde_json::Value)| {
            let mut json: serde_json::Value = serde_json::from_slice(&encode(&info()).unwrap()).unwrap();
            change(&mut json);
            decode(json.to_string().as_bytes()).unwrap_err()
        };
        assert!(matches!(change(|j| j["model_name"] = "other".into()), RunInfoError::Checksum { .. }));
        assert!(matches!(change(|j| j["clean_accuracy"] = 1.into()), RunInfoError::Checksum { .. }));
        assert!(matches!(change(|j| j["provenance"]["seed"] = 8.into()), RunInfoError::Checksum { .. }));
        assert!(matches!(change(|j| j["checksum"] = serde_json::Value::Null), RunInfoError::NoChecksum));
        assert!(matches!(change(|j| j["x"] = 1.into()), RunInfoError::Json(_)));
        assert!(matches!(change(|j| j["provenance"]["x"] = 1.into()), RunInfoError::Json(_)));
        assert!(matches!(change(|j| j["perturbations"]["search"]["x"] = 1.into()), RunInfoError::Json(_)));
        assert!(matches!(change(|j| j["schema_version"] = 1.into()), RunInfoError::Json(_)));
    }

    #[test]
    fn the_most_labels_fit_the_largest_file() {
        let mut provenance = examples::run();
        provenance.model.classes = crate::MAX_CLASSES;
        let counts = vec![u32::MAX; crate::MAX_CLASSES as usize];
        let new = RunInfo::new(provenance, examples::perturbations());
        let info = RunInfo { clean_correct: counts.clone(), clean_images: counts, ..new };
        let text = encode(&info).unwrap();
        assert!((text.len() as u64) < MAX_BYTES / 2, "{} bytes", text.len());
        assert_eq!(decode(&text).unwrap(), info);
    }

    proptest! {
        #[test]
        fn figures_are_exact(accuracy in 0.0..=1.0_f64, gamma in any::<f64>().prop_filter("finite", |g| g.is_finite())) {
            let mut perturbations = examples::perturbations();
            perturbations.search.gamma = gamma;
            let info = RunInfo { clean_accuracy: accuracy, ..RunInfo::new(examples::run(), perturbations) };
            let read = decode(&encode(&info).unwrap()).unwrap();
            prop_assert_eq!(read.clean_accuracy.to_bits(), accuracy.to_bits());
            prop_assert_eq!(read.perturbations.search.gamma.to_bits(), gamma.to_bits());
        }
    }
}
