//! One file per command.

pub(crate) mod bench;
pub(crate) mod calibrate;
pub(crate) mod cli;
pub(crate) mod convert;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod fleet;
pub(crate) mod inspect;
pub(crate) mod judge;
pub(crate) mod merge;
pub(crate) mod probe;
pub(crate) mod scan;
pub(crate) mod selftest;
pub(crate) mod setup;
pub(crate) mod shell;
pub(crate) mod stamp;

mod model;
mod references;

use std::path::Path;

/// The name of a file, without its folders.
fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
