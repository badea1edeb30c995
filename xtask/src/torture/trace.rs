//! Calls of the system, seen or failed by strace where it is there and may trace.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::run::{Call, Ended};

/// strace, which works here.
pub(crate) struct Tracer {
    program: &'static str,
}

impl Tracer {
    /// Nothing where it is not there or not allowed.
    pub(crate) fn find() -> Option<Self> {
        let program = "strace";
        let call = Call::new(program).args(["-f", "-qq", "-o", "/dev/null", "true"]).limit(20);
        call.run().ok().filter(|ended| ended.exited(0)).map(|_| Self { program })
    }

    /// The call with one call of the system that fails or kills: the so-many-th of these names.
    pub(crate) fn injecting(&self, call: Call, names: &str, fault: &str, count: usize) -> Call {
        let inject = format!("inject={names}:{fault}:when={count}");
        let words =
            ["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={names}"), "-e", &inject].map(OsString::from);
        call.under(self.program, &words)
    }

    /// Runs the call and gives the lines of the calls of these names.
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

/// Whether the call that a line tells of has succeeded.
pub(crate) fn succeeded(line: &str) -> bool {
    !line.contains(" = -1 ") && !line.contains(" = ?")
}

/// The first text in quotation marks of a line: the name of the file.
pub(crate) fn file_of(line: &str) -> Option<PathBuf> {
    line.split('"').nth(1).map(PathBuf::from)
}
