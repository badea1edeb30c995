//! Checks that a file is ONNX Runtime before the bindings rely on it.
//!
//! The bindings panic, or follow a null pointer, if a library has the right name and the wrong content. The system's loader even maps a
//! truncated file, which ends the process at the first access to a missing part.

#![allow(unsafe_code, reason = "a library is asked for its interface before the bindings are allowed to use it")]

use std::ffi::CStr;
use std::fs;
use std::path::Path;

use libloading::{Library, Symbol};
use ort::sys::{ORT_API_VERSION, OrtApiBase};

use crate::digest::sha256_hex;
use crate::pins::wheel_for_this_machine;
use crate::{Build, RuntimeError};

/// Compares the digest of every library of a build with that of the library that `aeva setup` installs.
///
/// # Errors
/// [`RuntimeError::Digest`] for a changed file, [`RuntimeError::Load`] for a file that cannot be read.
pub(crate) fn check_installed(build: Build, folder: &Path) -> Result<(), RuntimeError> {
    for library in wheel_for_this_machine(build).map_or(&[][..], |wheel| wheel.libraries) {
        let path = folder.join(library.name);
        let bytes =
            fs::read(&path).map_err(|error| RuntimeError::Load { path: path.clone(), why: error.to_string() })?;
        let found = sha256_hex(&bytes);
        if found != library.sha256 {
            return Err(RuntimeError::Digest { path, found, expected: library.sha256 });
        }
    }
    Ok(())
}

/// Makes sure that a library is complete and has the interface that the bindings need.
///
/// # Errors
/// A description of what is wrong with it.
pub(crate) fn check_interface(path: &Path) -> Result<(), String> {
    if path.is_file() {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        if !is_whole(&bytes) {
            return Err("the file is damaged or cut short".to_owned());
        }
    }
    // SAFETY: loading runs the library's initialisers. The user installed or named this library, and it is about to be loaded in
    // any case.
    let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
    // SAFETY: the function of this name has this signature in every version of ONNX Runtime.
    let base: Symbol<'_, unsafe extern "C" fn() -> *const OrtApiBase> = unsafe { library.get(b"OrtGetApiBase") }
        .map_err(|_| "it does not export OrtGetApiBase: it is not ONNX Runtime".to_owned())?;
    // SAFETY: the function takes nothing, and its result is a null pointer or points to a static of the library, which stays loaded
    // until the end of this function.
    let base = unsafe { base().as_ref() }.ok_or("it has no interface")?;
    // SAFETY: as above; the text is a static of the library, or null.
    let version = unsafe { (base.GetVersionString)() };
    if version.is_null() {
        return Err("it does not state its version".to_owned());
    }
    // SAFETY: not null, and a text that ends in a zero byte, as the interface has it.
    let version = unsafe { CStr::from_ptr(version.cast()) }.to_string_lossy().into_owned();
    // SAFETY: takes a number; the result is null when the library does not have that version of the interface.
    if unsafe { (base.GetApi)(ORT_API_VERSION) }.is_null() {
        return Err(format!("it is version {version}, at least 1.{ORT_API_VERSION} is needed"));
    }
    Ok(())
}

/// Whether an ELF file (the format of Linux libraries; 64 bits, little-endian) has everything that its headers refer to. On Linux,
/// files of other formats are not libraries; elsewhere they are accepted.
fn is_whole(bytes: &[u8]) -> bool {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return !cfg!(all(target_os = "linux", target_pointer_width = "64", target_endian = "little"));
    }
    let number = |at: usize, size: usize| {
        let field = bytes.get(at..at.checked_add(size)?)?;
        Some(field.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte)))
    };
    let within = |begin: Option<u64>, size: Option<u64>| {
        begin.zip(size).and_then(|(begin, size)| begin.checked_add(size)).is_some_and(|end| end <= bytes.len() as u64)
    };
    let times =
        |size: Option<u64>, count: Option<u64>| size.zip(count).and_then(|(size, count)| size.checked_mul(count));
    let (sections, section_size, section_count) = (number(40, 8), number(58, 2), number(60, 2));
    let (segments, segment_size, segment_count) = (number(32, 8), number(54, 2), number(56, 2));
    // The table of sections is usually at the end of the file.
    if !within(sections, times(section_size, section_count)) || !within(segments, times(segment_size, segment_count)) {
        return false;
    }
    let (Some(begin), Some(size), Some(count)) = (segments, segment_size, segment_count) else { return false };
    (0..count).all(|index| {
        let at = usize::try_from(begin.saturating_add(index.saturating_mul(size))).unwrap_or(usize::MAX);
        // Position and length of a segment in the file.
        at < bytes.len() && within(number(at + 8, 8), number(at + 32, 8))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_was_cut_is_not_whole() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        if !own.starts_with(b"\x7fELF") {
            // Nothing to be said of other formats.
            assert!(is_whole(&own));
            return;
        }
        assert!(is_whole(&own));
        for share in [0, 1, 10, 50, 90, 99] {
            assert!(!is_whole(&own[..own.len() * share / 100]), "{share} %");
        }
        assert!(!is_whole(b"hello") && !is_whole(b""));
    }

    #[test]
    fn other_libraries_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text.so");
        fs::write(&text, b"hello").unwrap();
        assert!(check_interface(&text).unwrap_err().contains("damaged or cut short") || !cfg!(target_os = "linux"));
        assert!(check_interface(&folder.path().join("missing.so")).is_err());
    }
}
