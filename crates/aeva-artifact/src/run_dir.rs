//! The folder of one run: `run.json`, one `.aeva` file for each pass over triggers and each finished pair, and the reports made of
//! them.

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
/// The version is in the name: a later format gets a folder of its own and leaves this one readable. The name alone is that of the
/// perturbations with the parameters in `run.json`; others have their key behind it.
const PAIRS_FOLDER: &str = "pairs-v1";
/// Characters of a key in the name of a folder.
const KEY_LENGTH: usize = 12;
const TRIGGERS_FOLDER: &str = "triggers-v1";
/// Work that was stopped in the middle.
const PARTIAL_FOLDER: &str = "partial-v1";

/// A run folder that belongs to one [`Provenance`](crate::Provenance).
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    info: RunInfo,
    /// Name of the folder that the pairs are in.
    pairs: String,
}

impl RunDir {
    /// Opens the run folder at `path` for `info`, creating it when it is missing or empty. Of several processes that do so at the same
    /// time, one creates it; the others find it there. What killed writes left long ago is removed.
    ///
    /// # Errors
    /// [`ArtifactError::OtherRun`] when it holds another scan, [`ArtifactError::OtherAnswers`] when it holds this one, but the model
    /// answered the clean images differently, [`ArtifactError::NotARun`] when it holds something else,
    /// [`ArtifactError::RunDescription`] for a damaged `run.json` or an `info` that contradicts itself, and those of reading and writing.
    pub fn open_or_create(path: &Path, info: RunInfo) -> Result<Self, ArtifactError> {
        let run = match describe(path) {
            Ok(found) => Self::join(path, &found, info)?,
            Err(ArtifactError::NotARun { .. }) => Self::begin(path, info)?,
            Err(error) => return Err(error),
        };
        sweep(path);
        Ok(run)
    }

    /// Opens an existing run folder.
    ///
    /// # Errors
    /// [`ArtifactError::NotARun`], [`ArtifactError::RunDescription`], and those of reading.
    pub fn open(path: &Path) -> Result<Self, ArtifactError> {
        Ok(Self { path: path.to_owned(), info: describe(path)?, pairs: PAIRS_FOLDER.to_owned() })
    }

    /// The same run with the perturbations of other parameters, by the first characters of their key, as in the name of their folder.
    ///
    /// # Errors
    /// [`ArtifactError::NoSuchPerturbations`] when the run has none with this key, and those of reading.
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
        // What they depend on stands in every file of them.
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

    /// Names of the folders of perturbations with other parameters than those in `run.json`.
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

    /// Name of the search for perturbations as a piece of work, see [`partial_path`](Self::partial_path).
    pub fn perturbation_work(&self) -> String {
        self.pairs.replacen(PAIRS_FOLDER, "pairs", 1)
    }

    /// Everything that the perturbations of this run depend on.
    pub fn pair_provenance(&self) -> PairProvenance {
        PairProvenance::new(&self.info.provenance, &self.info.perturbations)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `run.json` says; after [`open_or_create`](Self::open_or_create), what was measured now.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// The ordered pairs (source, target) that have an artifact, by source, then target. Whether it can be read is not looked at.
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

    /// Where the artifact of a pair is, or will be.
    pub fn pair_path(&self, source: u32, target: u32) -> PathBuf {
        self.path.join(&self.pairs).join(pair_name(source, target))
    }

    /// A sub-folder to write into, by its plain name; created when it is missing. The run folder itself is never created again.
    ///
    /// # Errors
    /// [`ArtifactError::Vanished`] when the run is not there any more, [`ArtifactError::OtherRun`] when another one is,
    /// [`ArtifactError::Link`] and [`ArtifactError::NotAFolder`] for what is in its place, and those of reading and writing.
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
        // Of the name itself: a link is not followed.
        let kind = fs::symlink_metadata(&path).map_err(error)?.file_type();
        match (kind.is_dir(), kind.is_symlink()) {
            (true, _) => Ok(path),
            (_, true) => Err(ArtifactError::Link { path }),
            _ => Err(ArtifactError::NotAFolder { path }),
        }
    }

    /// Writes the artifact of a finished pair, whole or not at all.
    ///
    /// # Errors
    /// [`ArtifactError::Foreign`] when it has another provenance, [`ArtifactError::Encode`], [`ArtifactError::Io`], and those of
    /// [`sub_folder`](Self::sub_folder).
    pub fn store(&self, pair: &PairArtifact) -> Result<(), ArtifactError> {
        let path = self.pair_path(pair.result.source, pair.result.target);
        self.check_pair_provenance(&path, &pair.provenance)?;
        let bytes = pair.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        self.sub_folder(&self.pairs)?;
        write_atomically(&path, &bytes)
    }

    /// Reads the artifact of a pair; `None` when it is not there.
    ///
    /// # Errors
    /// [`ArtifactError::Decode`] for a damaged file, [`ArtifactError::Foreign`] for one of another run or pair, and those of
    /// [`read_regular`].
    pub fn load(&self, source: u32, target: u32) -> Result<Option<PairArtifact>, ArtifactError> {
        let Some(pair) = self.read_pair(source, target)? else { return Ok(None) };
        let path = self.pair_path(source, target);
        self.check_pair_provenance(&path, &pair.provenance)?;
        if (pair.result.source, pair.result.target) != (source, target) {
            let why = format!("it holds pair {} -> {}", pair.result.source, pair.result.target);
            return Err(ArtifactError::Foreign { path, why });
        }
        Ok(Some(pair))
    }

    /// Reads the artifact of a pair, whatever run it belongs to.
    fn read_pair(&self, source: u32, target: u32) -> Result<Option<PairArtifact>, ArtifactError> {
        read_artifact(&self.pair_path(source, target), PairArtifact::from_bytes)
    }

    /// Where the triggers of a pass are, or will be.
    pub fn trigger_path(&self, id: PassId) -> PathBuf {
        self.path.join(TRIGGERS_FOLDER).join(format!("{id}.aeva"))
    }

    /// Writes the triggers of a pass, whole or not at all.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub fn store_triggers(&self, triggers: &TriggerArtifact) -> Result<(), ArtifactError> {
        let path = self.trigger_path(triggers.id);
        self.check_provenance(&path, &WorkProvenance::Triggers(triggers.provenance.clone()))?;
        let bytes = triggers.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        self.sub_folder(TRIGGERS_FOLDER)?;
        write_atomically(&path, &bytes)
    }

    /// Reads the triggers of a pass; `None` when they are not there.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_triggers(&self, id: PassId) -> Result<Option<TriggerArtifact>, ArtifactError> {
        let path = self.trigger_path(id);
        let Some(triggers) = read_artifact(&path, TriggerArtifact::from_bytes)? else { return Ok(None) };
        self.check_provenance(&path, &WorkProvenance::Triggers(triggers.provenance.clone()))?;
        if triggers.id != id {
            return Err(ArtifactError::Foreign { path, why: format!("it holds triggers of pass {}", triggers.id) });
        }
        Ok(Some(triggers))
    }

    /// Where the answers to a piece of work are, or will be, while it is not done. `work` is a plain name.
    pub fn partial_path(&self, work: &str) -> PathBuf {
        self.path.join(PARTIAL_FOLDER).join(format!("{work}.answers"))
    }

    /// Keeps what the model answered to work that was stopped.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub fn store_partial(&self, answers: &PartialAnswers) -> Result<(), ArtifactError> {
        let path = self.partial_path(&answers.work);
        self.check_provenance(&path, &answers.provenance)?;
        let bytes = answers.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        self.sub_folder(PARTIAL_FOLDER)?;
        write_atomically(&path, &bytes)
    }

    /// What the model answered to a piece of work before that was stopped; `None` when there is nothing.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_partial(&self, work: &str) -> Result<Option<PartialAnswers>, ArtifactError> {
        let path = self.partial_path(work);
        let Some(answers) = read_artifact(&path, PartialAnswers::from_bytes)? else { return Ok(None) };
        self.check_provenance(&path, &answers.provenance)?;
        if answers.work != work {
            let why = format!("it holds answers to {}", answers.work);
            return Err(ArtifactError::Foreign { path, why });
        }
        Ok(Some(answers))
    }

    /// Removes the answers to work that is done. What cannot be removed does no harm.
    pub fn remove_partial(&self, work: &str) {
        if fs::remove_file(self.partial_path(work)).is_ok() {
            // Only when it is empty.
            let _ = fs::remove_dir(self.path.join(PARTIAL_FOLDER));
        }
    }

    /// A folder without a run gets this one, unless it holds something else or another process was first.
    fn begin(path: &Path, info: RunInfo) -> Result<Self, ArtifactError> {
        let file = path.join(RUN_FILE);
        let text =
            run_file::encode(&info).map_err(|source| ArtifactError::RunDescription { path: file.clone(), source })?;
        fs::create_dir_all(path).map_err(|source| ArtifactError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
        // `run.json` is the first file of a run, so that a folder with results always says whose they are.
        if is_vacant(path)? && create_atomically(&file, &text)? {
            return Ok(Self { path: path.to_owned(), info, pairs: PAIRS_FOLDER.to_owned() });
        }
        Self::join(path, &describe(path)?, info)
    }

    /// The run that is there, if it is this one. What was measured now is what is known; the file stays as it is.
    fn join(path: &Path, found: &RunInfo, info: RunInfo) -> Result<Self, ArtifactError> {
        let contradiction = |source| ArtifactError::RunDescription { path: path.join(RUN_FILE), source };
        info.check().map_err(contradiction)?;
        let pairs = if found.perturbations == info.perturbations {
            PAIRS_FOLDER.to_owned()
        } else {
            format!("{PAIRS_FOLDER}-{}", &info.perturbations.key()[..KEY_LENGTH])
        };
        let run = Self { path: path.to_owned(), info, pairs };
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

    fn check_provenance(&self, path: &Path, provenance: &WorkProvenance) -> Result<(), ArtifactError> {
        match provenance {
            WorkProvenance::Perturbations(provenance) => self.check_pair_provenance(path, provenance),
            WorkProvenance::Triggers(provenance) => {
                no_differences(path, &provenance.differences(&self.info.provenance))
            }
        }
    }
}

fn no_differences(path: &Path, differences: &[String]) -> Result<(), ArtifactError> {
    if differences.is_empty() {
        return Ok(());
    }
    Err(ArtifactError::Foreign { path: path.to_owned(), why: differences.join("; ") })
}

/// Reads a file of the run folder; `None` when it is not there.
fn read_artifact<T>(
    path: &Path,
    from_bytes: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, ArtifactError> {
    let Some(bytes) = read_if_there(path, MAX_ARTIFACT_BYTES)? else { return Ok(None) };
    from_bytes(&bytes).map(Some).map_err(|source| ArtifactError::Decode { path: path.to_owned(), source })
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

/// Whether nothing is in a folder. Temporary files of a first write, killed or under way, do not count.
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

/// The pair whose artifact has this name.
fn pair_of(name: &str) -> Option<(u32, u32)> {
    let (source, target) = name.strip_suffix(".aeva")?.split_once('-')?;
    let pair = (source.parse().ok()?, target.parse().ok()?);
    // Only the name that is looked for when it is read: no signs, no zeros too many.
    (pair_name(pair.0, pair.1) == name).then_some(pair)
}
