//! Runs the searches of a plan over one oracle per worker and gathers them into one result per pair.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use ndarray::ArrayView4;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::gather::{Gather, Store};
use super::lane::Answers;
use super::lockstep::Lockstep;
use super::plan::PerturbationPlan;
use super::queue::Queue;
use super::settings::PerturbationSettings;
use crate::oracle::check_oracles;
use crate::{HardLabelOracle, JobId, Label, Progress, ScanError, ScanObserver};

/// Ended searches that may queue for storage. A worker this far ahead of the disk waits.
const WAITING_RECORDS: usize = 64;

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    /// Every pair of the plan was handed out.
    Complete,
    /// The observer asked to stop; [`Answers`] holds the state of unfinished pairs.
    Stopped,
}

/// Runs the searches of `plan` on `images` `[n, h, w, c]` (standard layout, values in `[0, 1]`), with one thread per
/// oracle. Hands every pair to `store`, on the caller's thread, as soon as all its samples have ended.
///
/// The results depend only on the parameters, the seed and the plan's samples. The order in which they are stored is
/// not fixed and does not matter. Memory depends on the searches in progress (batch size and oracles), not on the
/// length of the plan.
///
/// `answers` holds the answers of an earlier attempt, and receives the ones that this attempt leaves. A search repeats
/// its queries, so those that have an answer are not sent again and the results are the same.
///
/// # Errors
/// [`ScanError`]. The first error ends the scan; the answers are kept in that case, too. A search that fails is not an
/// error but an [`Outcome`](super::Outcome) in its record.
pub fn search(
    oracles: &mut [Box<dyn HardLabelOracle + '_>],
    images: ArrayView4<'_, f32>,
    plan: &PerturbationPlan,
    settings: &PerturbationSettings,
    answers: &mut Answers,
    observer: &dyn ScanObserver,
    store: &mut Store<'_>,
) -> Result<ScanEnd, ScanError> {
    let spec = check_oracles(oracles, &images)?;
    let pixels = images.as_slice().ok_or(ScanError::Layout)?;
    let helpers = helpers(settings.threads.get(), oracles.len())?;
    // Behind all that can fail before the first query, so that nothing of them is lost.
    let known = std::mem::take(answers);
    let queue = Queue::new(plan, settings, &known, pixels, spec.values(), oracles.len());
    let stopped = AtomicBool::new(false);
    let watch = Watch { observer, stopped: &stopped };
    let mut gather = Gather::new(spec.shape(), plan, store);

    let result = thread::scope(|scope| {
        // Workers only search. Their results are gathered and written here while they continue.
        let (sender, ended) = sync_channel(WAITING_RECORDS);
        let mut workers = Vec::with_capacity(oracles.len());
        for (index, oracle) in oracles.iter_mut().enumerate() {
            let (sender, queue, watch, helpers) = (sender.clone(), &queue, &watch, helpers.as_ref());
            let work = move || {
                let mut lockstep = Lockstep {
                    oracle: oracle.as_mut(),
                    observer: watch,
                    batch_rows: settings.batch_rows.get(),
                    helpers,
                };
                // The receiver outlives all senders; without it, nobody would need the results.
                let worker = queue.worker(lanes_for(settings.batch_rows.get()));
                let result = lockstep.run(worker, |lane| drop(sender.send(lane)));
                if result.is_err() {
                    watch.stopped.store(true, Ordering::Relaxed);
                }
                result
            };
            match thread::Builder::new().name(format!("aeva-{index}")).spawn_scoped(scope, work) {
                Ok(worker) => workers.push(worker),
                Err(error) => {
                    stopped.store(true, Ordering::Relaxed);
                    return Err(ScanError::Threads(error.into()));
                }
            }
        }
        drop(sender);
        let mut result = Ok(());
        // Ends with the last worker. Keeps receiving after a failure so that no worker waits for ever.
        for lane in ended {
            let added = gather.add(lane);
            if added.is_err() {
                stopped.store(true, Ordering::Relaxed);
            }
            result = result.and(added);
        }
        for worker in workers {
            match worker.join() {
                Ok(found) => result = result.and(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        result
    });
    let mut result = result;
    for lane in queue.left() {
        result = result.and(gather.add(lane));
    }
    let end = if gather.is_complete() { ScanEnd::Complete } else { ScanEnd::Stopped };
    drop(queue);
    *answers = gather.into_answers(known);
    result.map(|()| end)
}

/// Searches in progress per oracle. Between two estimates (100 rows and more) a search takes some 20 single rows, so
/// about one lane per four rows of a batch keeps it full; eight is enough for the smallest batches.
fn lanes_for(batch_rows: usize) -> usize {
    (batch_rows / 4).max(8)
}

/// Threads that fill batches while oracles are busy; none if every thread has its own oracle.
fn helpers(threads: usize, oracles: usize) -> Result<Option<ThreadPool>, ScanError> {
    if threads <= oracles {
        return Ok(None);
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("aeva-helper-{index}"));
    pool.build().map(Some).map_err(|error| ScanError::Threads(error.into()))
}

/// Forwards everything to the caller's observer, and stops all workers if one of them failed.
struct Watch<'a> {
    observer: &'a dyn ScanObserver,
    stopped: &'a AtomicBool,
}

impl ScanObserver for Watch<'_> {
    fn classified(&self, queries: u64) {
        self.observer.classified(queries);
    }

    fn answered(&self, job: Option<JobId>, at: usize, answers: &[Label]) {
        self.observer.answered(job, at, answers);
    }

    fn iteration(&self, progress: &Progress<'_>) {
        self.observer.iteration(progress);
    }

    fn stop(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.observer.stop()
    }
}
