//! The searches of a plan over one oracle per worker, gathered into one result per pair.

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
use crate::{HardLabelOracle, Progress, ScanError, ScanObserver};

/// Ended searches that may wait to be stored; a worker that gets this far ahead of the disk waits for it.
const WAITING_RECORDS: usize = 64;

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    /// Every pair of the plan was handed out.
    Complete,
    /// The observer asked to stop; of pairs that were not finished there are [`Answers`].
    Stopped,
}

/// Runs the searches of `plan` on `images` `[n, h, w, c]` (standard layout, values in `[0, 1]`), each oracle on a thread of its
/// own, and hands every pair to `store`, on the caller's thread, as soon as all its samples have ended.
///
/// The results depend on the parameters, the seed and the plan's samples alone; the order in which they are stored does not
/// matter and is not fixed. Memory depends on the searches under way (batch size and oracles), not on the plan's length.
///
/// `answers` has what an earlier attempt left, and gets what this one leaves. A search asks the same again, so what was answered is
/// not asked twice and the results are the same.
///
/// # Errors
/// [`ScanError`]; the first one ends the scan, and the answers are left then, too. A search that fails is no error but an
/// [`Outcome`](super::Outcome) in its record.
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
        // Workers only search; what they find is gathered and written here, while they go on.
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
                // The receiver outlives all senders; if it did not, there would be nobody left to search for.
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
        // Ends when the last worker has ended; keeps receiving after a failure so that no worker waits for ever.
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

/// Searches under way per oracle. Between two estimates (100 rows and more) a search takes some 20 single rows, so about one
/// in four lanes of a batch keeps it full; eight is enough for the smallest ones.
fn lanes_for(batch_rows: usize) -> usize {
    (batch_rows / 4).max(8)
}

/// Threads that fill batches while oracles are busy elsewhere; none where every thread has an oracle of its own.
fn helpers(threads: usize, oracles: usize) -> Result<Option<ThreadPool>, ScanError> {
    if threads <= oracles {
        return Ok(None);
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("aeva-helper-{index}"));
    pool.build().map(Some).map_err(|error| ScanError::Threads(error.into()))
}

/// Passes everything on to the caller's observer, and stops all workers when one of them failed.
struct Watch<'a> {
    observer: &'a dyn ScanObserver,
    stopped: &'a AtomicBool,
}

impl ScanObserver for Watch<'_> {
    fn classified(&self, queries: u64) {
        self.observer.classified(queries);
    }

    fn iteration(&self, progress: &Progress<'_>) {
        self.observer.iteration(progress);
    }

    fn stop(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.observer.stop()
    }
}
