//! Runs a command with limits in its own process group, and watches it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;

const GIB: u64 = 1 << 30;
/// How much of each stream is kept.
const LONGEST_OUTPUT: u64 = 4 << 20;
/// The shell sets the limits, because this workspace has no unsafe code. `env` sets the environment last, so that
/// `nice` is found whatever `PATH` the command gets.
const LIMITS: &str = r#"ulimit -c 0
[ -z "$1" ] || ulimit -v "$1" 2>/dev/null || true
[ -z "$2" ] || ulimit -f "$2"
shift 2
exec nice -n 10 env "$@""#;

/// A command, with its limits.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    words: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
    memory: u64,
    file_blocks: Option<u64>,
    limit: Duration,
}

impl Call {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let words = vec![program.as_ref().to_owned()];
        let limit = Duration::from_mins(2);
        Self { words, environment: Vec::new(), folder: None, memory: 8 * GIB, file_blocks: None, limit }
    }

    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    pub(crate) fn args<T: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), Some(value.as_ref().to_owned())));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.push((name.into(), None));
        self
    }

    /// The working folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Limit of the address space, in bytes.
    pub(crate) fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Limit of the file size, in blocks of 512 bytes.
    pub(crate) fn file_blocks(mut self, blocks: u64) -> Self {
        self.file_blocks = Some(blocks);
        self
    }

    pub(crate) fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// The same call as the arguments of another program, for example a tracer.
    pub(crate) fn under(mut self, program: impl AsRef<OsStr>, words: &[OsString]) -> Self {
        let mut all = vec![program.as_ref().to_owned()];
        all.extend_from_slice(words);
        all.append(&mut self.words);
        self.words = all;
        self
    }

    /// The words, quoted for a shell.
    pub(crate) fn quoted(&self) -> String {
        let quote = |word: &OsString| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
        self.words.iter().map(quote).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        let (out, err) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let blocks = self.file_blocks.map(|blocks| blocks.to_string()).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", LIMITS, "sh", &(self.memory >> 10).to_string(), &blocks]);
        for (name, value) in &self.environment {
            match value {
                None => command.arg("-u").arg(name),
                Some(_) => &mut command,
            };
        }
        command.args(["NO_COLOR=1", "RUST_BACKTRACE=0"]);
        for (name, value) in &self.environment {
            if let Some(value) = value {
                let mut setting = name.clone();
                setting.push("=");
                setting.push(value);
                command.arg(setting);
            }
        }
        command.args(&self.words);
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?).process_group(0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let child = command.spawn().context("cannot start a shell")?;
        let begin = Instant::now();
        Ok(Running { child, out, err, begin, limit: self.limit, peak: 0, status: None })
    }

    /// Starts it and waits until it ends.
    pub(crate) fn run(&self) -> anyhow::Result<Ended> {
        self.start()?.wait()
    }
}

/// A running command. Dropping it kills what is left of its process group.
pub(crate) struct Running {
    child: Child,
    out: File,
    err: File,
    begin: Instant,
    limit: Duration,
    peak: u64,
    status: Option<ExitStatus>,
}

impl Running {
    /// Whether it still runs. Also records its memory.
    pub(crate) fn goes_on(&mut self) -> anyhow::Result<bool> {
        if self.status.is_none() {
            self.peak = self.peak.max(peak_of_tree(self.child.id(), 3));
            self.status = self.child.try_wait()?;
        }
        Ok(self.status.is_none())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Sends a signal to the process alone, as `kill` does.
    pub(crate) fn signal(&mut self, name: &str) -> anyhow::Result<()> {
        if self.goes_on()? {
            send(name, &self.child.id().to_string())?;
        }
        Ok(())
    }

    /// Sends a signal to the process and all that it started, as a terminal does.
    pub(crate) fn signal_group(&mut self, name: &str) -> anyhow::Result<()> {
        if self.goes_on()? {
            send(name, &format!("-{}", self.child.id()))?;
        }
        Ok(())
    }

    /// Child processes.
    pub(crate) fn children(&self) -> Vec<u32> {
        children(self.child.id())
    }

    /// Other processes of the group that are still alive.
    pub(crate) fn others_alive(&self) -> Vec<u32> {
        group(self.child.id()).into_iter().filter(|id| *id != self.child.id()).collect()
    }

    /// Waits for the processes of the group that outlived the process; returns how many did not end in time.
    pub(crate) fn outlived(&self, patience: Duration) -> usize {
        let begin = Instant::now();
        loop {
            let left = self.others_alive().len();
            if left == 0 || begin.elapsed() > patience {
                return left;
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Waits until it ends, or kills the group when the time is up.
    pub(crate) fn wait(mut self) -> anyhow::Result<Ended> {
        self.finish()
    }

    /// Like [`Running::wait`], but leaves the group for inspection.
    pub(crate) fn finish(&mut self) -> anyhow::Result<Ended> {
        let mut hung = false;
        while self.goes_on()? {
            if self.begin.elapsed() > self.limit {
                hung = true;
                self.kill_group();
                self.status = Some(self.child.wait()?);
                break;
            }
            // Most commands are short.
            sleep(Duration::from_millis(if self.seconds() < 0.2 { 2 } else { 10 }));
        }
        let end = match self.status {
            _ if hung => End::Hang,
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => End::Exit(code),
                (None, signal) => End::Signal(signal.unwrap_or(0)),
            },
            None => End::Hang,
        };
        let (out, err) = (text(&mut self.out)?, text(&mut self.err)?);
        Ok(Ended { end, out, err, seconds: self.seconds(), peak: self.peak })
    }

    fn kill_group(&mut self) {
        if self.status.is_none() {
            let _ = send("KILL", &format!("-{}", self.child.id()));
            let _ = self.child.kill();
        } else {
            for id in self.others_alive() {
                let _ = send("KILL", &id.to_string());
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_group();
        if self.status.is_none() {
            let _ = self.child.wait();
        }
    }
}

fn text(file: &mut File) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LONGEST_OUTPUT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Sends a signal with the shell's `kill`; a missing process is not an error.
pub(crate) fn send(signal: &str, target: &str) -> anyhow::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", r#"kill -s "$1" -- "$2""#, "sh", signal, target]).stderr(Stdio::null());
    command.status().context("cannot start a shell")?;
    Ok(())
}

/// The largest resident set, in bytes, of a process and its descendants.
fn peak_of_tree(id: u32, depth: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let field = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own: u64 = field.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0) << 10;
    if depth == 0 {
        return own;
    }
    children(id).into_iter().map(|child| peak_of_tree(child, depth - 1)).fold(own, u64::max)
}

fn children(id: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists.flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Processes of a group, without zombies; empty without `/proc`.
fn group(leader: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let member = |id: &u32| {
        let line = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The name, in parentheses, may contain anything.
        let mut words = line.rsplit(')').next().unwrap_or_default().split_whitespace();
        let state = words.next().unwrap_or("Z");
        !matches!(state, "Z" | "X") && words.nth(1).and_then(|word| word.parse().ok()) == Some(leader)
    };
    ids.filter(member).collect()
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Exit(i32),
    Signal(i32),
    /// It was killed because the time was up.
    Hang,
}

/// A command that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) seconds: f64,
    /// Largest resident set observed, in bytes.
    pub(crate) peak: u64,
}

impl Ended {
    pub(crate) fn exited(&self, code: i32) -> bool {
        self.end == End::Exit(code) && !self.panicked()
    }

    /// Whether it ended with one of these exit codes.
    pub(crate) fn exited_in(&self, codes: &[i32]) -> bool {
        codes.iter().any(|code| self.exited(*code))
    }

    pub(crate) fn panicked(&self) -> bool {
        self.end == End::Exit(101) || self.err.contains("panicked at") || self.out.contains("panicked at")
    }

    /// Whether it crashed, panicked or did not end.
    pub(crate) fn broken(&self) -> bool {
        !matches!(self.end, End::Exit(_)) || self.panicked()
    }

    /// Whether it ended with an error message.
    pub(crate) fn refused(&self) -> bool {
        self.exited(2) && self.err.contains("error")
    }

    /// How it ended and what it printed, in one line.
    pub(crate) fn line(&self) -> String {
        let error = self.error();
        if error.is_empty() { self.kind() } else { format!("{}: {error}", self.kind()) }
    }

    pub(crate) fn kind(&self) -> String {
        match self.end {
            _ if self.panicked() => "panic".to_owned(),
            End::Exit(code) => format!("exit {code}"),
            End::Signal(6) if self.err.contains("memory allocation of") => "failed allocation".to_owned(),
            End::Signal(signal) => format!("signal {signal}"),
            End::Hang => "hang".to_owned(),
        }
    }

    /// The most informative line of stderr, without control characters.
    pub(crate) fn error(&self) -> String {
        let says =
            |words: &[&str]| self.err.lines().find(|line| words.iter().any(|word| line.to_lowercase().contains(word)));
        let line = says(&["panicked at", "memory allocation"]).or_else(|| says(&["error"]));
        printable(line.or_else(|| self.err.lines().last()).unwrap_or_default(), 220)
    }
}

/// The first characters of a text, without control sequences for a terminal.
pub(crate) fn printable(text: &str, length: usize) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_apart() {
        let shell = |script: &str| Call::new("sh").args(["-c", script]).limit(1).run().unwrap();
        assert!(shell("exit 3").exited(3));
        assert_eq!(shell("kill -s TERM $$").end, End::Signal(15));
        assert_eq!(shell("sleep 20").end, End::Hang);
        assert!(shell("echo thread panicked at >&2; exit 2").panicked());
        let refused = shell("echo error: no >&2; exit 2");
        assert!(refused.refused() && refused.error() == "error: no");
    }

    #[test]
    fn the_environment_and_the_limits_are_as_asked_for() {
        let call = Call::new("/bin/sh").args(["-c", "echo $WORD-${HOME-none}-$(ulimit -v)"]);
        let ended = call.env("WORD", "a b").without("HOME").memory(1 << 30).run().unwrap();
        assert!(ended.out.starts_with("a b-none-"), "{}", ended.out);
    }
}
