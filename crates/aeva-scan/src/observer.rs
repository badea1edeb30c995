//! Observers of a scan.

use aeva_attack::ScanObserver;
use aeva_stats::Tally;

/// Watches a scan, and may ask it to stop. The default implementations do nothing.
pub trait Observer: ScanObserver {
    /// A trigger pass or the search for perturbations begins.
    fn begins(&self, what: &str) {
        let _ = what;
    }

    /// Reports queries that an earlier run of the scan has made.
    fn known(&self, queries: u64) {
        let _ = queries;
    }

    /// Reports how often a trigger of a pass reached a label, on hold-out images.
    fn reached(&self, label: usize, success: Tally) {
        let _ = (label, success);
    }
}

impl Observer for () {}
