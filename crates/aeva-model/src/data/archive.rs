//! The directory of a `.npz` file, which is a zip archive, and the stream of one entry.
//!
//! The `zip` crate is not used, because it reserves memory for as many entries as the file states, and tries every place of the file
//! that could be a directory. A `.npz` file needs little of the format: stored or deflated entries, no encryption, one disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::array::Stream;
use super::open_regular;
use crate::DataError;

/// Largest directory, in bytes: enough for more than 100 000 arrays.
const MAX_DIRECTORY: u64 = 1 << 24;
/// Length of the record at the end of the file, and of the longest comment after it.
const END: usize = 22;
const MAX_COMMENT: u64 = 0xFFFF;
/// Largest compression ratio of deflate: it makes at most 258 bytes of two bits.
const MAX_RATIO: u64 = 1032;
/// Value of a 4-byte field whose true value is in an 8-byte field elsewhere.
const ELSEWHERE: u64 = 0xFFFF_FFFF;
const STORED: u64 = 0;
const DEFLATED: u64 = 8;

/// An open archive whose directory has been read.
pub(super) struct Archive {
    file: File,
    length: u64,
    entries: Vec<Entry>,
}

/// What the directory states about an entry. None of it is verified.
struct Entry {
    name: String,
    method: u64,
    encrypted: bool,
    crc: u64,
    packed: u64,
    size: u64,
    at: u64,
}

/// The unpacked bytes of an entry. A number of bytes other than the stated one is an error.
pub(super) struct Member<'a> {
    body: Box<dyn Read + 'a>,
    size: u64,
    left: u64,
    crc: Crc,
    stated_crc: u64,
}

impl Archive {
    /// Opens a regular file and reads its directory.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let (file, length) = open_regular(path)?;
        let entries = directory(&file, length)
            .and_then(|(directory, shift)| entries(&directory, shift))
            .map_err(|error| DataError::Decode { path: path.to_owned(), why: error.to_string() })?;
        Ok(Self { file, length, entries })
    }

    /// Names of the arrays, in the order of the directory.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.strip_suffix(".npy").unwrap_or(&entry.name))
    }

    /// The entry of the array `name`; of several, the last one, as in numpy.
    pub(super) fn member(&self, name: &str) -> io::Result<Member<'_>> {
        let index = self.names().enumerate().filter(|(_, found)| *found == name).map(|(index, _)| index).last();
        let entry = index.map(|index| &self.entries[index]).ok_or_else(|| broken("is not in the archive"))?;
        if entry.encrypted {
            return Err(broken("is encrypted"));
        }
        let header = read_at(&self.file, self.length, entry.at, 30)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(broken("is not where the directory says"));
        }
        // No overflow: the header that was just read lies within the file.
        let start = entry.at + 30 + number(&header, 26, 2)? + number(&header, 28, 2)?;
        if start.checked_add(entry.packed).is_none_or(|end| end > self.length) {
            return Err(broken(format!("{} bytes from {start} on are beyond the end of the file", entry.packed)));
        }
        let most = match entry.method {
            STORED => entry.packed,
            DEFLATED => entry.packed.saturating_mul(MAX_RATIO),
            method => return Err(broken(format!("packed by method {method}, expected stored (0) or deflated (8)"))),
        };
        if entry.size > most || entry.method == STORED && entry.size != most {
            return Err(broken(format!("{} bytes cannot be in {} packed ones", entry.size, entry.packed)));
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        let packed = BufReader::with_capacity(1 << 16, file.take(entry.packed));
        let body: Box<dyn Read> =
            if entry.method == STORED { Box::new(packed) } else { Box::new(DeflateDecoder::new(packed)) };
        Ok(Member { body, size: entry.size, left: entry.size, crc: Crc::new(), stated_crc: entry.crc })
    }
}

impl Stream for Member<'_> {
    fn left(&self) -> u64 {
        self.left
    }

    /// There must be no more bytes, and the checksum must be the stated one.
    fn finish(mut self) -> io::Result<()> {
        if self.left > 0 || self.body.read(&mut [0])? > 0 {
            return Err(broken(format!("the entry is longer than {} bytes", self.size - self.left)));
        }
        if u64::from(self.crc.sum()) != self.stated_crc {
            return Err(broken("the checksum does not match"));
        }
        Ok(())
    }
}

impl Read for Member<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let found = self.body.read(&mut buffer[..wanted])?;
        if found == 0 && wanted > 0 {
            return Err(broken(format!("the entry ends after {} of {} bytes", self.size - self.left, self.size)));
        }
        self.crc.update(&buffer[..found]);
        self.left -= found as u64;
        Ok(found)
    }
}

/// The bytes of the directory, and the number of bytes before the archive, which are not counted by the positions in it.
fn directory(file: &File, length: u64) -> io::Result<(Vec<u8>, u64)> {
    let tail_at = length.saturating_sub(END as u64 + MAX_COMMENT);
    let tail = read_at(file, length, tail_at, length - tail_at)?;
    let is_end = |&at: &usize| {
        let comment = tail.len() - at - END;
        tail[at..].starts_with(b"PK\x05\x06") && number(&tail, at + 20, 2).is_ok_and(|stated| stated == comment as u64)
    };
    let end = tail.len().checked_sub(END).and_then(|last| (0..=last).rev().find(is_end));
    let end = end.ok_or_else(|| broken("not a zip archive, or a truncated one"))?;
    let (mut size, mut offset) = (number(&tail, end + 12, 4)?, number(&tail, end + 16, 4)?);
    let mut ends_at = tail_at + end as u64;
    // A large archive has a larger record of 56 bytes, followed by 20 bytes that say so.
    if (size == ELSEWHERE || offset == ELSEWHERE || number(&tail, end + 10, 2)? == 0xFFFF) && ends_at >= 76 {
        let large = read_at(file, length, ends_at - 76, 76)?;
        if large[56..].starts_with(b"PK\x06\x07") && large.starts_with(b"PK\x06\x06") {
            (size, offset) = (number(&large, 40, 8)?, number(&large, 48, 8)?);
            ends_at -= 76;
        }
    }
    let starts_at = ends_at.checked_sub(size);
    let shift = starts_at.and_then(|at| at.checked_sub(offset));
    let (Some(starts_at), Some(shift)) = (starts_at, shift) else {
        return Err(broken(format!("a directory of {size} bytes at {offset} does not fit into the file")));
    };
    if size > MAX_DIRECTORY {
        return Err(broken(format!("a directory of {size} bytes, more than {MAX_DIRECTORY}")));
    }
    Ok((read_at(file, length, starts_at, size)?, shift))
}

/// The entries of a directory, with positions moved by `shift`.
fn entries(mut directory: &[u8], shift: u64) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while !directory.is_empty() {
        if !directory.starts_with(b"PK\x01\x02") {
            return Err(broken(format!("entry {} of the directory is damaged", entries.len())));
        }
        let (header, rest) = directory.split_at_checked(46).ok_or_else(early)?;
        let (name, extra, comment) = (short(header, 28)?, short(header, 30)?, short(header, 32)?);
        let (name, rest) = rest.split_at_checked(name).ok_or_else(early)?;
        let (extra, rest) = rest.split_at_checked(extra).ok_or_else(early)?;
        let (_, rest) = rest.split_at_checked(comment).ok_or_else(early)?;
        let (mut packed, mut size, mut at) = (number(header, 20, 4)?, number(header, 24, 4)?, number(header, 42, 4)?);
        large_fields(extra, [&mut size, &mut packed, &mut at])?;
        entries.push(Entry {
            name: String::from_utf8_lossy(name).into_owned(),
            method: number(header, 10, 2)?,
            encrypted: number(header, 8, 2)? & 1 == 1,
            crc: number(header, 16, 4)?,
            packed,
            size,
            at: at.checked_add(shift).ok_or_else(early)?,
        });
        directory = rest;
    }
    Ok(entries)
}

/// Sets the values that are in the extra fields of an entry.
fn large_fields(mut extra: &[u8], values: [&mut u64; 3]) -> io::Result<()> {
    let mut missing = values.into_iter().filter(|value| **value == ELSEWHERE).peekable();
    while missing.peek().is_some() && extra.len() >= 4 {
        let (kind, length) = (short(extra, 0)?, short(extra, 2)?);
        let (body, rest) = extra[4..].split_at_checked(length).ok_or_else(early)?;
        if kind == 1 {
            for (index, value) in missing.by_ref().enumerate() {
                *value = number(body, 8 * index, 8)?;
            }
        }
        extra = rest;
    }
    Ok(())
}

/// A little-endian number of 2 bytes.
fn short(bytes: &[u8], at: usize) -> io::Result<usize> {
    let field = bytes.get(at..at + 2).ok_or_else(early)?;
    Ok(usize::from(field[0]) | usize::from(field[1]) << 8)
}

/// A little-endian number of `size` bytes, at most 8.
fn number(bytes: &[u8], at: usize, size: usize) -> io::Result<u64> {
    let field = bytes.get(at..at + size).ok_or_else(early)?;
    Ok(field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// Reads `size` bytes at `at`, if they lie within the `length` of the file.
fn read_at(mut file: &File, length: u64, at: u64, size: u64) -> io::Result<Vec<u8>> {
    let size = match usize::try_from(size) {
        Ok(bytes) if at.checked_add(size).is_some_and(|end| end <= length) => bytes,
        _ => return Err(broken(format!("{size} bytes at {at} are beyond the end of the file"))),
    };
    let mut bytes = vec![0; size];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn early() -> io::Error {
    broken("its directory is damaged")
}

fn broken(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
