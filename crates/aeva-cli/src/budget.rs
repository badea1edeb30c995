//! What a scan may take: queries and time, over both lenses and all runs of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The queries of a scan, and its limits.
#[derive(Debug)]
pub(crate) struct Budget {
    spent: AtomicU64,
    queries: Option<u64>,
    end: Option<Instant>,
    /// Queries that may be under way when the limit is looked at.
    under_way: u64,
}

impl Budget {
    /// Limits on all queries of a scan, and on the time from `begin`; `under_way` images may be asked about at once.
    pub(crate) fn new(queries: Option<u64>, begin: Instant, time: Option<Duration>, under_way: usize) -> Self {
        let end = time.and_then(|time| begin.checked_add(time));
        Self { spent: AtomicU64::new(0), queries, end, under_way: under_way as u64 }
    }

    /// Counts queries, of this run or an earlier one.
    pub(crate) fn count(&self, queries: u64) {
        self.spent.fetch_add(queries, Ordering::Relaxed);
    }

    /// Whether it is the time that is over.
    pub(crate) fn out_of_time(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Whether nothing more may be asked: another batch for every worker would be beyond the limit, or the time is over.
    pub(crate) fn is_spent(&self) -> bool {
        let spent = self.spent.load(Ordering::Relaxed);
        self.queries.is_some_and(|limit| spent.saturating_add(self.under_way) > limit) || self.out_of_time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_passed() {
        let budget = Budget::new(Some(100), Instant::now(), None, 40);
        let mut asked = 0;
        while !budget.is_spent() {
            budget.count(40);
            asked += 40;
        }
        assert_eq!(asked, 80);
        let unlimited = Budget::new(None, Instant::now(), None, 40);
        unlimited.count(u64::MAX);
        assert!(!unlimited.is_spent());
    }

    #[test]
    fn time_runs_from_the_beginning() {
        let begin = Instant::now();
        assert!(Budget::new(None, begin, Some(Duration::ZERO), 1).is_spent());
        assert!(!Budget::new(None, begin, Some(Duration::from_hours(1)), 1).is_spent());
    }
}
