//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::ArtifactError;

/// Prefix of the names of temporary files.
pub(crate) const TEMPORARY: &str = ".writing-";
/// Older temporary files are abandoned: no single write takes that long. Only the age counts, because machines and
/// containers may share a folder, and process numbers mean nothing across them.
const LEFT_BEHIND: Duration = Duration::from_hours(24);
/// How often a file is written whose temporary file vanishes.
const TRIES: u32 = 3;

/// Writes `bytes` to `path`: first to a temporary file in the same folder, flushed to disk, which is then renamed to
/// `path`. Finally the folder is flushed, so that the new name survives a power cut as well.
///
/// # Errors
/// [`ArtifactError::Io`]. Then either the previous file, if any, is untouched, or the new one is complete but may not
/// survive a power cut.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    let error = |source| ArtifactError::Io { action: "write", path: path.to_owned(), source };
    again(|| written(path, bytes)?.persist(path).map_err(Into::into)).map_err(error)?;
    flush_folder(&folder_of(path)).map_err(error)
}

/// Like [`write_atomically`], but an existing `path` stays as it is. Returns whether the file was written.
pub(crate) fn create_atomically(path: &Path, bytes: &[u8]) -> Result<bool, ArtifactError> {
    let error = |source| ArtifactError::Io { action: "write", path: path.to_owned(), source };
    let is_new = again(|| created(path, bytes)).map_err(error)?;
    if is_new {
        flush_folder(&folder_of(path)).map_err(error)?;
    }
    Ok(is_new)
}

/// Tries again if a temporary file has vanished: another machine, whose clock is ahead by days, takes it for an old one.
fn again<T>(attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..TRIES {
        match attempt() {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            tried => return tried,
        }
    }
    attempt()
}

/// Whether the file is new.
fn created(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match written(path, bytes)?.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(persist) if persist.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(persist) if is_unsupported(&persist.error) => {
            // Some file systems have neither hard links nor a rename that never replaces. Two processes can collide
            // there for a moment.
            if path.symlink_metadata().is_ok() {
                return Ok(false);
            }
            persist.file.persist(path)?;
            Ok(true)
        }
        Err(persist) => Err(persist.error),
    }
}

/// A flushed temporary file beside `path` with these bytes.
fn written(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        // Temporary files are private by default; a result gets the permissions of any other new file (umask applies).
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Flushes the names in a folder to disk. If the system cannot do that, nothing happens.
pub(crate) fn flush_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if !cfg!(unix) {
        return Ok(());
    }
    let Ok(opened) = File::open(folder) else { return Ok(()) };
    match opened.sync_all() {
        Err(error) if is_unsupported(&error) => Ok(()),
        flushed => flushed,
    }
}

/// Whether the file system does not support the call; systems report this in different ways.
fn is_unsupported(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(error.kind(), Unsupported | InvalidInput | PermissionDenied)
}

/// Removes what killed writes left in a folder and its sub-folders. Files that cannot be removed stay; they do no harm.
pub(crate) fn sweep(folder: &Path) {
    for entry in entries(folder) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => entries(&entry.path()).for_each(|inner| remove_left_behind(&inner)),
            _ => remove_left_behind(&entry),
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn remove_left_behind(entry: &fs::DirEntry) {
    // This is the metadata of the entry itself: links are not followed.
    let Ok(metadata) = entry.metadata() else { return };
    let age = metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    let temporary = metadata.is_file() && entry.file_name().to_string_lossy().starts_with(TEMPORARY);
    if temporary && age.is_some_and(|age| age > LEFT_BEHIND) {
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(create_atomically(&path, b"one").unwrap());
        assert!(!create_atomically(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_refused_write_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("a");
        let error = write_atomically(&path, b"one").unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
        assert!(create_atomically(&path, b"one").unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn only_old_temporary_files_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("pairs-v1");
        let deep = inner.join("deep");
        fs::create_dir_all(&deep).unwrap();
        let old = SystemTime::now() - Duration::from_hours(25);
        let make = |path: PathBuf, age: Option<SystemTime>| {
            let file = File::create(&path).unwrap();
            if let Some(time) = age {
                file.set_modified(time).unwrap();
            }
            path
        };
        let gone = [make(folder.path().join(".writing-a"), Some(old)), make(inner.join(".writing-b"), Some(old))];
        let kept = [
            make(folder.path().join(".writing-new"), None),
            make(folder.path().join("writing"), Some(old)),
            make(deep.join(".writing-c"), Some(old)),
        ];
        fs::create_dir(folder.path().join(".writing-folder")).unwrap();
        sweep(folder.path());
        assert!(gone.iter().all(|path| !path.exists()));
        assert!(kept.iter().all(|path| path.exists()));
        assert!(folder.path().join(".writing-folder").is_dir());
        sweep(&folder.path().join("nowhere"));
    }
}
