//! The model's answers to work in progress, as they come: a kill at any time loses none that was written.
//!
//! A journal is one container (`container.rs`) with an empty payload, and then records. All integers are little-endian:
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | number of answers `n` |
//! | 12 | search, three numbers |
//! | 8 | position of the first answer in the order of the search |
//! | 4n | answers |
//! | 8 | the first bytes of the SHA-256 of all before in this record |
//!
//! Every process has a journal of its own, so that several can work in one folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::answers::{AnsweredSearch, PartialAnswers};
use crate::atomic::flush_folder;
use crate::error::{ArtifactError, DecodeError};
use crate::read::read_if_there;
use crate::run_dir::{PARTIAL_FOLDER, RunDir};

/// End of the names of journals.
const SUFFIX: &str = ".journal";
/// Largest journal that is read. The answers of one pass are far fewer.
const LARGEST: u64 = 1 << 30;
/// Most answers of a search.
const MOST_ANSWERS: u64 = 1 << 27;
/// Most answers that may be missing before records, in all: some batches are, and a few bytes can state any position.
const MOST_MISSING: usize = 1 << 22;
/// Bytes of a record before and behind its answers.
const BEFORE: usize = 24;
const BEHIND: usize = 8;
/// A record with so many answers is written at once.
const LARGE: usize = 16;
/// Smaller ones wait so long for others.
const WAIT: Duration = Duration::from_millis(50);
/// Time between two flushes to the disk, which a power cut costs; a killed process costs nothing.
const FLUSH: Duration = Duration::from_secs(10);

/// Answers of a journal: those of a search from a position on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Identifier of the search, in the work's own numbers.
    pub search: [u32; 3],
    /// Position of the first answer.
    pub at: usize,
    /// The answers.
    pub answers: Vec<u32>,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    waiting: Vec<u8>,
    written: Instant,
    flushed: Instant,
    failed: Option<io::Error>,
}

impl Journal {
    /// Adds answers. After a failure nothing more is written; see [`failure`](Self::failure).
    pub fn add(&self, search: [u32; 3], at: usize, answers: &[u32]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_some() {
            return;
        }
        encode(search, at, answers, &mut state.waiting);
        if answers.len() >= LARGE || state.written.elapsed() >= WAIT {
            state.failed = state.write().err();
        }
    }

    /// Writes what waits for more, so that other processes can read it.
    pub fn write(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_none() && !state.waiting.is_empty() {
            state.failed = state.write().err();
        }
    }

    /// Path of its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a write failed. The work should stop: what it finds later may be lost, too.
    pub fn has_failed(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failed.is_some()
    }

    /// The failure of a write, if there was one.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn failure(&self) -> Result<(), ArtifactError> {
        let failed = self.state.lock().unwrap_or_else(PoisonError::into_inner).failed.take();
        failed.map_or(Ok(()), |source| Err(ArtifactError::Io { action: "write", path: self.path.clone(), source }))
    }

    /// Removes the journal, whose answers are kept elsewhere by now. Failing to do so does no harm.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path);
        // Succeeds only if the folder is empty.
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

impl State {
    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        self.written = Instant::now();
        if self.flushed.elapsed() >= FLUSH {
            self.file.sync_data()?;
            self.flushed = Instant::now();
        }
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = state.file.write_all(&state.waiting);
    }
}

impl RunDir {
    /// A new journal of this process for the work of `head`, which has no answers.
    ///
    /// # Errors
    /// As [`store_partial`](Self::store_partial).
    pub fn begin_journal(&self, head: &PartialAnswers) -> Result<Journal, ArtifactError> {
        let folder = self.path().join(PARTIAL_FOLDER);
        self.check_provenance(&folder, &head.provenance)?;
        let begin = head.to_bytes().map_err(|source| ArtifactError::Encode { path: folder.clone(), source })?;
        self.in_partial_folder(|folder| begin_in(folder, &head.work, &begin))
    }

    /// Whether there is a journal of this work.
    pub fn has_journal(&self, work: &str) -> bool {
        self.journals(work).next().is_some()
    }

    /// The answers in all journals of this work, for the version of the search. A record that is cut or damaged ends its journal;
    /// a journal of another version has none.
    ///
    /// # Errors
    /// [`ArtifactError::Decode`] for a damaged beginning, [`ArtifactError::Foreign`] for a journal of another run, and errors of
    /// reading.
    pub fn read_journals(&self, work: &str, search_version: u32) -> Result<Vec<Record>, ArtifactError> {
        let mut records = Vec::new();
        for path in self.journals(work) {
            let Some(bytes) = read_if_there(&path, LARGEST)? else { continue };
            let (head, rest) = match split(&bytes) {
                // A kill may come before the first record.
                Err(_) if bytes.len() < SMALLEST_HEAD => continue,
                split => split.map_err(|source| ArtifactError::Decode { path: path.clone(), source })?,
            };
            self.check_provenance(&path, &head.provenance)?;
            if head.search_version == search_version && head.work == work {
                decode(rest, &mut records);
            }
        }
        Ok(records)
    }

    /// Removes all journals of this work, which is done.
    pub(crate) fn remove_journals(&self, work: &str) {
        for path in self.journals(work) {
            let _ = fs::remove_file(path);
        }
    }

    /// The journals of this work, in the order of their names.
    pub(crate) fn journals(&self, work: &str) -> impl Iterator<Item = PathBuf> + use<> {
        let prefix = prefix(work);
        let is_of_work = move |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&prefix) && name.ends_with(SUFFIX))
        };
        let entries = fs::read_dir(self.path().join(PARTIAL_FOLDER)).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_of_work(path)).collect();
        paths.sort_unstable();
        paths.into_iter()
    }
}

/// A new journal in a folder, with its beginning.
fn begin_in(folder: &Path, work: &str, begin: &[u8]) -> Result<Journal, ArtifactError> {
    let error = |source| ArtifactError::Io { action: "write", path: folder.to_owned(), source };
    let mut builder = tempfile::Builder::new();
    let prefix = prefix(work);
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(8);
    #[cfg(unix)]
    {
        // As any other new file (umask applies).
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let (mut file, path) = builder.tempfile_in(folder).and_then(|file| Ok(file.keep()?)).map_err(error)?;
    file.write_all(begin).and_then(|()| flush_folder(folder)).map_err(error)?;
    let now = Instant::now();
    let state = State { file, waiting: Vec::new(), written: now, flushed: now, failed: None };
    Ok(Journal { path, state: Mutex::new(state) })
}

/// No container is shorter.
const SMALLEST_HEAD: usize = 60;

fn prefix(work: &str) -> String {
    format!("{work}.")
}

/// The beginning of a journal, and its records.
pub(crate) fn split(bytes: &[u8]) -> Result<(PartialAnswers, &[u8]), DecodeError> {
    let length =
        crate::container::length(bytes).ok_or(DecodeError::TooShort { found: bytes.len(), needed: SMALLEST_HEAD })?;
    let (head, rest) = bytes.split_at(length);
    Ok((PartialAnswers::from_bytes(head)?, rest))
}

pub(crate) fn encode(search: [u32; 3], at: usize, answers: &[u32], bytes: &mut Vec<u8>) {
    let begin = bytes.len();
    bytes.extend_from_slice(&u32::try_from(answers.len()).unwrap_or(u32::MAX).to_le_bytes());
    for number in search {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&(at as u64).to_le_bytes());
    for answer in answers {
        bytes.extend_from_slice(&answer.to_le_bytes());
    }
    let digest = Sha256::digest(&bytes[begin..]);
    bytes.extend_from_slice(&digest[..BEHIND]);
}

/// Reads records up to the end, or to the first that is not whole; returns the number of bytes that are left.
pub(crate) fn decode(mut bytes: &[u8], records: &mut Vec<Record>) -> usize {
    // Each turn takes a record.
    while let Some((record, rest)) = first(bytes) {
        records.push(record);
        bytes = rest;
    }
    bytes.len()
}

fn first(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (before, _) = bytes.split_first_chunk::<BEFORE>()?;
    let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| before[at + i]));
    let (count, search) = (number(0) as usize, [number(4), number(8), number(12)]);
    let at = u64::from_le_bytes(std::array::from_fn(|i| before[16 + i]));
    let (content, rest) = bytes.split_at_checked(BEFORE.checked_add(count.checked_mul(4)?)?)?;
    let (digest, rest) = rest.split_at_checked(BEHIND)?;
    if Sha256::digest(content)[..BEHIND] != *digest || at.checked_add(count as u64)? > MOST_ANSWERS {
        return None;
    }
    let answers = content[BEFORE..].as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    Some((Record { search, at: usize::try_from(at).ok()?, answers }, rest))
}

/// The answers of all searches, in order, with those of `records` in their places. Where there is none, a search has `missing`.
/// A record behind too many of those is left out: its answers are asked for again.
pub fn with_records(
    searches: Vec<AnsweredSearch>,
    records: impl IntoIterator<Item = Record>,
    missing: u32,
) -> BTreeMap<[u32; 3], Vec<u32>> {
    let mut all: BTreeMap<[u32; 3], Vec<u32>> = BTreeMap::new();
    for AnsweredSearch { id, answers } in searches {
        let known = all.entry(id).or_default();
        if known.len() < answers.len() {
            *known = answers;
        }
    }
    let mut left = MOST_MISSING;
    for record in records {
        let known = all.get(&record.search).map_or(0, Vec::len);
        let Some(rest) = left.checked_sub(record.at.saturating_sub(known)) else { continue };
        left = rest;
        let answers = all.entry(record.search).or_default();
        let end = record.at + record.answers.len();
        if answers.len() < end {
            answers.resize(end, missing);
        }
        answers[record.at..end].copy_from_slice(&record.answers);
    }
    all
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::provenance::examples;
    use crate::{RunInfo, WorkProvenance};
    use aeva_attack::HopSkipJumpBuilder;
    use proptest::prelude::*;

    pub(crate) fn run(folder: &Path) -> RunDir {
        let provenance = crate::PerturbationProvenance::new(&HopSkipJumpBuilder::PUBLISHED.check().unwrap(), 40);
        RunDir::open_or_create(folder, RunInfo::new(examples::run(), provenance)).unwrap()
    }

    pub(crate) fn head(work: &str) -> PartialAnswers {
        let (provenance, searches) = (WorkProvenance::Run(examples::run()), Vec::new());
        PartialAnswers { provenance, search_version: 4, work: work.to_owned(), searches }
    }

    fn record(at: usize, answers: &[u32]) -> Record {
        Record { search: [1, 2, 3], at, answers: answers.to_vec() }
    }

    #[test]
    fn positions_that_are_only_stated_take_no_memory() {
        let far = |search: u32| Record { search: [search, 0, 0], at: 1 << 26, answers: vec![1] };
        let near = Record { search: [9, 0, 0], at: 2, answers: vec![1] };
        let all = with_records(Vec::new(), (0..1000).map(far).chain([near]), 7);
        assert_eq!(all, BTreeMap::from([([9, 0, 0], vec![7, 7, 1])]));
    }

    #[test]
    fn journals_of_several_processes_are_read_together() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path());
        assert!(!run.has_journal("patch-03"));
        let [one, two] = [0; 2].map(|_| run.begin_journal(&head("patch-03")).unwrap());
        one.add([1, 2, 3], 0, &[7; 20]);
        two.add([1, 2, 3], 20, &[8]);
        drop((one, two));
        run.begin_journal(&head("patch-03-again")).unwrap().add([1, 2, 3], 0, &[9; 20]);
        let mut records = run.read_journals("patch-03", 4).unwrap();
        records.sort_by_key(|record| record.at);
        assert_eq!(records, [record(0, &[7; 20]), record(20, &[8])]);
        assert_eq!(run.read_journals("patch-03", 5).unwrap(), [], "another version of the search");
        run.remove_journals("patch-03");
        assert!(!run.has_journal("patch-03") && run.has_journal("patch-03-again"));
    }

    #[test]
    fn answers_come_to_their_places() {
        let search = AnsweredSearch { id: [1, 2, 3], answers: vec![5, 5] };
        let other = Record { search: [0; 3], at: 0, answers: vec![1] };
        let all = with_records(vec![search], [record(4, &[6]), record(1, &[7, 7]), other], 99);
        assert_eq!(all, BTreeMap::from([([1, 2, 3], vec![5, 7, 7, 99, 6]), ([0; 3], vec![1])]));
    }

    proptest! {
        #[test]
        fn a_cut_or_damaged_journal_has_its_first_records(
            answers in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..20), 1..6),
            cut in any::<prop::sample::Index>(),
            flip in any::<bool>(),
        ) {
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            for (at, answers) in answers.iter().enumerate() {
                encode([1, 2, 3], at, answers, &mut bytes);
                ends.push(bytes.len());
            }
            let at = cut.index(bytes.len());
            if flip { bytes[at] ^= 1 } else { bytes.truncate(at) }
            let whole = ends.iter().filter(|&&end| end <= at).count();
            let mut records = Vec::new();
            decode(&bytes, &mut records);
            prop_assert_eq!(records.len(), whole);
            for (at, found) in records.iter().enumerate() {
                prop_assert_eq!(found, &record(at, &answers[at]));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes, &mut Vec::new());
            let _ = split(&bytes);
        }
    }
}
