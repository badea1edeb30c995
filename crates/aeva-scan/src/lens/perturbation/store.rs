//! Storage for perturbations.

use std::collections::BTreeMap;

use aeva_artifact::{
    AnsweredSearch, ArtifactError, Journal, PairArtifact, PartialAnswers, RunDir, SEARCH_VERSION, WorkProvenance,
    with_records,
};
use aeva_attack::perturbation::{Answers, PairResult};
use aeva_attack::{JobId, Label, UNANSWERED};

/// Stores perturbations.
pub trait PerturbationStore {
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

    /// The answers to searches for perturbations that were stopped or killed.
    ///
    /// # Errors
    /// If they cannot be read.
    fn pair_answers(&self) -> Result<Answers, ArtifactError>;

    /// Stores the answers to searches that were stopped; `None` if all have ended.
    ///
    /// # Errors
    /// If they cannot be written.
    fn store_pair_answers(&mut self, answers: Option<Answers>) -> Result<(), ArtifactError>;

    /// A journal for the answers, in case the search is killed; `None` for a store that does not outlive the process.
    ///
    /// # Errors
    /// If it cannot be written.
    fn pair_journal(&self) -> Result<Option<Journal>, ArtifactError> {
        Ok(None)
    }
}

/// Perturbations in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct PerturbationMemory {
    pub(super) pairs: BTreeMap<(Label, Label), PairResult>,
    pub(super) answers: Option<Answers>,
}

impl PerturbationStore for RunDir {
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
        self.perturbation_works().iter().any(|work| self.partial_path(work).exists() || self.has_journal(work))
    }

    fn pair_answers(&self) -> Result<Answers, ArtifactError> {
        let (mut searches, mut records) = (Vec::new(), Vec::new());
        for work in self.perturbation_works() {
            let partial = self.load_partial(&work)?.filter(|partial| partial.search_version == SEARCH_VERSION);
            searches.extend(partial.map_or_else(Vec::new, |partial| partial.searches));
            records.extend(self.read_journals(&work, SEARCH_VERSION)?);
        }
        // A search goes on from its first missing answer.
        let known = |([source, target, sample], answers): ([u32; 3], Vec<u32>)| {
            let answers = answers.into_iter().take_while(|&answer| answer != UNANSWERED);
            (JobId { source, target, sample }, answers.map(|answer| answer == 1).collect())
        };
        Ok(with_records(searches, records, UNANSWERED).into_iter().map(known).collect())
    }

    fn store_pair_answers(&mut self, answers: Option<Answers>) -> Result<(), ArtifactError> {
        let Some(answers) = answers else {
            for work in self.perturbation_works() {
                self.remove_partial(&work);
            }
            return Ok(());
        };
        let search = |(job, answers): (JobId, Vec<bool>)| AnsweredSearch {
            id: [job.source, job.target, job.sample],
            answers: answers.into_iter().map(u32::from).collect(),
        };
        self.store_partial(&partial(self, answers.into_iter().map(search).collect()))
    }

    fn pair_journal(&self) -> Result<Option<Journal>, ArtifactError> {
        self.begin_journal(&partial(self, Vec::new())).map(Some)
    }
}

fn partial(run: &RunDir, searches: Vec<AnsweredSearch>) -> PartialAnswers {
    PartialAnswers {
        provenance: WorkProvenance::Perturbations(run.pair_provenance()),
        search_version: SEARCH_VERSION,
        work: run.perturbation_work(),
        searches,
    }
}
