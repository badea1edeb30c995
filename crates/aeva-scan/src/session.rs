//! The context of a lens, and how it ends.

use aeva_artifact::ArtifactError;
use aeva_attack::{HardLabelOracle, ScanError};
use ndarray::ArrayView4;

use crate::Observer;
use crate::ledger::Ledger;

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
    /// The place of the store, for use in a sentence.
    pub(crate) place: String,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) ledger: &'a Ledger,
}

/// How a lens ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) end: End,
    /// Whether there was anything to search that was not in the store.
    pub(crate) searched: bool,
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
