//! Deflate streams.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

pub(crate) fn fast() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(1))
}

/// A raw deflate stream, taken from the output of the archive writer.
pub(crate) fn deflated(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("x", fast())?;
    archive.write_all(bytes)?;
    let mut archive = ZipArchive::new(archive.finish()?)?;
    let mut stream = Vec::new();
    archive.by_index_raw(0)?.read_to_end(&mut stream)?;
    Ok(stream)
}
