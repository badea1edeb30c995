//! Reading files that other people may have put there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug)]
pub(crate) enum FileError {
    /// The file system refused, or the memory does not suffice.
    Io(io::Error),
    /// The path names a folder.
    Folder,
    /// The path names a pipe, a socket or a device, which may have no end.
    Special,
    /// The file has this many bytes, which is more than the limit.
    TooLarge(u64),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a regular file and returns it with its length in bytes. Links are followed.
///
/// The kind of the file is checked before it is opened, because opening a pipe waits for a writer.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), FileError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(FileError::Folder);
    }
    if !metadata.is_file() {
        return Err(FileError::Special);
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let (file, length) = open_regular(path)?;
    if length > limit {
        return Err(FileError::TooLarge(length));
    }
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))
        .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    // The file may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let found = bytes.len() as u64;
    if found > limit { Err(FileError::TooLarge(found)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_up_to_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_regular(&path, 5).unwrap(), b"12345");
        assert!(matches!(read_regular(&path, 4), Err(FileError::TooLarge(5))));
        assert!(matches!(read_regular(&folder.path().join("none"), 4), Err(FileError::Io(_))));
    }

    #[test]
    fn what_is_not_a_regular_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read_regular(folder.path(), 4), Err(FileError::Folder)));
        #[cfg(unix)]
        assert!(matches!(read_regular(Path::new("/dev/zero"), u64::MAX), Err(FileError::Special)));
    }
}
