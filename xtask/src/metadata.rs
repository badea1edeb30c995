//! What `cargo metadata` says of the workspace and of all packages that it can need.

use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use xtask::process::{cargo, output};

/// Packages for every platform and with every feature, as `Cargo.lock` has them.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// As its author wrote it, an SPDX expression.
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` for a folder.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The versions that are accepted.
    pub(crate) req: String,
    /// Its folder, if it is one.
    pub(crate) path: Option<PathBuf>,
}

pub(crate) fn read() -> anyhow::Result<Metadata> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--locked", "--all-features"]))?;
    serde_json::from_str(&text).context("cargo metadata is not understood")
}
