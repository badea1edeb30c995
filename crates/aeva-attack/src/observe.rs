//! Observers see and never steer; the one thing they may do is ask the scan to stop.

use crate::JobId;

/// What one search has reached after an iteration.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Which search.
    pub job: JobId,
    /// Complete iterations, from 1.
    pub iteration: u32,
    /// Boundary point `z`, `[h, w, c]` row-major.
    pub point: &'a [f64],
    /// Origin `x`, `[h, w, c]` row-major.
    pub origin: &'a [f64],
    /// Queries of this search so far.
    pub queries: u64,
}

/// Called from worker threads while a scan runs. Every method does nothing unless it is overridden.
pub trait ScanObserver: Sync {
    /// A batch of `queries` images was classified.
    fn classified(&self, queries: u64) {
        let _ = queries;
    }

    /// A search completed an iteration.
    fn iteration(&self, progress: &Progress<'_>) {
        let _ = progress;
    }

    /// Asked before every batch: true ends the scan; what is not finished is dropped.
    fn stop(&self) -> bool {
        false
    }
}

impl ScanObserver for () {}
