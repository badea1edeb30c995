//! Storage for perturbations.

use std::collections::BTreeMap;

use aeva_artifact::{
    AnsweredSearch, ArtifactError, PairArtifact, PartialAnswers, RunDir, SEARCH_VERSION, WorkProvenance,
};
use aeva_attack::perturbation::{Answers, PairResult};
use aeva_attack::{JobId, Label};

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
}
