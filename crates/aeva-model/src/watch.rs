//! Time limits for runs of a model. A run that exceeds its limit is asked to stop.
//!
//! ONNX Runtime checks for this request between two nodes of the graph, and between two iterations of a loop. A model that hangs within
//! one node cannot be stopped from within the process. Then a hook is called, which a program can use to report it and to exit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ort::session::RunOptions;
use ort::session::builder::LoadCanceler;

/// Interval between two checks of the current runs.
const TICK: Duration = Duration::from_millis(50);
/// Longest time that counts between two checks. After a longer pause, the process was stopped or the machine was asleep.
const LONGEST_TICK: Duration = Duration::from_millis(200);
/// Time that a run has to stop after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Everything that is watched. Entries without an owner are dropped at the next check.
static WATCHED: Mutex<Vec<Weak<Watched>>> = Mutex::new(Vec::new());
static WATCHING: AtomicBool = AtomicBool::new(false);
static HOOK: Mutex<Option<fn(&str)>> = Mutex::new(None);

/// Sets what happens if a model hangs and cannot be stopped. The hook receives a message, and should end the process.
pub fn on_unresponsive_model(hook: fn(&str)) {
    *HOOK.lock().unwrap_or_else(PoisonError::into_inner) = Some(hook);
}

/// What can be asked to stop.
pub(crate) enum Stoppable {
    Runs(RunOptions),
    Load(LoadCanceler),
}

/// The runs of one session, of which there is at most one at a time.
pub(crate) struct Watched {
    pub(crate) what: Stoppable,
    /// Number of the current run; 0 if there is none.
    run: AtomicU64,
    runs: AtomicU64,
    limit: AtomicU64,
    overdue: AtomicBool,
}

impl Watched {
    pub(crate) fn new(what: Stoppable) -> Arc<Self> {
        let watched = Arc::new(Self {
            what,
            run: AtomicU64::new(0),
            runs: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            overdue: AtomicBool::new(false),
        });
        WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&watched));
        if !WATCHING.swap(true, Ordering::SeqCst) {
            // If no thread can be started, runs have no limit, as without this module.
            let started = thread::Builder::new().name("aeva-watch".to_owned()).spawn(watch);
            WATCHING.store(started.is_ok(), Ordering::SeqCst);
        }
        watched
    }

    /// Does `work`, which must take no longer than `limit`. `None` if it took longer and was stopped.
    pub(crate) fn within<T>(&self, limit: Duration, work: impl FnOnce() -> T) -> Option<T> {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.limit.store(limit, Ordering::Relaxed);
        let number = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        self.run.store(number, Ordering::Release);
        let result = work();
        self.run.store(0, Ordering::Release);
        (!self.overdue.load(Ordering::Relaxed)).then_some(result)
    }

    fn stop(&self) {
        self.overdue.store(true, Ordering::Relaxed);
        // If this fails, the hook is called after the grace period.
        let told = match &self.what {
            Stoppable::Runs(options) => options.terminate(),
            Stoppable::Load(canceler) => canceler.cancel(),
        };
        drop(told);
    }
}

/// What the watching thread knows about an entry: the run that it saw last, and for how long.
struct Seen {
    entry: Weak<Watched>,
    run: u64,
    waited: Duration,
    told: bool,
}

/// Watches until the last entry is gone. The next entry starts another thread.
fn watch() {
    let mut seen: Vec<Seen> = Vec::new();
    let mut last = Instant::now();
    // Bounded by the lifetime of the entries.
    loop {
        thread::sleep(TICK);
        let passed = last.elapsed().min(LONGEST_TICK);
        last = Instant::now();
        {
            let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
            seen.extend(watched.drain(..).map(|entry| Seen { entry, run: 0, waited: Duration::ZERO, told: false }));
            seen.retain(|one| one.entry.strong_count() > 0);
            if seen.is_empty() {
                // Under the lock, so that a new entry either finds this thread or starts another one.
                WATCHING.store(false, Ordering::SeqCst);
                return;
            }
        }
        for one in &mut seen {
            let Some(entry) = one.entry.upgrade() else { continue };
            let run = entry.run.load(Ordering::Acquire);
            if run == 0 || run != one.run {
                (one.run, one.waited, one.told) = (run, Duration::ZERO, false);
                continue;
            }
            one.waited += passed;
            let limit = Duration::from_millis(entry.limit.load(Ordering::Relaxed));
            if one.waited > limit && !one.told {
                one.told = true;
                entry.stop();
            } else if one.waited > limit.saturating_add(GRACE)
                && let Some(hook) = *HOOK.lock().unwrap_or_else(PoisonError::into_inner)
            {
                hook("the model hangs and cannot be stopped");
            }
        }
    }
}
