//! The folder of one run: `run.json`, one `.aeva` file per finished pair, and whatever reports are made of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ArtifactError, Level, Look, PairArtifact, Provenance, TriggerArtifact, write_atomically};

const RUN_FILE: &str = "run.json";
/// The version is in the name: a later format gets a folder of its own and leaves this one readable.
const PAIRS_FOLDER: &str = "pairs-v1";
const TRIGGERS_FOLDER: &str = "triggers-v1";
const SCHEMA_VERSION: u32 = 1;

/// A run folder that belongs to one [`Provenance`].
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    info: RunInfo,
}

/// What `run.json` says: the provenance, and names that are only there to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of this file's form.
    pub schema_version: u32,
    /// [`Provenance::key`].
    pub key: String,
    /// File name of the model.
    pub model_name: String,
    /// File name of the data.
    pub data_name: String,
    /// Share of the images that the model classified correctly before the search.
    pub clean_accuracy: f64,
    /// Images classified before the search: to measure it, and to compare a device with the CPU (counted as queries).
    pub clean_queries: u64,
    /// What the reader should know about how the run was set up.
    pub notes: Vec<String>,
    /// Everything the perturbations depend on.
    pub provenance: Provenance,
}

impl RunInfo {
    /// Describes a run without names, notes and figures; its other fields can be set.
    pub fn new(provenance: Provenance) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            key: provenance.key(),
            model_name: String::new(),
            data_name: String::new(),
            clean_accuracy: 0.0,
            clean_queries: 0,
            notes: Vec::new(),
            provenance,
        }
    }
}

impl RunDir {
    /// Opens the run folder at `path` for `info`, creating it when it is missing or empty.
    ///
    /// # Errors
    /// [`ArtifactError::OtherRun`] when it holds another scan, [`ArtifactError::NotARun`] when it holds something
    /// else, and those of reading and writing.
    pub fn open_or_create(path: &Path, info: RunInfo) -> Result<Self, ArtifactError> {
        let empty = match fs::read_dir(path) {
            // Left-over temporary files of a killed first write do not count.
            Ok(mut entries) => !entries
                .any(|entry| entry.is_ok_and(|entry| !entry.file_name().to_string_lossy().starts_with(".writing-"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(source) => return Err(ArtifactError::Io { action: "read", path: path.to_owned(), source }),
        };
        if !empty {
            let run = Self::open(path)?;
            let differences = run.info.provenance.differences(&info.provenance);
            if !differences.is_empty() {
                return Err(ArtifactError::OtherRun { path: path.to_owned(), differences });
            }
            run.create_pairs_folder()?;
            return Ok(run);
        }
        fs::create_dir_all(path).map_err(|source| ArtifactError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
        let run = Self { path: path.to_owned(), info };
        run.create_pairs_folder_after_description()?;
        Ok(run)
    }

    /// Opens an existing run folder.
    ///
    /// # Errors
    /// [`ArtifactError::NotARun`], [`ArtifactError::RunDescription`], [`ArtifactError::Io`].
    pub fn open(path: &Path) -> Result<Self, ArtifactError> {
        let file = path.join(RUN_FILE);
        let text = fs::read(&file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ArtifactError::NotARun { path: path.to_owned() },
            _ => ArtifactError::Io { action: "read", path: file.clone(), source },
        })?;
        let info: RunInfo =
            serde_json::from_slice(&text).map_err(|source| ArtifactError::RunDescription { path: file, source })?;
        Ok(Self { path: path.to_owned(), info })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `run.json` says.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// All ordered pairs (source, target) of different labels of the model, finished or not.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        let classes = self.info.provenance.model.classes;
        (0..classes).flat_map(move |source| {
            (0..classes).filter(move |&target| target != source).map(move |target| (source, target))
        })
    }

    /// Where the artifact of a pair is, or will be.
    pub fn pair_path(&self, source: u32, target: u32) -> PathBuf {
        self.path.join(PAIRS_FOLDER).join(format!("{source:04}-{target:04}.aeva"))
    }

    /// Writes the artifact of a finished pair, whole or not at all.
    ///
    /// # Errors
    /// [`ArtifactError::Foreign`] when it has another provenance, [`ArtifactError::Encode`], [`ArtifactError::Io`].
    pub fn store(&self, pair: &PairArtifact) -> Result<(), ArtifactError> {
        let path = self.pair_path(pair.source, pair.target);
        self.check_provenance(&path, &pair.provenance)?;
        let bytes = pair.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        write_atomically(&path, &bytes)
    }

    /// Reads the artifact of a pair; `None` when it is not there.
    ///
    /// # Errors
    /// [`ArtifactError::Decode`] for a damaged file, [`ArtifactError::Foreign`] for one of another run or pair.
    pub fn load(&self, source: u32, target: u32) -> Result<Option<PairArtifact>, ArtifactError> {
        let path = self.pair_path(source, target);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        let pair =
            PairArtifact::from_bytes(&bytes).map_err(|source| ArtifactError::Decode { path: path.clone(), source })?;
        self.check_provenance(&path, &pair.provenance)?;
        if (pair.source, pair.target) != (source, target) {
            let why = format!("it holds pair {} -> {}", pair.source, pair.target);
            return Err(ArtifactError::Foreign { path, why });
        }
        Ok(Some(pair))
    }

    /// Where the triggers of a look at a level are, or will be.
    pub fn trigger_path(&self, level: Level, look: Look) -> PathBuf {
        let suffix = match look {
            Look::First => "",
            Look::Second => "-again",
        };
        self.path.join(TRIGGERS_FOLDER).join(format!("{level}{suffix}.aeva"))
    }

    /// Writes the triggers of a look at a level, whole or not at all.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub fn store_triggers(&self, triggers: &TriggerArtifact) -> Result<(), ArtifactError> {
        let path = self.trigger_path(triggers.level, triggers.look);
        self.check_provenance(&path, &triggers.provenance)?;
        let bytes = triggers.to_bytes().map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        let folder = self.path.join(TRIGGERS_FOLDER);
        fs::create_dir_all(&folder).map_err(|source| ArtifactError::Io { action: "create", path: folder, source })?;
        write_atomically(&path, &bytes)
    }

    /// Reads the triggers of a look at a level; `None` when they are not there.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_triggers(&self, level: Level, look: Look) -> Result<Option<TriggerArtifact>, ArtifactError> {
        let path = self.trigger_path(level, look);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        let triggers = TriggerArtifact::from_bytes(&bytes)
            .map_err(|source| ArtifactError::Decode { path: path.clone(), source })?;
        self.check_provenance(&path, &triggers.provenance)?;
        if (triggers.level, triggers.look) != (level, look) {
            let why = format!("it holds triggers of {}, {:?} look", triggers.level, triggers.look);
            return Err(ArtifactError::Foreign { path, why });
        }
        Ok(Some(triggers))
    }

    fn check_provenance(&self, path: &Path, provenance: &Provenance) -> Result<(), ArtifactError> {
        let differences = provenance.differences(&self.info.provenance);
        if differences.is_empty() {
            return Ok(());
        }
        Err(ArtifactError::Foreign { path: path.to_owned(), why: differences.join("; ") })
    }

    /// `run.json` first: a folder with pairs always says whose they are.
    fn create_pairs_folder_after_description(&self) -> Result<(), ArtifactError> {
        let file = self.path.join(RUN_FILE);
        let mut text = serde_json::to_vec_pretty(&self.info)
            .map_err(|source| ArtifactError::RunDescription { path: file.clone(), source })?;
        text.push(b'\n');
        write_atomically(&file, &text)?;
        self.create_pairs_folder()
    }

    fn create_pairs_folder(&self) -> Result<(), ArtifactError> {
        let folder = self.path.join(PAIRS_FOLDER);
        fs::create_dir_all(&folder).map_err(|source| ArtifactError::Io { action: "create", path: folder, source })
    }
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ArtifactError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ArtifactError::Io { action: "read", path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::example;

    fn info() -> RunInfo {
        RunInfo { clean_accuracy: 0.9, model_name: "model.onnx".to_owned(), ..RunInfo::new(example()) }
    }

    fn pair(source: u32, target: u32) -> PairArtifact {
        PairArtifact { provenance: example(), source, target, shape: [1, 1, 1], samples: vec![] }
    }

    #[test]
    fn stores_and_finds_pairs_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("run");
        let run = RunDir::open_or_create(&path, info()).unwrap();
        assert!(run.load(0, 1).unwrap().is_none());
        run.store(&pair(0, 1)).unwrap();
        let again = RunDir::open_or_create(&path, info()).unwrap();
        assert_eq!(again.load(0, 1).unwrap(), Some(pair(0, 1)));
        assert_eq!(RunDir::open(&path).unwrap().info(), &info());
    }

    #[test]
    fn another_scan_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        RunDir::open_or_create(folder.path(), info()).unwrap();
        let mut other = example();
        other.model.sha256 = "00".to_owned();
        other.seed = 8;
        let other = RunInfo::new(other);
        let error = RunDir::open_or_create(folder.path(), other).unwrap_err().to_string();
        assert!(error.contains("model.sha256") && error.contains("seed: there 7, asked for 8"), "{error}");
    }

    #[test]
    fn a_foreign_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "dear").unwrap();
        let error = RunDir::open_or_create(folder.path(), info()).unwrap_err();
        assert!(matches!(error, ArtifactError::NotARun { .. }));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn damaged_and_foreign_files_are_errors_that_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open_or_create(folder.path(), info()).unwrap();
        run.store(&pair(0, 1)).unwrap();
        fs::copy(run.pair_path(0, 1), run.pair_path(2, 3)).unwrap();
        assert!(matches!(run.load(2, 3), Err(ArtifactError::Foreign { .. })));
        let bytes = fs::read(run.pair_path(0, 1)).unwrap();
        fs::write(run.pair_path(0, 1), &bytes[..bytes.len() - 5]).unwrap();
        let error = run.load(0, 1).unwrap_err();
        assert!(matches!(error, ArtifactError::Decode { .. }) && error.to_string().contains("0000-0001"));
        let mut foreign = pair(4, 5);
        foreign.provenance.seed = 99;
        assert!(matches!(run.store(&foreign), Err(ArtifactError::Foreign { .. })));
    }
}
