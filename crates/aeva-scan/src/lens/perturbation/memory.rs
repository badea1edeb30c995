//! Perturbations in a store in memory.

use aeva_artifact::ArtifactError;
use aeva_attack::Label;
use aeva_attack::perturbation::{Answers, PairResult};

use super::store::PerturbationStore;
use crate::lens::list::MemoryStore;

impl PerturbationStore for MemoryStore {
    fn pairs(&self) -> Result<Vec<(Label, Label)>, ArtifactError> {
        Ok(self.perturbations.pairs.keys().copied().collect())
    }

    fn pair(&self, source: Label, target: Label) -> Result<Option<PairResult>, ArtifactError> {
        Ok(self.perturbations.pairs.get(&(source, target)).cloned())
    }

    fn store_pair(&mut self, result: PairResult) -> Result<(), ArtifactError> {
        self.perturbations.pairs.insert((result.source, result.target), result);
        Ok(())
    }

    fn has_begun_pairs(&self) -> bool {
        self.perturbations.answers.is_some()
    }

    fn pair_answers(&self) -> Result<Answers, ArtifactError> {
        Ok(self.perturbations.answers.clone().unwrap_or_default())
    }

    fn store_pair_answers(&mut self, answers: Option<Answers>) -> Result<(), ArtifactError> {
        self.perturbations.answers = answers;
        Ok(())
    }
}
