//! Reading files from untrusted sources.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::ArtifactError;

/// Largest artifact file that is read. The largest accepted image has 2^28 values, which is a gibibyte; an artifact
/// holds several. A larger file would fill the memory before its checksum could be verified.
pub const MAX_ARTIFACT_BYTES: u64 = 4 << 30;

/// Reads a regular file of at most `limit` bytes. Links are followed. Devices and pipes never end, so they are refused.
///
/// # Errors
/// [`ArtifactError::NotRegular`], [`ArtifactError::TooLarge`], [`ArtifactError::Io`].
pub fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, ArtifactError> {
    let error = |source| ArtifactError::Io { action: "read", path: path.to_owned(), source };
    let too_large = || ArtifactError::TooLarge { path: path.to_owned(), limit };
    // Checked before opening: opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(error)?.is_file() {
        return Err(ArtifactError::NotRegular { path: path.to_owned() });
    }
    let file = File::open(path).map_err(error)?;
    let size = file.metadata().map_err(error)?.len();
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))
        .map_err(|_| error(io::Error::from(io::ErrorKind::OutOfMemory)))?;
    // The file may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Like [`read_regular`]; `None` if the file does not exist.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ArtifactError> {
    match read_regular(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ArtifactError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
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
        let error = read_regular(&path, 4).unwrap_err();
        assert!(matches!(error, ArtifactError::TooLarge { limit: 4, .. }));
        assert!(error.to_string().contains("file is larger than 4 bytes"), "{error}");
        assert!(matches!(read_regular(&folder.path().join("none"), 4), Err(ArtifactError::Io { .. })));
        assert_eq!(read_if_there(&folder.path().join("none"), 4).unwrap(), None);
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_regular(folder.path(), 4).unwrap_err();
        assert!(matches!(error, ArtifactError::NotRegular { .. }));
        assert!(error.to_string().contains("is not a regular file"), "{error}");
        #[cfg(unix)]
        assert!(matches!(read_regular(Path::new("/dev/zero"), u64::MAX), Err(ArtifactError::NotRegular { .. })));
    }
}
