//! The description of a run.

use serde::Serialize;

use crate::error::RunInfoError;
use crate::limits::{MAX_CLASSES, MAX_QUERIES};
use crate::provenance::{PerturbationProvenance, Provenance};

/// The version of `run.json` that this program writes.
pub(crate) const SCHEMA_VERSION: u32 = 3;

/// The content of `run.json`: the provenance, measurements from before the search, and names for human readers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunInfo {
    /// Version of the file format.
    pub schema_version: u32,
    /// [`Provenance::key`].
    pub key: String,
    /// File name of the model.
    pub model_name: String,
    /// File name of the data.
    pub data_name: String,
    /// Share of the images that the model classified correctly, measured before the search.
    pub clean_accuracy: f64,
    /// `[label]` -> images that the model classified correctly; empty if not recorded.
    pub clean_correct: Vec<u32>,
    /// `[label]` -> all images of the label; empty if not recorded.
    pub clean_images: Vec<u32>,
    /// SHA-256 over the labels that the model gave to the clean images, lower-case hexadecimal; `None` if not recorded.
    pub clean_answers: Option<String>,
    /// Images classified before the search, for these measurements and to compare a device with the CPU (counted as
    /// queries).
    pub clean_queries: u64,
    /// Notes for the reader on how the run was set up.
    pub notes: Vec<String>,
    /// Everything that all searches depend on.
    pub provenance: Provenance,
    /// What the perturbations depend on in addition.
    pub perturbations: PerturbationProvenance,
}

impl RunInfo {
    /// A description without names, notes and measurements; its other fields can be set.
    pub fn new(provenance: Provenance, perturbations: PerturbationProvenance) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            key: provenance.key(),
            model_name: String::new(),
            data_name: String::new(),
            clean_accuracy: 0.0,
            clean_correct: Vec::new(),
            clean_images: Vec::new(),
            clean_answers: None,
            clean_queries: 0,
            notes: Vec::new(),
            provenance,
            perturbations,
        }
    }

    /// Checks that the fields do not contradict each other.
    pub(crate) fn check(&self) -> Result<(), RunInfoError> {
        let classes = self.provenance.model.classes;
        if classes > MAX_CLASSES {
            return Err(RunInfoError::Classes { found: classes, limit: MAX_CLASSES });
        }
        let expected = self.provenance.key();
        if self.key != expected {
            return Err(RunInfoError::Key { found: self.key.clone(), expected });
        }
        if !(0.0..=1.0).contains(&self.clean_accuracy) {
            return Err(RunInfoError::Accuracy { found: self.clean_accuracy });
        }
        if self.clean_queries > MAX_QUERIES {
            return Err(RunInfoError::Queries { found: self.clean_queries, limit: MAX_QUERIES });
        }
        let counted = [self.clean_correct.len(), self.clean_images.len()];
        if counted != [0; 2] && counted != [classes as usize; 2] {
            return Err(RunInfoError::Counted { correct: counted[0], images: counted[1], classes });
        }
        let mut labels = (0..).zip(self.clean_correct.iter().zip(&self.clean_images));
        if let Some((label, (&correct, &images))) = labels.find(|(_, (correct, images))| correct > images) {
            return Err(RunInfoError::MoreThanAll { label, correct, images });
        }
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match &self.clean_answers {
            Some(answers) if !is_digest(answers) => Err(RunInfoError::Answers { found: answers.clone() }),
            _ => Ok(()),
        }
    }

    /// Each recorded measurement in which `self` (found) differs from `measured`.
    pub(crate) fn other_figures(&self, measured: &Self) -> Vec<String> {
        let mut out = Vec::new();
        // Exact comparison: both are the same division of the same counts.
        if self.clean_accuracy.to_bits() != measured.clean_accuracy.to_bits() {
            out.push(format!("clean_accuracy: there {}, now {}", self.clean_accuracy, measured.clean_accuracy));
        }
        for (name, found, now) in [
            ("clean_correct", &self.clean_correct, &measured.clean_correct),
            ("clean_images", &self.clean_images, &measured.clean_images),
        ] {
            if found.is_empty() || found == now {
                continue;
            }
            let label = found.iter().zip(now).position(|(found, now)| found != now);
            out.push(match label {
                Some(label) => format!("{name} of label {label}: there {}, now {}", found[label], now[label]),
                None => format!("{name}: there of {} labels, now of {}", found.len(), now.len()),
            });
        }
        if self.clean_answers.is_some() && self.clean_answers != measured.clean_answers {
            let text = |answers: &Option<String>| answers.clone().unwrap_or_else(|| "none".to_owned());
            let (found, now) = (text(&self.clean_answers), text(&measured.clean_answers));
            out.push(format!("clean_answers: there {found}, now {now}"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::examples;

    fn new() -> RunInfo {
        RunInfo::new(examples::run(), examples::perturbations())
    }

    fn info() -> RunInfo {
        RunInfo {
            clean_accuracy: 0.5,
            clean_correct: vec![1; 10],
            clean_images: vec![2; 10],
            clean_answers: Some("0a".repeat(32)),
            ..new()
        }
    }

    #[test]
    fn contradictions_are_named() {
        let error = |change: fn(&mut RunInfo)| {
            let mut info = info();
            change(&mut info);
            info.check().unwrap_err()
        };
        assert!(info().check().is_ok() && new().check().is_ok());
        assert!(matches!(error(|i| i.provenance.seed += 1), RunInfoError::Key { .. }));
        assert!(matches!(error(|i| i.key.clear()), RunInfoError::Key { .. }));
        let classes = error(|i| i.provenance.model.classes = MAX_CLASSES + 1);
        assert!(matches!(classes, RunInfoError::Classes { found: 100_001, limit: MAX_CLASSES }));
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let info = RunInfo { clean_accuracy: wrong, ..info() };
            assert!(matches!(info.check(), Err(RunInfoError::Accuracy { .. })), "{wrong}");
        }
        assert!(matches!(error(|i| i.clean_queries = u64::MAX), RunInfoError::Queries { found: u64::MAX, .. }));
        assert!(matches!(error(|i| i.clean_images.clear()), RunInfoError::Counted { correct: 10, images: 0, .. }));
        assert!(matches!(error(|i| i.clean_correct.push(0)), RunInfoError::Counted { correct: 11, .. }));
        let more = error(|i| i.clean_correct[4] = 3);
        assert!(matches!(more, RunInfoError::MoreThanAll { label: 4, correct: 3, images: 2 }));
        assert!(matches!(error(|i| i.clean_answers = Some("00".to_owned())), RunInfoError::Answers { .. }));
    }

    #[test]
    fn recorded_measurements_are_compared() {
        let differences = |change: fn(&mut RunInfo)| {
            let mut now = info();
            change(&mut now);
            info().other_figures(&now)
        };
        assert!(differences(|i| i.notes.push("new".to_owned())).is_empty());
        assert_eq!(differences(|i| i.clean_accuracy = 0.6), ["clean_accuracy: there 0.5, now 0.6"]);
        assert_eq!(differences(|i| i.clean_correct[3] = 2), ["clean_correct of label 3: there 1, now 2"]);
        assert_eq!(differences(|i| i.clean_images.clear()), ["clean_images: there of 10 labels, now of 0"]);
        assert!(differences(|i| i.clean_answers = None)[0].ends_with("now none"));
        // A run of version 1 recorded the accuracy only.
        let old = RunInfo { clean_accuracy: 0.5, ..new() };
        assert!(old.other_figures(&info()).is_empty());
    }
}
