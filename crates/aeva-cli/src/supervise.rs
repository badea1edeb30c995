//! Runs work that may crash in a second process.
//!
//! ONNX Runtime runs untrusted models as native code. If such a model crashes it, or takes all memory, the process is
//! gone and cannot report the error. So a child process does the work. This process waits, passes signals on, and
//! reports how the child ended. Nothing is lost in such a case: files are written atomically, and the same command
//! resumes from there.

use std::process::ExitCode;

/// Does `work` in a child process and returns its exit code. Must be called while the process has only one thread.
#[cfg(unix)]
#[allow(unsafe_code, reason = "a process is forked")]
pub(crate) fn supervised(work: impl FnOnce() -> ExitCode) -> ExitCode {
    use nix::unistd::{ForkResult, fork, getpid};

    let parent = getpid();
    // SAFETY: this process has one thread, so the child has a complete copy of it, and no lock is held for ever.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => watch(child),
        Ok(ForkResult::Child) => {
            if end_with(parent) {
                work()
            } else {
                ExitCode::from(2)
            }
        }
        // If there is no child process, the work runs in this one.
        Err(_) => work(),
    }
}

/// Does `work`.
#[cfg(not(unix))]
pub(crate) fn supervised(work: impl FnOnce() -> ExitCode) -> ExitCode {
    work()
}

/// Makes the child end when its parent ends, for whatever reason; returns whether the parent still exists.
#[cfg(target_os = "linux")]
fn end_with(parent: nix::unistd::Pid) -> bool {
    // If this fails, the child continues to the end of the scan, which does no harm.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    nix::unistd::getppid() == parent
}

#[cfg(all(unix, not(target_os = "linux")))]
fn end_with(_: nix::unistd::Pid) -> bool {
    true
}

/// Waits for the child, and passes stop signals on to it.
#[cfg(unix)]
fn watch(child: nix::unistd::Pid) -> ExitCode {
    use nix::errno::Errno;
    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

    let mut signals = crate::signals::handled();
    signals.add(Signal::SIGCHLD);
    // Signals that cannot be blocked end this process, and the child with it.
    let blocked = signals.thread_block().is_ok();
    // Bounded by the life of the child.
    loop {
        let flag = blocked.then_some(WaitPidFlag::WNOHANG);
        match waitpid(child, flag) {
            Ok(WaitStatus::Exited(_, code)) => return ExitCode::from(u8::try_from(code).unwrap_or(2)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return ended_by(signal),
            Err(Errno::EINTR) | Ok(_) => {}
            Err(_) => return ExitCode::from(2),
        }
        match signals.wait() {
            Ok(Signal::SIGCHLD) | Err(_) => {}
            Ok(signal) => {
                // The child may have just ended; the next iteration notices that.
                let _ = kill(child, signal);
            }
        }
    }
}

/// A signal ended the child: either a signal to both processes, or a crash.
#[cfg(unix)]
fn ended_by(signal: nix::sys::signal::Signal) -> ExitCode {
    use nix::sys::signal::Signal;

    if matches!(signal, Signal::SIGINT | Signal::SIGTERM | Signal::SIGHUP | Signal::SIGQUIT) {
        crate::signals::end_by(signal);
        // Signals do not end the first process of a container; it reports them in its exit code, like a shell.
        return ExitCode::from(u8::try_from(128 + signal as i32).unwrap_or(2));
    }
    let (what, hint) = match signal {
        Signal::SIGKILL => (
            "was killed",
            "this happens when memory runs out: choose a smaller --batch-size, fewer --threads, or fewer images",
        ),
        Signal::SIGABRT => (
            "aborted, usually because memory ran out",
            "choose a smaller --batch-size, fewer --threads, or fewer images; the lines above may say more",
        ),
        Signal::SIGXFSZ => ("exceeded the limit of file sizes", "raise the limit of file sizes (ulimit -f)"),
        _ => ("crashed", "the model makes ONNX Runtime crash; a valid model does not, so it may be damaged or hostile"),
    };
    let error = crate::hint::Hinted::error(
        format!("the process that runs the model {what} ({signal}); finished results are kept"),
        hint,
    );
    crate::exit::print(&error);
    ExitCode::from(2)
}
