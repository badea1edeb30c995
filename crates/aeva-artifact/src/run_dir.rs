//! The folder of one run: `run.json`, one `.aeva` file for each trigger pass and each finished pair, and the reports.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic::{TEMPORARY, create_atomically, flush_folder, sweep};
use aeva_attack::trigger::PassId;

use crate::answers::{PartialAnswers, WorkProvenance};
use crate::atomic::write_atomically;
use crate::error::{ArtifactError, DecodeError};
use crate::pair::PairArtifact;
use crate::provenance::PairProvenance;
use crate::read::{MAX_ARTIFACT_BYTES, read_if_there, read_regular};
use crate::run_file;
use crate::run_info::RunInfo;
use crate::trigger::TriggerArtifact;

const RUN_FILE: &str = "run.json";
/// The name contains the version: a later format gets its own folder and leaves this one readable. The plain name is
/// for perturbations with the parameters in `run.json`; for other parameters, their key is appended.
const PAIRS_FOLDER: &str = "pairs-v1";
/// Characters of a key in a folder name.
const KEY_LENGTH: usize = 12;
const TRIGGERS_FOLDER: &str = "triggers-v1";
/// File with the reason not to use a folder.
const REFUSED_FILE: &str = "refused.txt";
/// Longest reason that is read.
const MAX_REASON: u64 = 1 << 12;
/// Begin of what is added to the names of the work of a share.
const SHARE: &str = "-share-";
/// Folder of unfinished work.
pub(crate) const PARTIAL_FOLDER: &str = "partial-v1";

/// A run folder that belongs to one [`Provenance`](crate::Provenance).
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    info: RunInfo,
    /// Name of the folder of the pairs.
    pairs: String,
    /// The share of a scan that is made, as a part of names.
    share: Option<String>,
    /// The number of the share, if it shares its passes with others.
    pub(crate) team: Option<u32>,
}

impl RunDir {
    /// Opens the run folder at `path` for `info`, and creates it if it is missing or empty. If several processes do so
    /// at the same time, one creates it and the others join. Old leftovers of killed writes are removed.
    ///
    /// # Errors
    /// [`ArtifactError::OtherRun`] if it holds another scan; [`ArtifactError::OtherAnswers`] if it holds this scan, but
    /// the model answered the clean images differently; [`ArtifactError::NotARun`] if it holds something else;
    /// [`ArtifactError::RunDescription`] for a damaged `run.json` or an `info` that contradicts itself;
    /// [`ArtifactError::Refused`] after [`refuse`](Self::refuse); and errors of reading and writing.
    pub fn open_or_create(path: &Path, info: RunInfo) -> Result<Self, ArtifactError> {
        refused(path)?;
        let run = match describe(path) {
            Ok(found) => Self::join(path, &found, info)?,
            Err(ArtifactError::NotARun { .. }) => Self::begin(path, info)?,
            Err(error) => return Err(error),
        };
        sweep(path);
        Ok(run)
    }

    /// Whether there is a run folder at a path. It may be damaged.
    pub fn is_at(path: &Path) -> bool {
        path.join(RUN_FILE).is_file()
    }

    /// Opens an existing run folder.
    ///
    /// # Errors
    /// [`ArtifactError::NotARun`], [`ArtifactError::RunDescription`], [`ArtifactError::Refused`], and errors of reading.
    pub fn open(path: &Path) -> Result<Self, ArtifactError> {
        refused(path)?;
        Ok(Self::at(path, describe(path)?, PAIRS_FOLDER.to_owned()))
    }

    fn at(path: &Path, info: RunInfo, pairs: String) -> Self {
        Self { path: path.to_owned(), info, pairs, share: None, team: None }
    }

    /// Makes sure that the folder at a path, if there is one, was not marked by [`refuse`](Self::refuse).
    ///
    /// # Errors
    /// [`ArtifactError::Refused`].
    pub fn check_usable(path: &Path) -> Result<(), ArtifactError> {
        refused(path)
    }

    /// Marks the folder, so that it is never opened again: some of its answers are not of the model that it names.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn refuse(&self, why: &str) -> Result<(), ArtifactError> {
        write_atomically(&self.path.join(REFUSED_FILE), why.as_bytes())
    }

    /// Selects the perturbations with other parameters, given the first characters of their key as in the name of their
    /// folder.
    ///
    /// # Errors
    /// [`ArtifactError::NoSuchPerturbations`] if the run has none with this key, and errors of reading.
    pub fn with_perturbations(mut self, key: &str) -> Result<Self, ArtifactError> {
        let names = self.perturbation_folders()?;
        let pairs = format!("{PAIRS_FOLDER}-{key}");
        if !names.contains(&pairs) {
            let found = names.into_iter().filter_map(|name| name.get(PAIRS_FOLDER.len() + 1..).map(str::to_owned));
            return Err(ArtifactError::NoSuchPerturbations {
                path: self.path,
                key: key.to_owned(),
                found: found.collect(),
            });
        }
        self.pairs = pairs;
        // Every file of these perturbations contains their provenance.
        if let Some(&(source, target)) = self.stored_pairs()?.first() {
            let (path, pair) = (self.pair_path(source, target), self.read_pair(source, target)?);
            let (provenance, perturbations) = pair.map(|pair| pair.provenance.split()).unzip();
            let differences = provenance.map_or_else(Vec::new, |found| found.differences(&self.info.provenance));
            if !differences.is_empty() {
                return Err(ArtifactError::Foreign { path, why: differences.join("; ") });
            }
            self.info.perturbations = perturbations.unwrap_or(self.info.perturbations);
        }
        Ok(self)
    }

    /// Names of the folders of perturbations with parameters other than those in `run.json`.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn perturbation_folders(&self) -> Result<Vec<String>, ArtifactError> {
        let error = |source| ArtifactError::Io { action: "read", path: self.path.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(error)? {
            let name = entry.map_err(error)?.file_name().to_string_lossy().into_owned();
            let key = name.strip_prefix(PAIRS_FOLDER).and_then(|rest| rest.strip_prefix('-'));
            if key.is_some_and(|key| key.len() == KEY_LENGTH && key.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The same folder for a share of the scan, whose unfinished work has a name of its own.
    #[must_use]
    pub fn with_share(self, shard: u32, of: u32) -> Self {
        Self { share: Some(format!("{SHARE}{shard}-of-{of}")), ..self }
    }

    /// Name of the search for perturbations as a piece of work; see [`partial_path`](Self::partial_path).
    pub fn perturbation_work(&self) -> String {
        self.pairs.replacen(PAIRS_FOLDER, "pairs", 1) + self.share.as_deref().unwrap_or_default()
    }

    /// Names of the unfinished searches for perturbations that this run goes on with: its own, and those of shares, unless it is a
    /// share itself.
    pub fn perturbation_works(&self) -> Vec<String> {
        let own = self.perturbation_work();
        let mut names = BTreeSet::from([own.clone()]);
        if self.share.is_none() {
            let entries = fs::read_dir(self.path.join(PARTIAL_FOLDER)).into_iter().flatten().flatten();
            for entry in entries {
                let name = entry.file_name();
                let work = name.to_str().and_then(|name| name.split('.').next()).unwrap_or_default();
                if work.strip_prefix(&own).is_some_and(|rest| rest.starts_with(SHARE)) {
                    names.insert(work.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }

    /// The passes that have triggers. The files are not read.
    pub fn stored_passes(&self) -> Vec<PassId> {
        PassId::all().filter(|&id| self.trigger_path(id).is_file()).collect()
    }

    /// Everything that the perturbations of this run depend on.
    pub fn pair_provenance(&self) -> PairProvenance {
        PairProvenance::new(&self.info.provenance, &self.info.perturbations)
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content of `run.json`; after [`open_or_create`](Self::open_or_create), the current measurements.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// The ordered pairs (source, target) that have an artifact, by source, then target. The files are not read.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn stored_pairs(&self) -> Result<Vec<(u32, u32)>, ArtifactError> {
        let folder = self.path.join(&self.pairs);
        let error = |source| ArtifactError::Io { action: "read", path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(error(source)),
        };
        let classes = self.info.provenance.model.classes;
        let mut pairs = Vec::new();
        for entry in entries {
            let name = entry.map_err(error)?.file_name();
            let pair = name.to_str().and_then(pair_of);
            pairs.extend(pair.filter(|&(source, target)| source < classes && target < classes && source != target));
        }
        pairs.sort_unstable();
        Ok(pairs)
    }

    /// Name of the folder of the pairs.
    pub(crate) fn pairs_folder(&self) -> &str {
        &self.pairs
    }

    /// Path of the artifact of a pair, whether it exists or not.
    pub fn pair_path(&self, source: u32, target: u32) -> PathBuf {
        self.path.join(&self.pairs).join(pair_name(source, target))
    }

    /// A sub-folder for writing, by its plain name; created if it is missing. The run folder itself is never created
    /// again.
    ///
    /// # Errors
    /// [`ArtifactError::Vanished`] if the run no longer exists, [`ArtifactError::OtherRun`] if another one has replaced
    /// it, [`ArtifactError::Link`] and [`ArtifactError::NotAFolder`] if something else is in its place, and errors of
    /// reading and writing.
    pub fn sub_folder(&self, name: &str) -> Result<PathBuf, ArtifactError> {
        let found = describe(&self.path).map_err(|error| match error {
            ArtifactError::NotARun { path } => ArtifactError::Vanished { path },
            error => error,
        })?;
        self.same_run(&found)?;
        let path = self.path.join(name);
        let error = |source| ArtifactError::Io { action: "create", path: path.clone(), source };
        match fs::create_dir(&path) {
            Ok(()) => flush_folder(&self.path).map_err(error)?,
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(error(source)),
        }
        // This is the metadata of the name itself: a link is not followed.
        let kind = fs::symlink_metadata(&path).map_err(error)?.file_type();
        match (kind.is_dir(), kind.is_symlink()) {
            (true, _) => Ok(path),
            (_, true) => Err(ArtifactError::Link { path }),
            _ => Err(ArtifactError::NotAFolder { path }),
        }
    }

    /// Writes the artifact of a finished pair atomically.
    ///
    /// # Errors
    /// [`ArtifactError::Foreign`] if it has a different provenance, [`ArtifactError::Encode`], [`ArtifactError::Io`],
    /// and the errors of [`sub_folder`](Self::sub_folder).
    pub fn store(&self, pair: &PairArtifact) -> Result<(), ArtifactError> {
        let path = self.pair_path(pair.result.source, pair.result.target);
        self.check_pair_provenance(&path, &pair.provenance)?;
        let bytes = pair.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        self.sub_folder(&self.pairs)?;
        write_atomically(&path, &bytes)
    }

    /// Reads the artifact of a pair; `None` if it does not exist.
    ///
    /// # Errors
    /// [`ArtifactError::Decode`] for a damaged file, [`ArtifactError::Foreign`] for a file of another run or pair, and
    /// the errors of [`read_regular`].
    pub fn load(&self, source: u32, target: u32) -> Result<Option<PairArtifact>, ArtifactError> {
        let Some(pair) = self.read_pair(source, target)? else { return Ok(None) };
        let path = self.pair_path(source, target);
        self.check_pair_provenance(&path, &pair.provenance)?;
        if (pair.result.source, pair.result.target) != (source, target) {
            let why = format!("it contains pair {} -> {}", pair.result.source, pair.result.target);
            return Err(ArtifactError::Foreign { path, why });
        }
        Ok(Some(pair))
    }

    /// Reads the artifact of a pair without checking its run.
    fn read_pair(&self, source: u32, target: u32) -> Result<Option<PairArtifact>, ArtifactError> {
        read_artifact(&self.pair_path(source, target), PairArtifact::from_bytes)
    }

    /// Path of the triggers of a pass, whether they exist or not.
    pub fn trigger_path(&self, id: PassId) -> PathBuf {
        self.path.join(TRIGGERS_FOLDER).join(format!("{id}.aeva"))
    }

    /// Writes the triggers of a pass atomically.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub fn store_triggers(&self, triggers: &TriggerArtifact) -> Result<(), ArtifactError> {
        let path = self.trigger_path(triggers.id);
        self.check_provenance(&path, &WorkProvenance::Run(triggers.provenance.clone()))?;
        let bytes = triggers.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        self.sub_folder(TRIGGERS_FOLDER)?;
        write_atomically(&path, &bytes)
    }

    /// Reads the triggers of a pass; `None` if they do not exist.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_triggers(&self, id: PassId) -> Result<Option<TriggerArtifact>, ArtifactError> {
        let path = self.trigger_path(id);
        let Some(triggers) = read_artifact(&path, TriggerArtifact::from_bytes)? else { return Ok(None) };
        self.check_provenance(&path, &WorkProvenance::Run(triggers.provenance.clone()))?;
        if triggers.id != id {
            return Err(ArtifactError::Foreign { path, why: format!("it contains triggers of pass {}", triggers.id) });
        }
        Ok(Some(triggers))
    }

    /// Path of the answers to a piece of unfinished work, whether they exist or not. `work` is a plain name.
    pub fn partial_path(&self, work: &str) -> PathBuf {
        self.path.join(PARTIAL_FOLDER).join(format!("{work}.answers"))
    }

    /// Keeps the model's answers to unfinished work.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub fn store_partial(&self, answers: &PartialAnswers) -> Result<(), ArtifactError> {
        let path = self.partial_path(&answers.work);
        self.check_provenance(&path, &answers.provenance)?;
        let bytes = answers.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        self.in_partial_folder(|_| write_atomically(&path, &bytes))
    }

    /// Writes something into the folder of unfinished work, which another process may remove when its own is done.
    pub(crate) fn in_partial_folder<T>(
        &self,
        attempt: impl Fn(&Path) -> Result<T, ArtifactError>,
    ) -> Result<T, ArtifactError> {
        const TRIES: u32 = 20;
        for _ in 1..TRIES {
            match self.sub_folder(PARTIAL_FOLDER).and_then(|folder| attempt(&folder)) {
                Err(ArtifactError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                tried => return tried,
            }
        }
        attempt(&self.sub_folder(PARTIAL_FOLDER)?)
    }

    /// The model's answers to a piece of unfinished work; `None` if there are none.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_partial(&self, work: &str) -> Result<Option<PartialAnswers>, ArtifactError> {
        let path = self.partial_path(work);
        let Some(answers) = read_artifact(&path, PartialAnswers::from_bytes)? else { return Ok(None) };
        self.check_provenance(&path, &answers.provenance)?;
        if answers.work != work {
            let why = format!("it contains answers to {}", answers.work);
            return Err(ArtifactError::Foreign { path, why });
        }
        Ok(Some(answers))
    }

    /// Removes the answers to finished work. Failing to remove them does no harm.
    pub fn remove_partial(&self, work: &str) {
        let _ = fs::remove_file(self.partial_path(work));
        self.remove_journals(work);
        self.remove_taken(work);
        // Succeeds only if the folder is empty.
        let _ = fs::remove_dir(self.path.join(PARTIAL_FOLDER));
    }

    /// Starts this run in a folder without a run, unless the folder holds something else or another process was first.
    fn begin(path: &Path, info: RunInfo) -> Result<Self, ArtifactError> {
        let file = path.join(RUN_FILE);
        let text =
            run_file::encode(&info).map_err(|source| ArtifactError::RunDescription { path: file.clone(), source })?;
        fs::create_dir_all(path).map_err(|source| ArtifactError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
        // `run.json` is the first file of a run, so that a folder with results always says which run they belong to.
        if is_vacant(path)? && create_atomically(&file, &text)? {
            return Ok(Self::at(path, info, PAIRS_FOLDER.to_owned()));
        }
        Self::join(path, &describe(path)?, info)
    }

    /// Joins an existing run if it is this one. The current measurements are kept in memory; the file stays as it is.
    fn join(path: &Path, found: &RunInfo, info: RunInfo) -> Result<Self, ArtifactError> {
        let contradiction = |source| ArtifactError::RunDescription { path: path.join(RUN_FILE), source };
        info.check().map_err(contradiction)?;
        let pairs = if found.perturbations == info.perturbations {
            PAIRS_FOLDER.to_owned()
        } else {
            format!("{PAIRS_FOLDER}-{}", &info.perturbations.key()[..KEY_LENGTH])
        };
        let run = Self::at(path, info, pairs);
        run.same_run(found)?;
        let differences = found.other_figures(&run.info);
        if !differences.is_empty() {
            return Err(ArtifactError::OtherAnswers { path: path.to_owned(), differences });
        }
        Ok(run)
    }

    fn same_run(&self, found: &RunInfo) -> Result<(), ArtifactError> {
        let differences = found.provenance.differences(&self.info.provenance);
        if differences.is_empty() {
            return Ok(());
        }
        Err(ArtifactError::OtherRun { path: self.path.clone(), differences })
    }

    fn check_pair_provenance(&self, path: &Path, provenance: &PairProvenance) -> Result<(), ArtifactError> {
        no_differences(path, &provenance.differences(&self.pair_provenance()))
    }

    /// Checks that a file at `path` belongs to this run.
    pub(crate) fn check_provenance(&self, path: &Path, provenance: &WorkProvenance) -> Result<(), ArtifactError> {
        match provenance {
            WorkProvenance::Perturbations(provenance) => self.check_pair_provenance(path, provenance),
            WorkProvenance::Run(provenance) => no_differences(path, &provenance.differences(&self.info.provenance)),
        }
    }
}

fn no_differences(path: &Path, differences: &[String]) -> Result<(), ArtifactError> {
    if differences.is_empty() {
        return Ok(());
    }
    Err(ArtifactError::Foreign { path: path.to_owned(), why: differences.join("; ") })
}

/// Reads a file of the run folder; `None` if it does not exist.
pub(crate) fn read_artifact<T>(
    path: &Path,
    from_bytes: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, ArtifactError> {
    let Some(bytes) = read_if_there(path, MAX_ARTIFACT_BYTES)? else { return Ok(None) };
    from_bytes(&bytes).map(Some).map_err(|source| ArtifactError::Decode { path: path.to_owned(), source })
}

/// Fails for a folder that was marked by [`RunDir::refuse`].
fn refused(path: &Path) -> Result<(), ArtifactError> {
    if !path.is_dir() {
        return Ok(());
    }
    let Some(why) = read_if_there(&path.join(REFUSED_FILE), MAX_REASON)? else { return Ok(()) };
    Err(ArtifactError::Refused { path: path.to_owned(), why: String::from_utf8_lossy(&why).into_owned() })
}

/// Reads the `run.json` of a folder.
fn describe(path: &Path) -> Result<RunInfo, ArtifactError> {
    let file = path.join(RUN_FILE);
    let text = read_regular(&file, run_file::MAX_BYTES).map_err(|error| match error {
        ArtifactError::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            ArtifactError::NotARun { path: path.to_owned() }
        }
        error => error,
    })?;
    run_file::decode(&text).map_err(|source| ArtifactError::RunDescription { path: file, source })
}

/// Whether a folder is empty. Temporary files of a first write, killed or in progress, do not count.
fn is_vacant(path: &Path) -> Result<bool, ArtifactError> {
    let error = |source| ArtifactError::Io { action: "read", path: path.to_owned(), source };
    for entry in fs::read_dir(path).map_err(error)? {
        if !entry.map_err(error)?.file_name().to_string_lossy().starts_with(TEMPORARY) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn pair_name(source: u32, target: u32) -> String {
    format!("{source:04}-{target:04}.aeva")
}

/// The pair whose artifact has this file name.
fn pair_of(name: &str) -> Option<(u32, u32)> {
    let (source, target) = name.strip_suffix(".aeva")?.split_once('-')?;
    let pair = (source.parse().ok()?, target.parse().ok()?);
    // Only the canonical name is accepted, because that is the name to read: no signs, no extra zeros.
    (pair_name(pair.0, pair.1) == name).then_some(pair)
}
