//! What a share of a scan has made: `shards/K-of-N.json` in a run folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomically;
use crate::error::ArtifactError;
use crate::provenance::sha256_hex;
use crate::read::{MAX_ARTIFACT_BYTES, read_if_there, read_regular};
use crate::run_dir::RunDir;

const FOLDER: &str = "shards";
const VERSION: u32 = 1;
/// Most shares of a scan.
pub const MAX_SHARDS: u32 = 10_000;
/// Largest manifest: a million files.
const MAX_BYTES: u64 = 1 << 28;

/// The results of a share of a scan, of which there are several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardManifest {
    /// Version of this format.
    pub version: u32,
    /// Number of the share, from 1.
    pub shard: u32,
    /// Number of all shares.
    pub of: u32,
    /// Key of the run (`run.json`).
    pub run: String,
    /// Whether the share has everything that it was to make.
    pub complete: bool,
    /// Path of each artifact in the run folder, with `/` -> its SHA-256.
    pub files: BTreeMap<String, String>,
    /// What is missing.
    pub missing: Vec<String>,
}

/// A share, as the files of a run folder show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardState {
    /// Number of the share, from 1.
    pub shard: u32,
    /// How far it is.
    pub state: Completeness,
    /// Artifacts that are there.
    pub files: usize,
    /// Artifacts that are missing.
    pub missing: Vec<String>,
    /// Artifacts that are there with another content than the manifest says.
    pub differing: Vec<String>,
}

/// How far a share is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// All its artifacts are there, and are those of its manifest.
    Complete,
    /// It was stopped, or artifacts are missing.
    Incomplete,
    /// It has no manifest: it was not started, or has not ended.
    Missing,
}

impl ShardManifest {
    /// Replaces the names of folders.
    pub(crate) fn rename(&mut self, folders: &[(String, String)]) {
        let renamed = |name: String| {
            let (folder, file) = name.split_once('/').unwrap_or((&name, ""));
            let other = folders.iter().find(|(from, _)| from == folder);
            other.map_or_else(|| name.clone(), |(_, to)| format!("{to}/{file}"))
        };
        let files = std::mem::take(&mut self.files);
        self.files = files.into_iter().map(|(name, digest)| (renamed(name), digest)).collect();
        self.missing = std::mem::take(&mut self.missing).into_iter().map(renamed).collect();
    }
}

impl RunDir {
    /// Writes the manifest of a share, given the artifacts that it was to make.
    ///
    /// # Errors
    /// [`ArtifactError::Io`] and the errors of [`sub_folder`](Self::sub_folder).
    pub fn store_manifest(&self, shard: u32, of: u32, artifacts: &[PathBuf]) -> Result<ShardManifest, ArtifactError> {
        let (mut files, mut missing) = (BTreeMap::new(), Vec::new());
        for path in artifacts {
            let name = self.name_of(path);
            match read_if_there(path, MAX_ARTIFACT_BYTES)? {
                Some(bytes) => drop(files.insert(name, sha256_hex(&bytes))),
                None => missing.push(name),
            }
        }
        let run = self.info().key.clone();
        let manifest = ShardManifest { version: VERSION, shard, of, run, complete: missing.is_empty(), files, missing };
        self.write_manifest(&manifest)?;
        Ok(manifest)
    }

    pub(crate) fn write_manifest(&self, manifest: &ShardManifest) -> Result<(), ArtifactError> {
        let path = self.sub_folder(FOLDER)?.join(format!("{}-of-{}.json", manifest.shard, manifest.of));
        let text = serde_json::to_vec_pretty(manifest).map_err(|source| ArtifactError::Io {
            action: "write",
            path: path.clone(),
            source: source.into(),
        })?;
        write_atomically(&path, &text)
    }

    /// The manifests in the folder, by number of shares, then by share.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] for a damaged one, [`ArtifactError::Foreign`] for one of another run, and errors of reading.
    pub fn manifests(&self) -> Result<Vec<ShardManifest>, ArtifactError> {
        let folder = self.path().join(FOLDER);
        let error = |source| ArtifactError::Io { action: "read", path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(error(source)),
        };
        let mut manifests = Vec::new();
        for entry in entries {
            let path = entry.map_err(error)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                manifests.push(self.read_manifest(&path)?);
            }
        }
        manifests.sort_by_key(|manifest| (manifest.of, manifest.shard));
        Ok(manifests)
    }

    fn read_manifest(&self, path: &Path) -> Result<ShardManifest, ArtifactError> {
        let wrong = |why: String| ArtifactError::Manifest { path: path.to_owned(), why };
        let text = read_regular(path, MAX_BYTES)?;
        let manifest: ShardManifest = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(wrong(format!("its version is {}, expected {VERSION}", manifest.version)));
        }
        if manifest.shard == 0 || manifest.shard > manifest.of || manifest.of > MAX_SHARDS {
            return Err(wrong(format!("it is of share {} of {}", manifest.shard, manifest.of)));
        }
        if manifest.run != self.info().key {
            let why = format!("it belongs to the run {}, expected {}", manifest.run, self.info().key);
            return Err(ArtifactError::Foreign { path: path.to_owned(), why });
        }
        Ok(manifest)
    }

    /// How far each of the shares is, for each number of shares that there is a manifest of. Every artifact is read.
    ///
    /// # Errors
    /// As [`manifests`](Self::manifests).
    pub fn shard_states(&self) -> Result<BTreeMap<u32, Vec<ShardState>>, ArtifactError> {
        let manifests = self.manifests()?;
        let mut all: BTreeMap<u32, Vec<ShardState>> = BTreeMap::new();
        for of in manifests.iter().map(|manifest| manifest.of).collect::<BTreeSet<u32>>() {
            let found = |shard| manifests.iter().find(|manifest| (manifest.shard, manifest.of) == (shard, of));
            let states = (1..=of).map(|shard| self.shard_state(shard, found(shard))).collect::<Result<_, _>>()?;
            all.insert(of, states);
        }
        Ok(all)
    }

    fn shard_state(&self, shard: u32, manifest: Option<&ShardManifest>) -> Result<ShardState, ArtifactError> {
        let Some(manifest) = manifest else {
            let state = Completeness::Missing;
            return Ok(ShardState { shard, state, files: 0, missing: Vec::new(), differing: Vec::new() });
        };
        let (mut missing, mut differing) = (manifest.missing.clone(), Vec::new());
        for (name, digest) in &manifest.files {
            // A name may be anything that somebody wrote.
            let there = match self.artifact_path(name) {
                Some(path) => read_if_there(&path, MAX_ARTIFACT_BYTES)?,
                None => None,
            };
            match there {
                None => missing.push(name.clone()),
                Some(bytes) if sha256_hex(&bytes) != *digest => differing.push(name.clone()),
                Some(_) => {}
            }
        }
        let complete = manifest.complete && missing.is_empty() && differing.is_empty();
        let state = if complete { Completeness::Complete } else { Completeness::Incomplete };
        let files = (manifest.files.len() + manifest.missing.len()).saturating_sub(missing.len() + differing.len());
        Ok(ShardState { shard, state, files, missing, differing })
    }

    /// The path of an artifact by its name in a manifest: `FOLDER/FILE.aeva`.
    fn artifact_path(&self, name: &str) -> Option<PathBuf> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':']);
        let (folder, file) = name.split_once('/')?;
        (plain(folder) && plain(file) && !file.contains('/')).then(|| self.path().join(folder).join(file))
    }

    fn name_of(&self, path: &Path) -> String {
        let relative = path.strip_prefix(self.path()).unwrap_or(path);
        relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    }
}
