//! Observers of a scan. They cannot influence its results; all they can do is ask it to stop, and bring answers that the model
//! has given to others.

use crate::{JobId, Label, Peers};

/// State of one search after an iteration.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The search.
    pub job: JobId,
    /// Completed iterations, from 1.
    pub iteration: u32,
    /// Boundary point `z`, `[h, w, c]` row-major.
    pub point: &'a [f64],
    /// Origin `x`, `[h, w, c]` row-major.
    pub origin: &'a [f64],
    /// Queries of this search so far.
    pub queries: u64,
}

/// Callbacks from worker threads during a scan. The default implementations do nothing.
pub trait ScanObserver: Sync {
    /// A batch of `queries` images was classified.
    fn classified(&self, queries: u64) {
        let _ = queries;
    }

    /// The model answered queries of a search: those from the `at`-th on, in the order that the search counts them. `job` is
    /// the search for a perturbation; a trigger pass has none, as it is one search.
    fn answered(&self, job: Option<JobId>, at: usize, answers: &[Label]) {
        let _ = (job, at, answers);
    }

    /// A search completed an iteration.
    fn iteration(&self, progress: &Progress<'_>) {
        let _ = progress;
    }

    /// Others that make the same trigger pass at the same time.
    fn peers(&self) -> Option<&dyn Peers> {
        None
    }

    /// Called before every batch. True ends the scan and drops what is not finished.
    fn stop(&self) -> bool {
        false
    }
}

impl ScanObserver for () {}
