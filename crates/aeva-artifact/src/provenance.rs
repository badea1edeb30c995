//! Where perturbations come from: everything their values depend on, and nothing else.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the search; it grows when the same provenance would give other perturbations.
pub const SEARCH_VERSION: u32 = 1;

/// Everything the perturbations of a run depend on. Two runs of equal provenance give equal bytes, so file names, dates,
/// batch sizes, thread counts and the chosen pairs are not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// [`SEARCH_VERSION`] of the program.
    pub search_version: u32,
    /// The model that was asked.
    pub model: ModelProvenance,
    /// The images it was asked with.
    pub data: DataProvenance,
    /// The parameters of the search.
    pub search: SearchProvenance,
    /// Samples per pair that were asked for.
    pub samples: u32,
    /// Seed of the noise.
    pub seed: u64,
    /// What ran the model, for example `onnxruntime 1.31.1 cpu`: another provider rounds differently.
    pub provider: String,
}

/// The model of a [`Provenance`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelProvenance {
    /// SHA-256 of the model file, lower-case hexadecimal.
    pub sha256: String,
    /// Number of labels.
    pub classes: u32,
    /// How images in `[0, 1]` become the model's input.
    pub preprocessing: String,
}

/// The data of a [`Provenance`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataProvenance {
    /// SHA-256 of the decoded images and labels, so that the same images in another file format are the same data.
    pub sha256: String,
    /// Number of images.
    pub images: u64,
}

/// The HopSkipJump parameters of a [`Provenance`] (`docs/method.md` has their meaning).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchProvenance {
    /// Iterations `J`.
    pub iterations: u32,
    /// Initial evaluations `B0` of a gradient estimate.
    pub initial_evaluations: u32,
    /// Maximum evaluations of one gradient estimate.
    pub maximum_evaluations: u32,
    /// Threshold factor `gamma` of the bisection.
    pub gamma: f64,
    /// Maximum halvings of one step.
    pub maximum_halvings: u32,
    /// Queries after which one sample gives up, if limited.
    pub query_budget: Option<u64>,
}

impl Provenance {
    /// Key of the run: SHA-256 of the canonical JSON of all fields, lower-case hexadecimal.
    pub fn key(&self) -> String {
        // Serialising a struct of strings and numbers cannot fail; fields come in the order of their declaration.
        sha256_hex(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Each field in which `self` (found) and `wanted` differ, for error messages.
    pub(crate) fn differences(&self, wanted: &Self) -> Vec<String> {
        fn walk(path: &str, found: &serde_json::Value, wanted: &serde_json::Value, out: &mut Vec<String>) {
            match (found.as_object(), wanted.as_object()) {
                (Some(found), Some(wanted)) => {
                    for (name, value) in found {
                        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                        walk(&path, value, wanted.get(name).unwrap_or(&serde_json::Value::Null), out);
                    }
                }
                _ if found != wanted => out.push(format!("{path}: there {found}, asked for {wanted}")),
                _ => {}
            }
        }
        let mut out = Vec::new();
        let json = |provenance: &Self| serde_json::to_value(provenance).unwrap_or_default();
        walk("", &json(self), &json(wanted), &mut out);
        out
    }
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
pub(crate) fn example() -> Provenance {
    Provenance {
        search_version: SEARCH_VERSION,
        model: ModelProvenance { sha256: sha256_hex(b"model"), classes: 10, preprocessing: "nhwc".to_owned() },
        data: DataProvenance { sha256: sha256_hex(b"data"), images: 100 },
        search: SearchProvenance {
            iterations: 50,
            initial_evaluations: 100,
            maximum_evaluations: 30_000,
            gamma: 1.0,
            maximum_halvings: 64,
            query_budget: None,
        },
        samples: 2,
        seed: 7,
        provider: "test".to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::float_cmp, clippy::type_complexity, reason = "small known values")]
mod tests {
    use super::*;

    #[test]
    fn digests_are_sha256() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn every_field_changes_the_key_and_is_named() {
        let base = example();
        let changed: [(&str, fn(&mut Provenance)); 8] = [
            ("search_version", |p| p.search_version += 1),
            ("model.sha256", |p| p.model.sha256.clear()),
            ("model.preprocessing", |p| p.model.preprocessing.clear()),
            ("data.sha256", |p| p.data.sha256.clear()),
            ("search.iterations", |p| p.search.iterations += 1),
            ("search.query_budget", |p| p.search.query_budget = Some(1)),
            ("samples", |p| p.samples += 1),
            ("seed", |p| p.seed += 1),
        ];
        for (field, change) in changed {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(base.key(), other.key(), "{field}");
            let differences = base.differences(&other);
            assert_eq!(differences.len(), 1);
            assert!(differences[0].starts_with(&format!("{field}: ")), "{differences:?}");
        }
        assert_eq!(base.key(), base.clone().key());
    }
}
