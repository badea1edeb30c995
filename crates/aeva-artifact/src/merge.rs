//! Brings the results of a scan together that several folders have.

use std::fs;
use std::io;
use std::path::Path;

use crate::atomic::create_atomically;
use crate::error::ArtifactError;
use crate::read::{MAX_ARTIFACT_BYTES, read_if_there, read_regular};
use crate::run_dir::{PARTIAL_FOLDER, RunDir};

/// What was brought together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Artifacts that were copied.
    pub copied: usize,
    /// Artifacts that were there already.
    pub there: usize,
}

/// Brings the results of the run folder `from` into the one at `into`, which is created if it is missing. Nothing that is there is
/// changed, and every artifact is checked first. Answers to unfinished work come along.
///
/// # Errors
/// [`ArtifactError::OtherRun`] and [`ArtifactError::OtherAnswers`] if they are not of one scan; [`ArtifactError::Differs`] if both
/// have a result that should be the same and is not; those of damaged and foreign artifacts, and of reading and writing.
pub fn merge(into: &Path, from: &Path) -> Result<Merged, ArtifactError> {
    let source = RunDir::open(from)?;
    let target = RunDir::open_or_create(into, source.info().clone())?;
    let mut merged = Merged::default();
    for id in source.stored_passes() {
        // Reading checks it.
        source.load_triggers(id)?;
        copy_to(&target, &source.trigger_path(id), &target.trigger_path(id), &mut merged)?;
    }
    let mut sources = vec![source.clone()];
    for name in source.perturbation_folders()? {
        let key = name.rsplit('-').next().unwrap_or_default().to_owned();
        sources.push(source.clone().with_perturbations(&key)?);
    }
    // The folders of perturbations may have other names there.
    let mut names = Vec::new();
    for source in sources {
        let target = RunDir::open_or_create(into, source.info().clone())?;
        names.push((source.pairs_folder().to_owned(), target.pairs_folder().to_owned()));
        for (label, towards) in source.stored_pairs()? {
            source.load(label, towards)?;
            copy_to(&target, &source.pair_path(label, towards), &target.pair_path(label, towards), &mut merged)?;
        }
    }
    copy_partial(&source, &target)?;
    let known = target.manifests()?;
    for mut manifest in source.manifests()? {
        manifest.rename(&names);
        let is_known = known.iter().any(|known| (known.shard, known.of) == (manifest.shard, manifest.of));
        if manifest.complete || !is_known {
            target.write_manifest(&manifest)?;
        }
    }
    Ok(merged)
}

/// Copies a file, unless it is there.
fn copy_to(target: &RunDir, from: &Path, to: &Path, merged: &mut Merged) -> Result<(), ArtifactError> {
    let bytes = read_regular(from, MAX_ARTIFACT_BYTES)?;
    let differs = || ArtifactError::Differs { path: from.to_owned(), other: to.to_owned() };
    if let Some(there) = read_if_there(to, MAX_ARTIFACT_BYTES)? {
        merged.there += 1;
        return if there == bytes { Ok(()) } else { Err(differs()) };
    }
    let folder = to.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    target.sub_folder(&folder.unwrap_or_default())?;
    if create_atomically(to, &bytes)? {
        merged.copied += 1;
        return Ok(());
    }
    // Another process was faster.
    merged.there += 1;
    if read_if_there(to, MAX_ARTIFACT_BYTES)?.is_some_and(|there| there == bytes) { Ok(()) } else { Err(differs()) }
}

/// Answers to unfinished work are of use if nobody finishes it; those of the same name that are there stay.
fn copy_partial(source: &RunDir, target: &RunDir) -> Result<(), ArtifactError> {
    let folder = source.path().join(PARTIAL_FOLDER);
    let error = |source| ArtifactError::Io { action: "read", path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(error(source)),
    };
    for entry in entries {
        let path = entry.map_err(error)?.path();
        let of_work = |end: &str| path.extension().is_some_and(|extension| extension == end);
        if (of_work("answers") || of_work("journal"))
            && let (Some(name), Some(bytes)) = (path.file_name(), read_if_there(&path, MAX_ARTIFACT_BYTES)?)
        {
            let to = target.sub_folder(PARTIAL_FOLDER)?.join(name);
            create_atomically(&to, &bytes)?;
        }
    }
    Ok(())
}
