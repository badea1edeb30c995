//! Who watches a scan.

use aeva_attack::ScanObserver;
use aeva_stats::Tally;

/// Watches a scan, and may ask it to stop. Every method does nothing unless it is overridden.
pub trait Observer: ScanObserver {
    /// A pass over triggers, or the search for perturbations, begins.
    fn begins(&self, what: &str) {
        let _ = what;
    }

    /// Queries that an earlier run of the scan has made already.
    fn known(&self, queries: u64) {
        let _ = queries;
    }

    /// The label that a pass over triggers reached most often, on hold-out images.
    fn best(&self, label: usize, success: Tally) {
        let _ = (label, success);
    }
}

impl Observer for () {}
