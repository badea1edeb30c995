//! What `cargo metadata` says of the workspace and of all packages that it can need.

use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use xtask::process::{cargo, output};

/// Packages for every platform, as `Cargo.lock` has them.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    /// Which of them need which.
    #[serde(default)]
    pub(crate) resolve: Graph,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Edge {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Kind {
    /// `None` for what is linked; otherwise `build` or `dev`.
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    #[serde(default)]
    pub(crate) id: String,
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

/// With the features that are on by default, or with all of them.
pub(crate) fn read(all_features: bool) -> anyhow::Result<Metadata> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]);
    if all_features {
        command.arg("--all-features");
    }
    serde_json::from_str(&output(&mut command)?).context("cargo metadata is not understood")
}
