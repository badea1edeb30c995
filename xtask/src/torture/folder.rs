//! Run folders: their contents, as digests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;
use xtask::files::sha256_hex;

use super::run::{End, Ended};

/// Prefix of the names of files that are being written.
const TEMPORARY: &str = ".writing-";

/// What a finished scan leaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finished {
    pub(crate) end: End,
    /// Digests of artifacts and evidence, by name.
    pub(crate) artifacts: BTreeMap<String, String>,
    /// The report without its duration.
    pub(crate) report: Value,
    /// The same text to the last digit: parsing a number may round it.
    text: String,
    pub(crate) run: String,
}

impl Finished {
    pub(crate) fn new(ended: &Ended, folder: &Path) -> Self {
        let run = digest(&folder.join("run.json"));
        Self { end: ended.end, artifacts: artifacts(folder), report: report(folder), text: report_text(folder), run }
    }

    /// How a disturbed scan ended, if its results differ from these.
    pub(crate) fn disturbance(&self, ended: &Ended, folder: &Path) -> Option<String> {
        self.difference(&Self::new(ended, folder)).map(|what| format!("{}; {what}", ended.line()))
    }

    /// A difference from another run, if there is one.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let mut differs = Vec::new();
        if self.end != other.end {
            differs.push(format!("ended with {:?} instead of {:?}", other.end, self.end));
        }
        let names: BTreeSet<&String> = self.artifacts.keys().chain(other.artifacts.keys()).collect();
        let files: Vec<&String> =
            names.into_iter().filter(|name| self.artifacts.get(*name) != other.artifacts.get(*name)).collect();
        if let Some(first) = files.first() {
            differs.push(format!("{} other files, for example {first}", files.len()));
        }
        let fields = other_fields(&self.report, &other.report);
        if !fields.is_empty() {
            differs.push(format!("report: other {}", fields.join(", ")));
        }
        if fields.is_empty() && self.text != other.text {
            differs.push("report: other digits".to_owned());
        }
        if self.run != other.run {
            differs.push("other run.json".to_owned());
        }
        Some(differs.join("; "))
    }
}

/// Names of the fields that differ between two objects.
pub(crate) fn other_fields(one: &Value, other: &Value) -> Vec<String> {
    match (one.as_object(), other.as_object()) {
        (Some(first), Some(second)) => {
            let names = first.keys().chain(second.keys().filter(|name| !first.contains_key(*name)));
            names.filter(|name| first.get(*name) != second.get(*name)).cloned().collect()
        }
        _ if one == other => Vec::new(),
        _ => vec!["everything".to_owned()],
    }
}

/// All files below a folder, links not followed, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// Whether a path ends in `.aeva`.
pub(crate) fn is_artifact(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "aeva")
}

pub(crate) fn artifacts(folder: &Path) -> BTreeMap<String, String> {
    let relative = |path: &PathBuf| path.strip_prefix(folder).ok().map(|path| path.to_string_lossy().into_owned());
    let counted = |path: &PathBuf| {
        !is_temporary(path) && (is_artifact(path) || path.components().any(|part| part.as_os_str() == "evidence"))
    };
    let found = files(folder).into_iter().filter(counted);
    found.filter_map(|path| Some((relative(&path)?, digest(&path)))).collect()
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
}

/// Files that were being written when their writer was killed.
pub(crate) fn temporary_files(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| is_temporary(path)).collect()
}

/// SHA-256 of a file; empty if it cannot be read.
pub(crate) fn digest(path: &Path) -> String {
    fs::read(path).map(|bytes| sha256_hex(&bytes)).unwrap_or_default()
}

/// A JSON file; null if it is not valid.
pub(crate) fn json(path: &Path) -> Value {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null)
}

/// `report.json` without the duration, which differs in every run.
pub(crate) fn report(folder: &Path) -> Value {
    without_seconds(json(&folder.join("report.json")))
}

fn report_text(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("report.json")).unwrap_or_default();
    let kept = text.lines().filter(|line| !line.starts_with("  \"seconds\":"));
    kept.collect::<Vec<_>>().join("\n")
}

pub(crate) fn without_seconds(mut report: Value) -> Value {
    if let Some(fields) = report.as_object_mut() {
        fields.remove("seconds");
    }
    report
}

/// Removes a file, a link or a folder; it may be missing.
pub(crate) fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))
        }
        Ok(_) => fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display())),
    }
}

pub(crate) fn make_empty(folder: &Path) -> anyhow::Result<()> {
    remove(folder)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Copies a folder of plain files; whatever exists at the destination is replaced.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    make_empty(to)?;
    for path in files(from) {
        let target = to.join(path.strip_prefix(from)?);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&path, &target).with_context(|| format!("cannot copy {}", path.display()))?;
    }
    Ok(())
}
