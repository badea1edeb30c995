//! A scan in a process of its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::list::Member;
use super::table::{Scanned, Status};
use crate::signals;

/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// Scans a model into its folder in `out`, with a log beside it.
pub(super) fn scan(member: &Member, out: &Path, options: &[OsString]) -> anyhow::Result<Scanned> {
    let log = out.join(format!("{}.log", member.name));
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let errors = file.try_clone().with_context(|| format!("cannot write {}", log.display()))?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command.arg("scan").args(options).arg("--out").arg(out.join(&member.name)).arg("--").arg(&member.model);
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    #[cfg(unix)]
    {
        // Signals of the terminal reach this process alone, which passes them on once.
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    let mut child = command.spawn().context("cannot start this program again")?;
    let ended = wait(&mut child).context("cannot wait for a scan")?;
    let status = match ended.code() {
        _ if signals::stopping() && !matches!(ended.code(), Some(0 | 1 | 3)) => Status::Interrupted,
        Some(0) => Status::Clean,
        Some(1) => Status::Backdoored,
        Some(3) => Status::Inconclusive,
        _ => Status::Failed,
    };
    Ok(Scanned::new(member, out, status, &log))
}

/// Waits for the end of a scan, and passes a signal on to it.
fn wait(child: &mut Child) -> std::io::Result<ExitStatus> {
    let mut told = false;
    // Bounded by the life of the scan, whose model has time limits.
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok(ended);
        }
        if signals::stopping() && !told {
            told = true;
            stop(child);
        }
        thread::sleep(PAUSE);
    }
}

/// Asks a scan to stop, so that it keeps its answers.
#[cfg(unix)]
fn stop(child: &Child) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    if let Ok(id) = i32::try_from(child.id()) {
        // It may have just ended.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
}

#[cfg(not(unix))]
fn stop(_: &Child) {}
