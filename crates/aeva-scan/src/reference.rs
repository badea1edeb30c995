//! Scans of clean models that other models are compared with.

use aeva_artifact::{ArtifactError, RunDir};
use aeva_attack::trigger::ImageSplit;
use aeva_stats::{CombinedRule, ReferenceModel};

use crate::effort::Effort;
use crate::lens::TriggerObservations;
use crate::rule::DecisionRule;

/// Why a run folder cannot serve as a reference.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// It cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// It has no passes of this version of the search.
    #[error("{path} has no triggers of this version of the search")]
    NoTriggers {
        /// The run folder.
        path: String,
    },
    /// Its scan was stopped.
    #[error("the scan in {path} was not finished: {made} passes over triggers are there, and more are needed")]
    Unfinished {
        /// The run folder.
        path: String,
        /// Finished passes.
        made: usize,
    },
}

/// The rule by which a clean model is scanned that others shall be compared with, given `correct`, `[class]` -> its
/// correctly classified images.
///
/// It is the default rule. Where that knows too few clean models to begin with, as for two labels, it makes the passes
/// that it would make if nothing stood out in these.
pub fn reference_rule(correct: &[usize]) -> DecisionRule {
    let rule = CombinedRule::DEFAULT;
    let decides = rule.limits(&ImageSplit::holdout_of(correct)).no_verdict.is_none();
    let labels = u32::try_from(correct.len()).unwrap_or(u32::MAX);
    let unremarkable = ReferenceModel { origin: None, labels, evidence: 0.0 };
    let models = if decides { Vec::new() } else { vec![unremarkable; rule.references_needed()] };
    DecisionRule::Combined { rule: rule.with_references(&models), effort: Effort::Standard }
}

/// What a finished scan of a clean model says to those that are compared with it.
///
/// # Errors
/// [`ReferenceError`].
pub fn reference_model(run: &RunDir) -> Result<ReferenceModel, ReferenceError> {
    let info = run.info();
    let path = || run.path().display().to_string();
    let labels = info.provenance.model.classes;
    let correct: Vec<usize> = info.clean_correct.iter().map(|&count| count as usize).collect();
    let rule = reference_rule(&correct);
    let seen = TriggerObservations::of_store(run, labels, &rule)?;
    let passes = seen
        .filter(|seen| !seen.passes.made.is_empty())
        .ok_or_else(|| ReferenceError::NoTriggers { path: path() })?
        .passes;
    if passes.left.is_some() {
        return Err(ReferenceError::Unfinished { path: path(), made: passes.made.len() });
    }
    let strongest = passes.test().strongest;
    let evidence = strongest.map_or(f64::MIN, |strongest| strongest.standout.evidence);
    Ok(ReferenceModel { origin: None, labels, evidence })
}
