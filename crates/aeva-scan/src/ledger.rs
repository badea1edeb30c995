//! The query and time budget of a scan, and its spending: one count over all lenses and all runs of the scan.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aeva_artifact::{ArtifactError, Journal};
use aeva_attack::{JobId, Label, Peers, Progress, ScanObserver};

/// Limits of a scan. By default there are none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budget {
    /// Largest number of queries of the whole scan, including earlier runs.
    pub queries: Option<u64>,
    /// When this run must end.
    pub deadline: Option<Instant>,
}

/// The limit that ended a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// All queries are spent.
    Queries,
    /// The time is up.
    Time,
    /// The oracle has a limit of its own, such as the requests to a service.
    Oracle,
}

/// The queries of a scan, and its limits.
#[derive(Debug)]
pub struct Ledger {
    spent: AtomicU64,
    budget: Budget,
    /// Queries that may be in progress when the limit is checked.
    under_way: u64,
}

impl Ledger {
    /// Creates a ledger without spending; up to `under_way` images may be classified at once.
    pub fn new(budget: Budget, under_way: usize) -> Self {
        Self { spent: AtomicU64::new(0), budget, under_way: under_way as u64 }
    }

    /// Counts queries of this run or an earlier one.
    pub fn count(&self, queries: u64) {
        // Saturating, because a run folder may claim more queries than there are.
        let add = |spent: u64| Some(spent.saturating_add(queries));
        let _ = self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Queries so far.
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// The limit that forbids more queries: another batch for every worker would exceed the query limit, or the time is
    /// up.
    pub fn exhausted(&self) -> Option<Exhausted> {
        if self.budget.deadline.is_some_and(|end| Instant::now() >= end) {
            return Some(Exhausted::Time);
        }
        let beyond = |limit: u64| self.spent().saturating_add(self.under_way) > limit;
        self.budget.queries.is_some_and(beyond).then_some(Exhausted::Queries)
    }
}

/// Forwards everything to an observer, counts queries, keeps answers, and asks to stop at the limit.
pub(crate) struct Counted<'a> {
    pub(crate) observer: &'a dyn ScanObserver,
    pub(crate) ledger: &'a Ledger,
    /// Where answers are kept for the case of a kill.
    pub(crate) journal: Option<&'a Journal>,
    /// Others that make the same pass.
    pub(crate) peers: Option<&'a dyn Peers>,
}

/// Ends a journal whose answers are stored by now, or useless as the work is done.
///
/// # Errors
/// That of a write that failed.
pub(crate) fn end_journal(journal: Option<Journal>) -> Result<(), ArtifactError> {
    let Some(journal) = journal else { return Ok(()) };
    journal.failure()?;
    journal.remove();
    Ok(())
}

impl ScanObserver for Counted<'_> {
    fn classified(&self, queries: u64) {
        self.ledger.count(queries);
        self.observer.classified(queries);
    }

    fn answered(&self, job: Option<JobId>, at: usize, answers: &[Label]) {
        if let Some(journal) = self.journal {
            match job {
                None => journal.add([0; 3], at, answers),
                Some(JobId { source, target, sample }) => {
                    let reached: Vec<u32> = answers.iter().map(|&label| u32::from(label == target)).collect();
                    journal.add([source, target, sample], at, &reached);
                }
            }
        }
        self.observer.answered(job, at, answers);
    }

    fn peers(&self) -> Option<&dyn Peers> {
        self.peers
    }

    fn iteration(&self, progress: &Progress<'_>) {
        self.observer.iteration(progress);
    }

    /// Also after a failed write: what is found later may be lost, too.
    fn stop(&self) -> bool {
        self.observer.stop() || self.ledger.exhausted().is_some() || self.journal.is_some_and(Journal::has_failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_limit_is_never_passed() {
        let ledger = Ledger::new(Budget { queries: Some(100), deadline: None }, 40);
        let counted = Counted { observer: &(), ledger: &ledger, journal: None, peers: None };
        let mut asked = 0;
        while !counted.stop() {
            counted.classified(40);
            asked += 40;
        }
        assert_eq!((asked, ledger.exhausted()), (80, Some(Exhausted::Queries)));
        let unlimited = Ledger::new(Budget::default(), 40);
        unlimited.count(u64::MAX);
        unlimited.count(1);
        assert_eq!((unlimited.exhausted(), unlimited.spent()), (None, u64::MAX));
    }

    #[test]
    fn time_ends_a_scan() {
        let until = |deadline| Ledger::new(Budget { queries: None, deadline: Some(deadline) }, 1).exhausted();
        assert_eq!(until(Instant::now()), Some(Exhausted::Time));
        assert_eq!(until(Instant::now() + Duration::from_hours(1)), None);
    }
}
