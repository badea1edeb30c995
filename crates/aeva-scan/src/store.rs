//! Storage for the results of a scan, so that it can be resumed and judged again.

use std::collections::BTreeMap;
use std::path::Path;

use aeva_artifact::{
    AnsweredSearch, ArtifactError, PairArtifact, PartialAnswers, RunDir, SEARCH_VERSION, TriggerArtifact,
    WorkProvenance,
};
use aeva_attack::perturbation::{Answers, PairResult};
use aeva_attack::trigger::{PassId, PassResult, TRIGGER_SEARCH_VERSION};
use aeva_attack::{JobId, Label};

/// The stored result of a trigger pass.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPass {
    /// Version of the search.
    pub version: u32,
    /// Shape `[h, w, c]` of its images.
    pub shape: [usize; 3],
    /// The findings.
    pub result: PassResult,
}

/// Stores the results of a scan. Each store belongs to one model, one data set and one seed.
///
/// A damaged file is an error. A scan then warns and searches again; judging fails.
pub trait Store {
    /// The result of a pass; `None` if it has not run.
    ///
    /// # Errors
    /// If it cannot be read.
    fn pass(&self, id: PassId) -> Result<Option<StoredPass>, ArtifactError>;

    /// Stores the result of a pass over images `[h, w, c]`, and drops its answers.
    ///
    /// # Errors
    /// If it cannot be written.
    fn store_pass(&mut self, id: PassId, shape: [usize; 3], result: &PassResult) -> Result<(), ArtifactError>;

    /// The answers to a pass that was stopped; empty if there are none.
    ///
    /// # Errors
    /// If they cannot be read.
    fn pass_answers(&self, id: PassId) -> Result<Vec<Label>, ArtifactError>;

    /// Stores the answers to a pass that was stopped.
    ///
    /// # Errors
    /// If they cannot be written.
    fn store_pass_answers(&mut self, id: PassId, answers: Vec<Label>) -> Result<(), ArtifactError>;

    /// The ordered pairs (source, target) that have perturbations, by source, then target.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn pairs(&self) -> Result<Vec<(Label, Label)>, ArtifactError>;

    /// The perturbations of a pair; `None` if they have not been searched.
    ///
    /// # Errors
    /// If they cannot be read.
    fn pair(&self, source: Label, target: Label) -> Result<Option<PairResult>, ArtifactError>;

    /// Stores the perturbations of a pair.
    ///
    /// # Errors
    /// If they cannot be written.
    fn store_pair(&mut self, result: PairResult) -> Result<(), ArtifactError>;

    /// Whether the search for perturbations has begun but not ended.
    fn has_begun_pairs(&self) -> bool;

    /// The answers to searches for perturbations that were stopped.
    ///
    /// # Errors
    /// If they cannot be read.
    fn pair_answers(&self) -> Result<Answers, ArtifactError>;

    /// Stores the answers to searches that were stopped; `None` if all have ended.
    ///
    /// # Errors
    /// If they cannot be written.
    fn store_pair_answers(&mut self, answers: Option<Answers>) -> Result<(), ArtifactError>;

    /// The run folder, if the store is one.
    fn folder(&self) -> Option<&Path>;
}

/// A store in memory, for scans that will not be resumed.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    passes: BTreeMap<PassId, StoredPass>,
    pass_answers: BTreeMap<PassId, Vec<Label>>,
    pairs: BTreeMap<(Label, Label), PairResult>,
    pair_answers: Option<Answers>,
}

impl Store for MemoryStore {
    fn pass(&self, id: PassId) -> Result<Option<StoredPass>, ArtifactError> {
        Ok(self.passes.get(&id).cloned())
    }

    fn store_pass(&mut self, id: PassId, shape: [usize; 3], result: &PassResult) -> Result<(), ArtifactError> {
        let version = TRIGGER_SEARCH_VERSION;
        self.passes.insert(id, StoredPass { version, shape, result: result.clone() });
        self.pass_answers.remove(&id);
        Ok(())
    }

    fn pass_answers(&self, id: PassId) -> Result<Vec<Label>, ArtifactError> {
        Ok(self.pass_answers.get(&id).cloned().unwrap_or_default())
    }

    fn store_pass_answers(&mut self, id: PassId, answers: Vec<Label>) -> Result<(), ArtifactError> {
        self.pass_answers.insert(id, answers);
        Ok(())
    }

    fn pairs(&self) -> Result<Vec<(Label, Label)>, ArtifactError> {
        Ok(self.pairs.keys().copied().collect())
    }

    fn pair(&self, source: Label, target: Label) -> Result<Option<PairResult>, ArtifactError> {
        Ok(self.pairs.get(&(source, target)).cloned())
    }

    fn store_pair(&mut self, result: PairResult) -> Result<(), ArtifactError> {
        self.pairs.insert((result.source, result.target), result);
        Ok(())
    }

    fn has_begun_pairs(&self) -> bool {
        self.pair_answers.is_some()
    }

    fn pair_answers(&self) -> Result<Answers, ArtifactError> {
        Ok(self.pair_answers.clone().unwrap_or_default())
    }

    fn store_pair_answers(&mut self, answers: Option<Answers>) -> Result<(), ArtifactError> {
        self.pair_answers = answers;
        Ok(())
    }

    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// A pass has only one search, so its identifier carries no information.
const ONLY: [u32; 3] = [0; 3];

impl Store for RunDir {
    fn pass(&self, id: PassId) -> Result<Option<StoredPass>, ArtifactError> {
        let stored = |artifact: TriggerArtifact| StoredPass {
            version: artifact.trigger_search_version,
            shape: artifact.shape,
            result: artifact.result,
        };
        Ok(self.load_triggers(id)?.map(stored))
    }

    fn store_pass(&mut self, id: PassId, shape: [usize; 3], result: &PassResult) -> Result<(), ArtifactError> {
        self.store_triggers(&TriggerArtifact {
            provenance: self.info().provenance.clone(),
            trigger_search_version: TRIGGER_SEARCH_VERSION,
            id,
            shape,
            result: result.clone(),
        })?;
        self.remove_partial(&id.to_string());
        Ok(())
    }

    fn pass_answers(&self, id: PassId) -> Result<Vec<Label>, ArtifactError> {
        let partial = self.load_partial(&id.to_string())?;
        let partial = partial.filter(|partial| partial.search_version == TRIGGER_SEARCH_VERSION);
        let answers = partial.and_then(|partial| partial.searches.into_iter().find(|search| search.id == ONLY));
        let answers = answers.map_or_else(Vec::new, |search| search.answers);
        let classes = self.info().provenance.model.classes;
        Ok(if answers.iter().all(|&label| label < classes) { answers } else { Vec::new() })
    }

    fn store_pass_answers(&mut self, id: PassId, answers: Vec<Label>) -> Result<(), ArtifactError> {
        self.store_partial(&PartialAnswers {
            provenance: WorkProvenance::Triggers(self.info().provenance.clone()),
            search_version: TRIGGER_SEARCH_VERSION,
            work: id.to_string(),
            searches: vec![AnsweredSearch { id: ONLY, answers }],
        })
    }

    fn pairs(&self) -> Result<Vec<(Label, Label)>, ArtifactError> {
        self.stored_pairs()
    }

    fn pair(&self, source: Label, target: Label) -> Result<Option<PairResult>, ArtifactError> {
        Ok(self.load(source, target)?.map(|artifact| artifact.result))
    }

    fn store_pair(&mut self, result: PairResult) -> Result<(), ArtifactError> {
        self.store(&PairArtifact { provenance: self.pair_provenance(), result })
    }

    fn has_begun_pairs(&self) -> bool {
        self.partial_path(&self.perturbation_work()).exists()
    }

    fn pair_answers(&self) -> Result<Answers, ArtifactError> {
        let partial = self.load_partial(&self.perturbation_work())?;
        let searches =
            partial.filter(|partial| partial.search_version == SEARCH_VERSION).map(|partial| partial.searches);
        let known = |AnsweredSearch { id: [source, target, sample], answers }: AnsweredSearch| {
            (JobId { source, target, sample }, answers.into_iter().map(|answer| answer == 1).collect())
        };
        Ok(searches.into_iter().flatten().map(known).collect())
    }

    fn store_pair_answers(&mut self, answers: Option<Answers>) -> Result<(), ArtifactError> {
        let work = self.perturbation_work();
        let Some(answers) = answers else {
            self.remove_partial(&work);
            return Ok(());
        };
        let search = |(job, answers): (JobId, Vec<bool>)| AnsweredSearch {
            id: [job.source, job.target, job.sample],
            answers: answers.into_iter().map(u32::from).collect(),
        };
        self.store_partial(&PartialAnswers {
            provenance: WorkProvenance::Perturbations(self.pair_provenance()),
            search_version: SEARCH_VERSION,
            work,
            searches: answers.into_iter().map(search).collect(),
        })
    }

    fn folder(&self) -> Option<&Path> {
        Some(self.path())
    }
}

/// Unwraps a stored item for a scan. If the item is damaged or foreign, this warns and returns `otherwise`, so that it
/// is searched again.
pub(crate) fn usable<T>(found: Result<T, ArtifactError>, otherwise: T, remedy: &str) -> Result<T, ArtifactError> {
    match found {
        Err(error @ ArtifactError::Io { .. }) => Err(error),
        Err(error) => {
            tracing::warn!("{}; {remedy}", with_causes(&error));
            Ok(otherwise)
        }
        found => found,
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
