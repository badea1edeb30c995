//! The library installed by `aeva setup`, and scans with or without it.

use std::path::{Path, PathBuf};

use super::context::{Context, INFECTED};
use super::run::{Call, Ended};

/// Variables that determine where the library is.
const PLACES: [&str; 5] = ["HOME", "XDG_CACHE_HOME", "AEVA_CACHE_DIR", "ORT_DYLIB_PATH", "LD_LIBRARY_PATH"];

/// The working library, where `aeva setup` has put it.
pub(crate) struct Installed {
    pub(crate) path: PathBuf,
    /// Name of its folder.
    pub(crate) folder: String,
}

impl Installed {
    /// Finds the library in the cache folder.
    pub(crate) fn find() -> Option<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = variable("AEVA_CACHE_DIR").or_else(|| {
            Some(variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?.join("aeva"))
        })?;
        let entries = std::fs::read_dir(cache).ok()?;
        entries.flatten().find_map(|entry| {
            let folder = entry.file_name().to_str()?.to_owned();
            let path = entry.path().join("libonnxruntime.so");
            (folder.ends_with("cpu") && path.is_file()).then_some(Self { path, folder })
        })
    }

    /// Its path in another cache folder.
    pub(crate) fn within(&self, cache: &Path) -> PathBuf {
        cache.join(&self.folder).join("libonnxruntime.so")
    }
}

/// A scan with a known result: exit 1.
pub(crate) fn scan(context: &Context) -> anyhow::Result<Call> {
    let out = context.nothing("out")?;
    Ok(context.scan(&context.model(INFECTED), &context.data(), &out).limit(60))
}

/// The call without any of these variables.
pub(crate) fn placeless(call: Call) -> Call {
    PLACES.into_iter().fold(call, Call::without)
}

/// One line of a check: the action, and how it ended.
pub(crate) fn told(what: &str, ended: &Ended) -> String {
    format!("{what}: {}", ended.line())
}
