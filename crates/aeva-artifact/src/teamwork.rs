//! Several processes that do the same work at the same time in one run folder: which of them asks what, and what the others
//! were answered.
//!
//! A process takes a piece of the queries by creating a file, which only one of them can. The files are in
//! `partial-v1/WORK.taken`, named after the piece, and hold the number of the share that took it. They go when the work is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::answers::PartialAnswers;
use crate::journal::{Journal, Record, decode, split};
use crate::read::read_if_there;
use crate::run_dir::{PARTIAL_FOLDER, RunDir};

/// End of the name of the folder of what is taken.
const TAKEN: &str = ".taken";
/// Most bytes that are read of a journal at once; the rest comes the next time.
const AT_ONCE: u64 = 1 << 24;
/// Most bytes of a number of a share.
const NUMBER: u64 = 16;

/// The part of one process in work that others do, too.
#[derive(Debug)]
pub struct Teamwork {
    run: RunDir,
    head: PartialAnswers,
    /// Exists when the work is done.
    artifact: PathBuf,
    /// The number of its share.
    share: u32,
    /// Its own journal.
    own: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What it took itself.
    taken: BTreeSet<String>,
    /// How far each journal has been read.
    read: BTreeMap<PathBuf, u64>,
}

impl Teamwork {
    pub(crate) fn new(run: &RunDir, head: PartialAnswers, artifact: PathBuf, share: u32, own: &Journal) -> Self {
        let own = own.path().to_owned();
        Self { run: run.clone(), head, artifact, share, own, state: Mutex::default() }
    }

    /// Takes a piece of the queries, named by the position of its first one and the round; false if another process has it, or
    /// this one has taken it before.
    ///
    /// If nothing can be created, it is true: a query that is asked twice does less harm than one that nobody asks.
    pub fn take(&self, first: usize, round: u32) -> bool {
        let name = format!("{first}-{round}");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.taken.contains(&name) {
            return false;
        }
        let folder = taken_folder(self.run.path(), &self.head.work);
        let create = || File::options().write(true).create_new(true).open(folder.join(&name));
        // The folder is removed with the others when another process has finished the work, and must not come back then.
        let created = match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&folder).and_then(|()| create()),
            created => created,
        };
        let is_own = match created {
            Ok(mut file) => {
                let _ = write!(file, "{}", self.share);
                true
            }
            // Before it was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number(&folder.join(&name)) == Some(self.share)
            }
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if is_own {
            state.taken.insert(name);
        }
        is_own
    }

    /// What the other processes were answered since the last time. A journal that cannot be read has nothing new.
    pub fn new_records(&self) -> Vec<Record> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        for path in self.run.journals(&self.head.work).filter(|path| *path != self.own) {
            let begin = state.read.get(&path).copied().unwrap_or(0);
            let Ok(bytes) = read_from(&path, begin) else { continue };
            let rest = if begin > 0 {
                &bytes[..]
            } else {
                match split(&bytes) {
                    Ok((head, rest)) if self.is_of_this_work(&path, &head) => rest,
                    _ => continue,
                }
            };
            let left = decode(rest, &mut records);
            state.read.insert(path, begin + (bytes.len() - left) as u64);
        }
        records
    }

    fn is_of_this_work(&self, path: &Path, head: &PartialAnswers) -> bool {
        let is_of_run = self.run.check_provenance(path, &head.provenance).is_ok();
        is_of_run && head.search_version == self.head.search_version && head.work == self.head.work
    }

    /// Whether one of the processes has finished the work.
    pub fn is_finished(&self) -> bool {
        self.artifact.is_file()
    }
}

impl RunDir {
    /// The same folder for a share that makes passes over triggers together with others.
    #[must_use]
    pub fn in_team(mut self, shard: u32) -> Self {
        self.team = Some(shard);
        self
    }

    /// The part in the work of `head`, whose result is `artifact`; `None` unless others [may do it, too](Self::in_team). `own` is
    /// its journal.
    pub fn teamwork(&self, head: PartialAnswers, artifact: PathBuf, own: &Journal) -> Option<Teamwork> {
        self.team.map(|share| Teamwork::new(self, head, artifact, share, own))
    }

    /// Bytes in the journals of this work, which grow while a process does it.
    pub fn journal_bytes(&self, work: &str) -> u64 {
        self.journals(work).filter_map(|path| fs::metadata(path).ok()).map(|data| data.len()).sum()
    }

    /// Removes what processes have noted to share out this work, which is done.
    pub(crate) fn remove_taken(&self, work: &str) {
        // A link is removed, and not followed.
        let _ = fs::remove_dir_all(taken_folder(self.path(), work));
    }
}

fn taken_folder(run: &Path, work: &str) -> PathBuf {
    run.join(PARTIAL_FOLDER).join(format!("{work}{TAKEN}"))
}

fn number(path: &Path) -> Option<u32> {
    let text = read_if_there(path, NUMBER).ok()??;
    std::str::from_utf8(&text).ok()?.parse().ok()
}

fn read_from(path: &Path, begin: u64) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(AT_ONCE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::{head, run};

    fn member(run: &RunDir, share: u32) -> (Teamwork, Journal) {
        let journal = run.begin_journal(&head("patch-03")).unwrap();
        (Teamwork::new(run, head("patch-03"), run.path().join("artifact"), share, &journal), journal)
    }

    #[test]
    fn each_piece_is_taken_once_in_a_round() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path());
        let ((one, _a), (two, _b)) = (member(&run, 1), member(&run, 2));
        assert!(one.take(0, 0) && !one.take(0, 0) && !two.take(0, 0));
        assert!(two.take(64, 0) && !one.take(64, 0));
        assert!(two.take(0, 1) && !one.take(0, 1));
        // The next process of a killed one has what that had taken.
        let (again, _c) = member(&run, 1);
        assert!(again.take(0, 0) && !again.take(0, 0) && !again.take(64, 0));
        run.remove_partial("patch-03");
        assert!(!folder.path().join(PARTIAL_FOLDER).exists());
        // What is done does not come back.
        assert!(!one.take(128, 0) && !folder.path().join(PARTIAL_FOLDER).exists());
    }

    #[test]
    fn answers_come_from_the_others_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path());
        let ((one, of_one), (two, of_two)) = (member(&run, 1), member(&run, 2));
        let record = |at: usize, answers: &[u32]| Record { search: [0; 3], at, answers: answers.to_vec() };
        assert!(one.new_records().is_empty());
        of_one.add([0; 3], 0, &[1; 20]);
        of_two.add([0; 3], 20, &[2; 20]);
        assert_eq!(one.new_records(), [record(20, &[2; 20])]);
        assert_eq!(two.new_records(), [record(0, &[1; 20])]);
        assert!(one.new_records().is_empty());
        // Few answers wait for others, unless they are written.
        of_two.add([0; 3], 40, &[3]);
        of_two.write();
        assert_eq!(one.new_records(), [record(40, &[3])]);

        // A record that is written in two pieces, and a journal of another version.
        let mut bytes = Vec::new();
        crate::journal::encode([0; 3], 50, &[7; 3], &mut bytes);
        let append = |bytes: &[u8]| File::options().append(true).open(of_two.path()).unwrap().write_all(bytes).unwrap();
        append(&bytes[..9]);
        assert!(one.new_records().is_empty());
        append(&bytes[9..]);
        assert_eq!(one.new_records(), [record(50, &[7; 3])]);
        let other = run.begin_journal(&PartialAnswers { search_version: 5, ..head("patch-03") }).unwrap();
        other.add([0; 3], 0, &[9; 20]);
        assert!(one.new_records().is_empty());
        assert!(!one.is_finished());
        fs::write(folder.path().join("artifact"), "").unwrap();
        assert!(one.is_finished() && run.journal_bytes("patch-03") > 0 && run.journal_bytes("patch-04") == 0);
    }
}
