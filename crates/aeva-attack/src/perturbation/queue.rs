//! Distributes searches over workers: first from one queue, then from worker to worker, so that none is idle while
//! there is work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lane::{Answers, Lane};
use super::plan::{PairPlan, PerturbationPlan};
use super::settings::PerturbationSettings;
use crate::{HopSkipJump, JobId, JobNoise, ScanError};

/// How often a waiting worker checks whether the scan was stopped.
const STOP_CHECK: Duration = Duration::from_millis(20);

/// The searches of a plan, handed out in its order.
pub(crate) struct Queue<'a> {
    plan: &'a PerturbationPlan,
    settings: &'a PerturbationSettings,
    /// Answers to the searches from before the scan was stopped.
    known: &'a Answers,
    /// All images, `[n, h, w, c]` row-major.
    pixels: &'a [f32],
    values: usize,
    /// `[pair]` -> searches of the pairs before it.
    before: Vec<usize>,
    next: AtomicUsize,
    /// A copy of [`Shared::waiting`] that can be read without the lock.
    waiting: AtomicUsize,
    shared: Mutex<Shared>,
    changed: Condvar,
}

struct Shared {
    /// Workers that have searches or are about to request some.
    active: usize,
    /// Workers without searches.
    waiting: usize,
    /// Searches given away by workers that have several.
    given: Vec<Lane>,
}

/// A worker's place at the queue.
pub(crate) struct Worker<'a> {
    queue: &'a Queue<'a>,
    /// Searches in progress at a time.
    lanes: usize,
    active: bool,
}

impl<'a> Queue<'a> {
    /// The searches of `plan` for `workers` workers.
    pub(crate) fn new(
        plan: &'a PerturbationPlan,
        settings: &'a PerturbationSettings,
        known: &'a Answers,
        pixels: &'a [f32],
        values: usize,
        workers: usize,
    ) -> Self {
        let mut sum = 0;
        let count = |pair: &PairPlan| {
            let before = sum;
            sum += pair.samples.len();
            before
        };
        let before = plan.pairs.iter().map(count).collect();
        let shared = Shared { active: workers, waiting: 0, given: Vec::new() };
        Self {
            plan,
            settings,
            known,
            pixels,
            values,
            before,
            next: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            shared: Mutex::new(shared),
            changed: Condvar::new(),
        }
    }

    /// A worker that keeps `lanes` searches in progress. There must be as many workers as were announced.
    pub(crate) fn worker(&'a self, lanes: usize) -> Worker<'a> {
        Worker { queue: self, lanes, active: true }
    }

    fn next(&self) -> Result<Option<Lane>, ScanError> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        // The last pair that starts at or before this search; a pair without samples starts where its successor does.
        let pair = self.before.partition_point(|&before| before <= index).saturating_sub(1);
        let Some((plan, &before)) = self.plan.pairs.get(pair).zip(self.before.get(pair)) else { return Ok(None) };
        let sample = index - before;
        let Some(&images) = plan.samples.get(sample) else { return Ok(None) };
        // The number of samples comes from a u32.
        let job = JobId { source: plan.source, target: plan.target, sample: u32::try_from(sample).unwrap_or(u32::MAX) };
        let noise = JobNoise::new(self.settings.seed, job);
        let (origin, start) = (self.image(images.origin)?, self.image(images.start)?);
        let search = HopSkipJump::new(self.settings.params, noise, job.target, origin, start).map_err(|source| {
            ScanError::Search { source_label: job.source, target: job.target, sample: job.sample, source }
        })?;
        let mut lane = Lane { job, pair, images, search, answers: Vec::new() };
        if let Some(answers) = self.known.get(&job) {
            lane.replay(answers.clone(), self.values);
        }
        Ok(Some(lane))
    }

    /// Searches that were given away but not taken, for example because the scan was stopped.
    pub(crate) fn left(&self) -> Vec<Lane> {
        std::mem::take(&mut self.lock().given)
    }

    fn image(&self, index: usize) -> Result<&[f32], ScanError> {
        let images = self.pixels.len() / self.values;
        self.pixels.get(index * self.values..(index + 1) * self.values).ok_or(ScanError::NoSuchImage { index, images })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic elsewhere must not hide this data; the scan passes the panic on.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_waiting(&self, shared: &mut Shared, waiting: usize) {
        shared.waiting = waiting;
        self.waiting.store(waiting, Ordering::Relaxed);
    }
}

impl Worker<'_> {
    /// Fills `lanes` from the queue, or else from other workers, for which it may wait. `lanes` stays empty if there is
    /// no work left or `stop` returns true. A worker with several searches gives some of them to waiting workers.
    pub(crate) fn refill(&mut self, lanes: &mut Vec<Lane>, stop: impl Fn() -> bool) -> Result<(), ScanError> {
        while lanes.len() < self.lanes {
            match self.queue.next()? {
                Some(lane) => lanes.push(lane),
                None => break,
            }
        }
        if lanes.is_empty() {
            self.wait(lanes, stop);
        } else if lanes.len() > 1 && self.queue.waiting.load(Ordering::Relaxed) > 0 {
            self.give(lanes);
        }
        Ok(())
    }

    fn give(&self, lanes: &mut Vec<Lane>) {
        let mut shared = self.queue.lock();
        if shared.waiting > 0 && shared.given.is_empty() {
            let keep = lanes.len().div_ceil(shared.waiting + 1);
            shared.given.extend(lanes.drain(keep..));
            self.queue.changed.notify_all();
        }
    }

    fn wait(&mut self, lanes: &mut Vec<Lane>, stop: impl Fn() -> bool) {
        let queue = self.queue;
        let mut shared = queue.lock();
        shared.active -= 1;
        self.active = false;
        let waiting = shared.waiting + 1;
        queue.set_waiting(&mut shared, waiting);
        // The others need to know if this was the last active worker.
        queue.changed.notify_all();
        // Bounded by the searches of the others, all of which end.
        loop {
            let there = shared.given.len();
            if there > 0 {
                let share = there.div_ceil(shared.waiting);
                lanes.extend(shared.given.drain(there - share..));
                shared.active += 1;
                self.active = true;
                break;
            }
            if shared.active == 0 || stop() {
                break;
            }
            shared = match queue.changed.wait_timeout(shared, STOP_CHECK) {
                Ok((shared, _)) => shared,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        let waiting = shared.waiting - 1;
        queue.set_waiting(&mut shared, waiting);
    }
}

impl Drop for Worker<'_> {
    /// The others must not wait for a worker that has ended, for whatever reason.
    fn drop(&mut self) {
        if self.active {
            self.queue.lock().active -= 1;
            self.queue.changed.notify_all();
        }
    }
}
