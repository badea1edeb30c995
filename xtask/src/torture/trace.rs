//! System calls, observed or made to fail by strace, if it exists and may trace.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::run::{Call, Ended};

/// A working strace.
pub(crate) struct Tracer {
    program: &'static str,
}

impl Tracer {
    /// `None` if strace is missing or not allowed.
    pub(crate) fn find() -> Option<Self> {
        let program = "strace";
        let call = Call::new(program).args(["-f", "-qq", "-o", "/dev/null", "true"]).limit(20);
        call.run().ok().filter(|ended| ended.exited(0)).map(|_| Self { program })
    }

    /// The call with one failing or killing system call: the `count`-th of these names.
    pub(crate) fn injecting(&self, call: Call, names: &str, fault: &str, count: usize) -> Call {
        let inject = format!("inject={names}:{fault}:when={count}");
        let words =
            ["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={names}"), "-e", &inject].map(OsString::from);
        call.under(self.program, &words)
    }

    /// Runs the call and returns the trace lines of the system calls with these names.
    pub(crate) fn watch(&self, call: Call, names: &str, trace: &Path) -> anyhow::Result<(Ended, Vec<String>)> {
        super::folder::remove(trace)?;
        let filter = format!("trace={names}");
        let words = ["-f", "-qq", "-s", "4096", "-e", &filter, "-e", "signal=none", "-o"].map(OsString::from);
        let words = [&words[..], &[trace.as_os_str().to_owned()]].concat();
        let ended = call.under(self.program, &words).run()?;
        let bytes = fs::read(trace).unwrap_or_default();
        Ok((ended, String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()))
    }
}

/// Whether the system call in a line succeeded.
pub(crate) fn succeeded(line: &str) -> bool {
    !line.contains(" = -1 ") && !line.contains(" = ?")
}

/// The first quoted text of a line: the name of the file.
pub(crate) fn file_of(line: &str) -> Option<PathBuf> {
    line.split('"').nth(1).map(PathBuf::from)
}
