//! A second process for what may crash.
//!
//! ONNX Runtime runs models that nobody here made, as native code. Where such a model crashes it, or takes all memory, the process is
//! gone, and with it the chance to say so. So the work is done by a child process; this one waits, passes signals on, and tells how the
//! child ended. Nothing is lost in such a case: files appear whole or not at all, and the same command goes on from there.

use std::process::ExitCode;

/// Does `work` in a process of its own and returns its exit code. Must be called while the process has one thread.
#[cfg(unix)]
#[allow(unsafe_code, reason = "a process is forked")]
pub(crate) fn supervised(work: impl FnOnce() -> ExitCode) -> ExitCode {
    use nix::unistd::{ForkResult, fork, getpid};

    let parent = getpid();
    // SAFETY: this process has one thread, so that the child has everything that the parent has, and no lock is held for ever.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => watch(child),
        Ok(ForkResult::Child) => {
            if end_with(parent) {
                work()
            } else {
                ExitCode::from(2)
            }
        }
        // No process to be had: then without one.
        Err(_) => work(),
    }
}

/// Does `work`.
#[cfg(not(unix))]
pub(crate) fn supervised(work: impl FnOnce() -> ExitCode) -> ExitCode {
    work()
}

/// Lets the child end with its parent, however that ends; whether it is still there.
#[cfg(target_os = "linux")]
fn end_with(parent: nix::unistd::Pid) -> bool {
    // Without it the child goes on to the end of the scan, which does no harm.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    nix::unistd::getppid() == parent
}

#[cfg(all(unix, not(target_os = "linux")))]
fn end_with(_: nix::unistd::Pid) -> bool {
    true
}

/// Waits for the child, and passes on what asks to stop.
#[cfg(unix)]
fn watch(child: nix::unistd::Pid) -> ExitCode {
    use nix::errno::Errno;
    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

    let mut signals = crate::signals::handled();
    signals.add(Signal::SIGCHLD);
    // If they cannot be blocked they end this process, and the child with it.
    let blocked = signals.thread_block().is_ok();
    // Bounded by the child's life.
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
                // It may have ended just now, which the next turn sees.
                let _ = kill(child, signal);
            }
        }
    }
}

/// The child was ended by a signal: one that was meant for both of them, or a crash.
#[cfg(unix)]
fn ended_by(signal: nix::sys::signal::Signal) -> ExitCode {
    use nix::sys::signal::Signal;

    if matches!(signal, Signal::SIGINT | Signal::SIGTERM | Signal::SIGHUP | Signal::SIGQUIT) {
        crate::signals::end_by(signal);
        // The first process of a container is not ended by signals: it says so in its exit code, as a shell does.
        return ExitCode::from(u8::try_from(128 + signal as i32).unwrap_or(2));
    }
    let (what, hint) = match signal {
        Signal::SIGKILL => (
            "was killed",
            "the system does so when memory runs out: choose a smaller --batch-size, fewer --threads, or fewer images",
        ),
        Signal::SIGABRT => (
            "gave up, as a rule because memory ran out",
            "choose a smaller --batch-size, fewer --threads, or fewer images; the lines above may say more",
        ),
        Signal::SIGXFSZ => ("may not write files as large as it has to", "raise the limit of file sizes (ulimit -f)"),
        _ => (
            "crashed",
            "the model makes ONNX Runtime crash, which a sound model does not; whether it is damaged or hostile cannot be told",
        ),
    };
    let error = crate::hint::Hinted::error(
        format!("the process that runs the model {what} ({signal}); what it had finished is kept"),
        hint,
    );
    crate::exit::print(&error);
    ExitCode::from(2)
}
