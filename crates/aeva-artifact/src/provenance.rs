//! Provenance: everything that the values of results depend on, and nothing else.
//!
//! [`Provenance`] is what all searches of a run depend on. [`PerturbationProvenance`] is what perturbations depend on
//! as well. Triggers depend on the [`Provenance`] and the version of their search only, so a change of the perturbation
//! parameters does not invalidate the triggers of a run.

use aeva_attack::{HopSkipJumpBuilder, HopSkipJumpParams};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the search for perturbations. It increases when the same provenance would give different perturbations.
pub const SEARCH_VERSION: u32 = 1;

/// Everything that all searches of a run depend on. File names, dates, batch sizes, thread counts and the chosen pairs
/// are not part of it because they change no result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The model.
    pub model: ModelProvenance,
    /// The images.
    pub data: DataProvenance,
    /// Seed of all random choices.
    pub seed: u64,
    /// What runs the model, for example `onnxruntime 1.31.1 cpu`: another provider rounds differently.
    pub provider: String,
}

/// What perturbations depend on in addition to the [`Provenance`] of their run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerturbationProvenance {
    /// [`SEARCH_VERSION`] of the program.
    pub search_version: u32,
    /// The parameters of the search.
    pub search: SearchProvenance,
    /// Requested samples per pair.
    pub samples: u32,
}

/// Everything that the perturbations of a pair depend on, as in the header of their file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairProvenance {
    /// [`SEARCH_VERSION`] of the program.
    pub search_version: u32,
    /// The model.
    pub model: ModelProvenance,
    /// The images.
    pub data: DataProvenance,
    /// The parameters of the search.
    pub search: SearchProvenance,
    /// Requested samples per pair.
    pub samples: u32,
    /// Seed of the noise.
    pub seed: u64,
    /// What runs the model.
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
    /// How images in `[0, 1]` are converted to the model's input.
    pub preprocessing: String,
}

/// The data of a [`Provenance`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataProvenance {
    /// SHA-256 of the decoded images and labels; it does not depend on the file format.
    pub sha256: String,
    /// Number of images.
    pub images: u64,
}

/// The HopSkipJump parameters of a [`PerturbationProvenance`] (explained in `docs/method.md`).
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
    /// Queries after which the search of one sample stops, if limited.
    pub query_budget: Option<u64>,
}

impl Provenance {
    /// Key of the run: SHA-256 of the JSON of all fields, lower-case hexadecimal.
    pub fn key(&self) -> String {
        key_of(self)
    }

    /// Each field in which `self` (found) and `wanted` differ, for error messages.
    pub(crate) fn differences(&self, wanted: &Self) -> Vec<String> {
        differences(self, wanted)
    }
}

impl PerturbationProvenance {
    /// The provenance of searches by this program with these parameters.
    pub fn new(params: &HopSkipJumpParams, samples: u32) -> Self {
        let HopSkipJumpBuilder {
            iterations,
            initial_evaluations,
            maximum_evaluations,
            gamma,
            maximum_halvings,
            query_budget,
        } = params.values();
        let search = SearchProvenance {
            iterations,
            initial_evaluations,
            maximum_evaluations,
            gamma,
            maximum_halvings,
            query_budget,
        };
        Self { search_version: SEARCH_VERSION, search, samples }
    }

    /// SHA-256 of the JSON of all fields, lower-case hexadecimal.
    pub fn key(&self) -> String {
        key_of(self)
    }
}

impl PairProvenance {
    /// The provenance of the perturbations of a run.
    pub fn new(run: &Provenance, perturbations: &PerturbationProvenance) -> Self {
        let Provenance { model, data, seed, provider } = run.clone();
        let PerturbationProvenance { search_version, search, samples } = perturbations.clone();
        Self { search_version, model, data, search, samples, seed, provider }
    }

    /// Separates what all searches of the run depend on from what only its perturbations depend on.
    pub fn split(self) -> (Provenance, PerturbationProvenance) {
        let Self { search_version, model, data, search, samples, seed, provider } = self;
        (Provenance { model, data, seed, provider }, PerturbationProvenance { search_version, search, samples })
    }

    /// SHA-256 of the JSON of all fields, lower-case hexadecimal. In earlier versions, when a run had perturbations of
    /// one setting only, it was the key of the run.
    pub fn key(&self) -> String {
        key_of(self)
    }

    pub(crate) fn differences(&self, wanted: &Self) -> Vec<String> {
        differences(self, wanted)
    }
}

fn key_of(provenance: &impl Serialize) -> String {
    // Serialising a struct of strings and numbers cannot fail. The fields are in declaration order.
    sha256_hex(&serde_json::to_vec(provenance).unwrap_or_default())
}

fn differences(found: &impl Serialize, wanted: &impl Serialize) -> Vec<String> {
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
    let (found, wanted) = (serde_json::to_value(found), serde_json::to_value(wanted));
    walk("", &found.unwrap_or_default(), &wanted.unwrap_or_default(), &mut out);
    out
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
pub(crate) mod examples {
    use super::*;

    pub(crate) fn run() -> Provenance {
        Provenance {
            model: ModelProvenance { sha256: sha256_hex(b"model"), classes: 10, preprocessing: "nhwc".to_owned() },
            data: DataProvenance { sha256: sha256_hex(b"data"), images: 100 },
            seed: 7,
            provider: "test".to_owned(),
        }
    }

    pub(crate) fn perturbations() -> PerturbationProvenance {
        let search = SearchProvenance {
            iterations: 50,
            initial_evaluations: 100,
            maximum_evaluations: 30_000,
            gamma: 1.0,
            maximum_halvings: 64,
            query_budget: None,
        };
        PerturbationProvenance { search_version: SEARCH_VERSION, search, samples: 2 }
    }

    pub(crate) fn pair() -> PairProvenance {
        PairProvenance::new(&run(), &perturbations())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_the_key() {
        let key = examples::run().key();
        let changed = |change: fn(&mut Provenance)| {
            let mut provenance = examples::run();
            change(&mut provenance);
            provenance.key()
        };
        assert_eq!(changed(|_| {}), key);
        assert_ne!(changed(|p| p.seed += 1), key);
        assert_ne!(changed(|p| p.provider.push('x')), key);
        assert_ne!(changed(|p| p.model.classes += 1), key);
        assert_ne!(changed(|p| p.model.preprocessing.push('x')), key);
        assert_ne!(changed(|p| p.data.sha256.push('0')), key);
    }

    #[test]
    fn a_provenance_splits_into_its_parts() {
        assert_eq!(examples::pair().split(), (examples::run(), examples::perturbations()));
        let params = HopSkipJumpBuilder { iterations: 50, ..HopSkipJumpBuilder::PUBLISHED }.check().unwrap();
        assert_eq!(PerturbationProvenance::new(&params, 2), examples::perturbations());
        let deeper = PerturbationProvenance { samples: 3, ..examples::perturbations() };
        assert_ne!(deeper.key(), examples::perturbations().key());
    }

    #[test]
    fn differences_name_the_field() {
        let mut other = examples::pair();
        other.search.iterations = 20;
        other.seed = 8;
        let found = examples::pair().differences(&other);
        assert_eq!(found, ["search.iterations: there 50, asked for 20", "seed: there 7, asked for 8"]);
    }
}
