//! Storage for trigger passes.

use std::collections::BTreeMap;

use aeva_artifact::{
    AnsweredSearch, ArtifactError, Journal, PartialAnswers, RunDir, Teamwork, TriggerArtifact, WorkProvenance,
    with_records,
};
use aeva_attack::trigger::{PassId, PassResult, TRIGGER_QUERIES_VERSION, TRIGGER_SEARCH_VERSION};
use aeva_attack::{Label, NO_LABEL, UNANSWERED};

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

/// Stores trigger passes.
pub trait TriggerStore {
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

    /// Notes that a pass is in the store, so that nobody needs answers to it any more. There may be some of processes that were
    /// killed while another one finished it.
    fn drop_answers(&mut self, id: PassId) {
        let _ = id;
    }

    /// The answers to a pass that was stopped or killed, [`UNANSWERED`] where one is missing; empty if there are none.
    ///
    /// # Errors
    /// If they cannot be read.
    fn pass_answers(&self, id: PassId) -> Result<Vec<Label>, ArtifactError>;

    /// Stores the answers to a pass that was stopped.
    ///
    /// # Errors
    /// If they cannot be written.
    fn store_pass_answers(&mut self, id: PassId, answers: Vec<Label>) -> Result<(), ArtifactError>;

    /// A journal for the answers to a pass, in case it is killed; `None` for a store that does not outlive the process.
    ///
    /// # Errors
    /// If it cannot be written.
    fn pass_journal(&self, id: PassId) -> Result<Option<Journal>, ArtifactError> {
        let _ = id;
        Ok(None)
    }

    /// The part in a pass that others may make at the same time; `own` is the journal of this process.
    fn pass_teamwork(&self, id: PassId, own: &Journal) -> Option<Teamwork> {
        let _ = (id, own);
        None
    }

    /// Whether there is a result of a pass; it may be damaged.
    fn has_pass(&self, id: PassId) -> bool {
        matches!(self.pass(id), Ok(Some(_)))
    }

    /// A number that grows while some process makes a pass.
    fn pass_progress(&self, id: PassId) -> u64 {
        let _ = id;
        0
    }
}

/// Trigger passes in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct TriggerMemory {
    pub(super) passes: BTreeMap<PassId, StoredPass>,
    pub(super) answers: BTreeMap<PassId, Vec<Label>>,
}

/// A pass has only one search, so its identifier carries no information.
pub(super) const ONLY: [u32; 3] = [0; 3];

impl TriggerStore for RunDir {
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

    fn drop_answers(&mut self, id: PassId) {
        self.remove_partial(&id.to_string());
    }

    fn pass_answers(&self, id: PassId) -> Result<Vec<Label>, ArtifactError> {
        let work = id.to_string();
        let partial = self.load_partial(&work)?;
        let partial = partial.filter(|partial| partial.search_version == TRIGGER_QUERIES_VERSION);
        let searches = partial.map_or_else(Vec::new, |partial| partial.searches);
        let records = self.read_journals(&work, TRIGGER_QUERIES_VERSION)?;
        let answers = with_records(searches, records, UNANSWERED).remove(&ONLY).unwrap_or_default();
        let classes = self.info().provenance.model.classes;
        let is_answer = |&label: &Label| label < classes || label == NO_LABEL || label == UNANSWERED;
        Ok(if answers.iter().all(is_answer) { answers } else { Vec::new() })
    }

    fn store_pass_answers(&mut self, id: PassId, answers: Vec<Label>) -> Result<(), ArtifactError> {
        self.store_partial(&partial(self, id, vec![AnsweredSearch { id: ONLY, answers }]))
    }

    fn pass_journal(&self, id: PassId) -> Result<Option<Journal>, ArtifactError> {
        self.begin_journal(&partial(self, id, Vec::new())).map(Some)
    }

    fn pass_teamwork(&self, id: PassId, own: &Journal) -> Option<Teamwork> {
        self.teamwork(partial(self, id, Vec::new()), self.trigger_path(id), own)
    }

    fn has_pass(&self, id: PassId) -> bool {
        self.trigger_path(id).is_file()
    }

    fn pass_progress(&self, id: PassId) -> u64 {
        self.journal_bytes(&id.to_string())
    }
}

fn partial(run: &RunDir, id: PassId, searches: Vec<AnsweredSearch>) -> PartialAnswers {
    PartialAnswers {
        provenance: WorkProvenance::Run(run.info().provenance.clone()),
        search_version: TRIGGER_QUERIES_VERSION,
        work: id.to_string(),
        searches,
    }
}
