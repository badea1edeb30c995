//! The folders of the stores.

use std::path::Path;

use aeva_artifact::{ArtifactError, RunDir};

use crate::lens::{MemoryStore, Store};

impl Store for MemoryStore {
    fn folder(&self) -> Option<&Path> {
        None
    }
}

impl Store for RunDir {
    fn folder(&self) -> Option<&Path> {
        Some(self.path())
    }

    fn refuse(&mut self, why: &str) -> Result<(), ArtifactError> {
        RunDir::refuse(self, why)
    }
}
