//! Many searches over one oracle: every batch is filled from all of them.

use rayon::ThreadPool;
use rayon::prelude::*;

use super::lane::Lane;
use super::queue::Worker;
use crate::{HardLabelOracle, Label, Progress, ScanError, ScanObserver, oracle};

/// Rows that a helper writes at a time: long enough to be worth the hand-over, short enough to spread one large
/// estimate.
const ROWS_PER_HELPER: usize = 16;

/// Searches that share the batches of one oracle.
pub(crate) struct Lockstep<'a> {
    pub(crate) oracle: &'a mut dyn HardLabelOracle,
    pub(crate) observer: &'a dyn ScanObserver,
    /// Rows of a full batch.
    pub(crate) batch_rows: usize,
    /// Threads that can write and read rows.
    pub(crate) helpers: Option<&'a ThreadPool>,
}

impl Lockstep<'_> {
    /// Runs the searches that `worker` supplies until there are none left, and passes each one to `ended` when it is
    /// done. If the observer asks to stop or the oracle fails, it returns early and passes on the unfinished searches
    /// as they are.
    pub(crate) fn run(&mut self, worker: Worker<'_>, mut ended: impl FnMut(Lane)) -> Result<(), ScanError> {
        let mut lanes: Vec<Lane> = Vec::new();
        let result = self.work(worker, &mut lanes, &mut ended);
        lanes.into_iter().for_each(ended);
        result
    }

    fn work(
        &mut self,
        mut worker: Worker<'_>,
        lanes: &mut Vec<Lane>,
        ended: &mut impl FnMut(Lane),
    ) -> Result<(), ScanError> {
        let spec = *self.oracle.spec();
        let values = spec.values();
        let mut batch = vec![0.0_f32; self.batch_rows * values];
        let mut labels: Vec<Label> = Vec::with_capacity(self.batch_rows);
        // Rows of each lane in the current batch.
        let mut rows: Vec<usize> = Vec::new();
        // Bounded: every iteration classifies at least one row, and every search takes a bounded number of rows.
        loop {
            worker.refill(lanes, || self.observer.stop())?;
            // A resumed search may have ended already.
            if pass_on(lanes, ended) > 0 && lanes.is_empty() {
                continue;
            }
            if lanes.is_empty() || self.observer.stop() {
                return Ok(());
            }
            let used = share_rows(lanes, self.batch_rows, &mut rows);
            let batch = &mut batch[..used * values];
            self.write(lanes, &rows, batch, values);

            self.oracle.classify(oracle::batch(&spec, batch)?, &mut labels)?;
            if labels.len() != used {
                return Err(ScanError::Answer { expected: used, found: labels.len() });
            }
            self.observer.classified(used as u64);
            self.tell(lanes, &rows, batch, &labels, values);

            pass_on(lanes, ended);
        }
    }

    fn write(&self, lanes: &[Lane], rows: &[usize], batch: &mut [f32], values: usize) {
        let mut rest = batch;
        let parts = lanes.iter().zip(rows).filter(|&(_, &rows)| rows > 0).map(|(lane, &rows)| {
            let (part, tail) = std::mem::take(&mut rest).split_at_mut(rows * values);
            rest = tail;
            (lane, part)
        });
        let Some(helpers) = self.helpers else {
            return parts.for_each(|(lane, part)| lane.search.write(part));
        };
        let mut tasks = Vec::with_capacity(lanes.len());
        for (lane, part) in parts {
            let chunks = part.chunks_mut(ROWS_PER_HELPER * values).enumerate();
            tasks.extend(chunks.map(|(index, chunk)| (lane, index * ROWS_PER_HELPER, chunk)));
        }
        helpers.install(|| tasks.into_par_iter().for_each(|(lane, skip, rows)| lane.search.write_after(skip, rows)));
    }

    fn tell(&self, lanes: &mut [Lane], rows: &[usize], batch: &[f32], labels: &[Label], values: usize) {
        let mut rest = (batch, labels);
        let parts = lanes.iter_mut().zip(rows).filter(|&(_, &rows)| rows > 0).map(|(lane, &rows)| {
            let (part, tail) = rest.0.split_at(rows * values);
            let (answers, answers_tail) = rest.1.split_at(rows);
            rest = (tail, answers_tail);
            (lane, part, answers)
        });
        let observer = self.observer;
        let tell = |(lane, part, answers): (&mut Lane, &[f32], &[Label])| {
            let before = lane.search.iterations();
            lane.search.tell(part, answers);
            observer.answered(Some(lane.job), lane.answers.len(), answers);
            let target = lane.job.target;
            lane.answers.extend(answers.iter().map(|&label| label == target));
            if lane.search.iterations() > before {
                observer.iteration(&Progress {
                    job: lane.job,
                    iteration: lane.search.iterations(),
                    point: lane.search.point(),
                    origin: lane.search.origin(),
                    queries: lane.search.queries().total(),
                });
            }
        };
        match self.helpers {
            Some(helpers) => {
                let tasks: Vec<_> = parts.collect();
                helpers.install(|| tasks.into_par_iter().for_each(tell));
            }
            None => parts.for_each(tell),
        }
    }
}

/// Passes on the searches that have ended; returns their number.
fn pass_on(lanes: &mut Vec<Lane>, ended: &mut impl FnMut(Lane)) -> usize {
    let before = lanes.len();
    // Keeps the order of the others: the oldest search gets its rows first and leaves first.
    lanes.extract_if(.., |lane| lane.search.outcome().is_some()).for_each(ended);
    before - lanes.len()
}

/// Distributes the rows of a batch: first to every search that can use one row only, then to the others in order until
/// the batch is full. Returns the number of rows used.
fn share_rows(lanes: &[Lane], batch_rows: usize, rows: &mut Vec<usize>) -> usize {
    let mut left = batch_rows;
    rows.clear();
    rows.resize(lanes.len(), 0);
    for single in [true, false] {
        for (lane, rows) in lanes.iter().zip(rows.iter_mut()) {
            let pending = lane.search.pending();
            if (pending == 1) == single {
                *rows = pending.min(left);
                left -= *rows;
            }
        }
    }
    batch_rows - left
}
