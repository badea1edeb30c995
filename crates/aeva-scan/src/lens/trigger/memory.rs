//! Trigger passes in a store in memory.

use aeva_artifact::ArtifactError;
use aeva_attack::Label;
use aeva_attack::trigger::{PassId, PassResult, TRIGGER_SEARCH_VERSION};

use super::store::{StoredPass, TriggerStore};
use crate::lens::list::MemoryStore;

impl TriggerStore for MemoryStore {
    fn pass(&self, id: PassId) -> Result<Option<StoredPass>, ArtifactError> {
        Ok(self.triggers.passes.get(&id).cloned())
    }

    fn store_pass(&mut self, id: PassId, shape: [usize; 3], result: &PassResult) -> Result<(), ArtifactError> {
        let version = TRIGGER_SEARCH_VERSION;
        self.triggers.passes.insert(id, StoredPass { version, shape, result: result.clone() });
        self.triggers.answers.remove(&id);
        Ok(())
    }

    fn pass_answers(&self, id: PassId) -> Result<Vec<Label>, ArtifactError> {
        Ok(self.triggers.answers.get(&id).cloned().unwrap_or_default())
    }

    fn store_pass_answers(&mut self, id: PassId, answers: Vec<Label>) -> Result<(), ArtifactError> {
        self.triggers.answers.insert(id, answers);
        Ok(())
    }
}
