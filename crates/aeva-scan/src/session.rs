//! The context of a lens, and how it ends.

use aeva_artifact::ArtifactError;
use aeva_attack::{HardLabelOracle, ScanError};
use ndarray::ArrayView4;

use crate::Observer;
use crate::ledger::Ledger;
use crate::store::Store;

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything that the rule requires is done.
    Complete,
    /// The observer asked to stop, or a limit was reached.
    Stopped,
}

/// Why a scan failed. Finished results are kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The model failed, or the request was invalid.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ArtifactError),
}

/// The context of a lens.
pub(crate) struct Session<'a, 'o> {
    pub(crate) oracles: &'a mut [Box<dyn HardLabelOracle + 'o>],
    /// `[n, h, w, c]`, values in `[0, 1]`.
    pub(crate) images: ArrayView4<'a, f32>,
    pub(crate) store: &'a mut dyn Store,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) ledger: &'a Ledger,
}

/// How a lens ended.
pub(crate) struct Ended {
    pub(crate) end: End,
    /// Whether there was anything to search that was not in the store.
    pub(crate) searched: bool,
}

/// The place of a store, for use in a sentence.
pub(crate) fn place(store: &dyn Store) -> String {
    store.folder().map_or_else(|| "there".to_owned(), |folder| format!("in {}", folder.display()))
}
