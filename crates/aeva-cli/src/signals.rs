//! Stop signals: Ctrl-C, and the signals of a system shutdown or a closed terminal.
//!
//! After the first signal, a scan stops after the current batch, stores the answers and reports this; then the program
//! ends as the signal would have ended it. A second signal ends it at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::time::{Duration, Instant};

static STOPPING: AtomicBool = AtomicBool::new(false);
static SIGNAL: OnceLock<Signal> = OnceLock::new();

/// The signal that asked the program to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// Another signal, by its number: the system asks the process to end.
    #[cfg(unix)]
    Other(nix::sys::signal::Signal),
}

/// Whether a signal asked the program to stop.
pub(crate) fn stopping() -> bool {
    STOPPING.load(Ordering::SeqCst)
}

/// The signal that asked the program to stop.
pub(crate) fn received() -> Signal {
    SIGNAL.get().copied().unwrap_or(Signal::Interrupt)
}

/// A signal asked the program to stop before there was anything to keep.
#[derive(Debug)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// From now on, signals ask the program to stop. Must be called before other threads start, because they inherit the
/// signal mask.
///
/// # Errors
/// If the system does not allow it.
#[cfg(unix)]
pub(crate) fn catch() -> anyhow::Result<()> {
    use anyhow::Context;
    use nix::sys::signal::Signal as Number;

    let signals = handled();
    signals.thread_block().context("signals cannot be blocked")?;
    let wait = move || {
        let mut first: Option<Instant> = None;
        // Runs until the process ends.
        while let Ok(number) = signals.wait() {
            match first {
                None => {
                    first = Some(Instant::now());
                    let signal = if number == Number::SIGINT { Signal::Interrupt } else { Signal::Other(number) };
                    // Cannot fail: nothing else sets it.
                    let _ = SIGNAL.set(signal);
                    STOPPING.store(true, Ordering::SeqCst);
                    tracing::warn!("stopping after the current batch; a second signal ends the program at once");
                }
                // A terminal also sends Ctrl-C to the supervising process, which passes it on.
                Some(first) if first.elapsed() < ECHO => {}
                Some(_) => end_at_once(number),
            }
        }
    };
    std::thread::Builder::new()
        .name("aeva-signals".to_owned())
        .spawn(wait)
        .context("cannot start the thread that waits for signals")?;
    Ok(())
}

/// From now on, Ctrl-C asks the program to stop; a second Ctrl-C ends it.
///
/// # Errors
/// If the system does not allow it.
#[cfg(not(unix))]
pub(crate) fn catch() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if STOPPING.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        let _ = SIGNAL.set(Signal::Interrupt);
        tracing::warn!("stopping after the current batch; a second signal ends the program at once");
    })?;
    Ok(())
}

/// Two signals within this time count as one.
#[cfg(unix)]
const ECHO: Duration = Duration::from_millis(100);

/// The stop signals, except those that the parent process chose to ignore (as `nohup` does).
#[cfg(unix)]
pub(crate) fn handled() -> nix::sys::signal::SigSet {
    use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};

    [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)).collect()
}

#[cfg(unix)]
#[allow(unsafe_code, reason = "there is no safe way to ask how a signal is handled")]
fn is_ignored(signal: nix::sys::signal::Signal) -> bool {
    use nix::libc;

    // SAFETY: all zeros are a valid `sigaction`, which the call overwrites.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action (null), the call only reads the current action into `now`.
    let read = unsafe { libc::sigaction(signal as libc::c_int, std::ptr::null(), &raw mut now) };
    read == 0 && now.sa_sigaction == libc::SIG_IGN
}

/// Ends the process after a second signal.
#[cfg(unix)]
fn end_at_once(signal: nix::sys::signal::Signal) {
    if signal == nix::sys::signal::Signal::SIGINT {
        end_with(130);
    }
    end_by(signal);
}

/// Ends the process without a message and without waiting for the threads that run the model.
#[cfg(unix)]
#[allow(unsafe_code, reason = "the usual way out would tear down ONNX Runtime under the threads that use it")]
pub(crate) fn end_with(code: i32) -> ! {
    // SAFETY: the call only ends the process; files are complete at any time.
    unsafe { nix::libc::_exit(code) }
}

/// Ends the process.
#[cfg(not(unix))]
pub(crate) fn end_with(code: i32) -> ! {
    std::process::exit(code)
}

/// Ends the process as if it did not handle the signal.
#[cfg(unix)]
pub(crate) fn end_by(signal: nix::sys::signal::Signal) {
    use nix::sys::signal::{SigSet, raise};

    // If either call fails, the process continues and the caller ends it in another way.
    let _ = SigSet::from(signal).thread_unblock();
    let _ = raise(signal);
}
