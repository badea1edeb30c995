//! `cargo xtask provenance FILE...`: where the files of a release come from, as an in-toto statement with SLSA provenance.
//!
//! The statement is not signed: that takes a key, which whoever publishes the release has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use xtask::files::{sha256_hex, write_atomically};
use xtask::process::{output, say};
use xtask::root;

use crate::sbom;

/// What was built, and who says so.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files of the release: the program, or the wheel.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Who built them, as an address that names the machine or the pipeline.
    #[arg(long, value_name = "URI", default_value = "urn:aeva:builder:unnamed")]
    builder: String,
}

/// What a build depends on, besides the commit.
#[derive(Debug)]
struct Source {
    commit: String,
    rustc: String,
    /// Name -> SHA-256.
    files: Vec<(&'static str, String)>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let git = |words: &[&str]| output(Command::new("git").args(words).current_dir(root()));
    let changes = git(&["status", "--porcelain"])?;
    ensure!(
        changes.trim().is_empty(),
        "the working tree has changes, so no commit says what was built:\n{}",
        changes.trim_end()
    );
    let digest = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let bill = sbom::write()?;
    let source = Source {
        commit: git(&["rev-parse", "HEAD"])?.trim().to_owned(),
        rustc: output(Command::new("rustc").arg("-vV").current_dir(root()))?.trim().to_owned(),
        files: vec![
            ("Cargo.lock", sha256_hex(&digest(&root().join("Cargo.lock"))?)),
            ("rust-toolchain.toml", sha256_hex(&digest(&root().join("rust-toolchain.toml"))?)),
            ("aeva.cdx.json", sha256_hex(&digest(&bill)?)),
        ],
    };
    let mut subjects = Vec::new();
    for file in &args.files {
        let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
        subjects.push((name.to_string_lossy().into_owned(), sha256_hex(&digest(file)?)));
    }
    let folder = root().join("target").join("provenance");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("aeva.intoto.json");
    write_atomically(&path, format!("{:#}\n", statement(&subjects, &source, &args.builder)).as_bytes())?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

fn statement(subjects: &[(String, String)], source: &Source, builder: &str) -> Value {
    let subject = |(name, sha256): &(String, String)| json!({"name": name, "digest": {"sha256": sha256}});
    let file = |(name, sha256): &(&str, String)| json!({"name": name, "digest": {"sha256": sha256}});
    let mut dependencies = vec![json!({"name": "source", "digest": {"gitCommit": source.commit}})];
    dependencies.extend(source.files.iter().map(file));
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects.iter().map(subject).collect::<Vec<Value>>(),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:aeva:build:cargo:1",
                "externalParameters": {"profile": "release", "options": ["--locked"]},
                "internalParameters": {"rustc": source.rustc},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": builder}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_what_was_built_and_from_what() {
        let source = Source {
            commit: "c0ffee".to_owned(),
            rustc: "rustc 1".to_owned(),
            files: vec![("Cargo.lock", "11".to_owned())],
        };
        let found = statement(&[("aeva".to_owned(), "22".to_owned())], &source, "urn:x");
        assert_eq!(found["subject"], json!([{"name": "aeva", "digest": {"sha256": "22"}}]));
        let of = &found["predicate"]["buildDefinition"]["resolvedDependencies"];
        assert_eq!((&of[0]["digest"]["gitCommit"], &of[1]["digest"]["sha256"]), (&json!("c0ffee"), &json!("11")));
        assert_eq!(found["predicate"]["runDetails"]["builder"]["id"], "urn:x");
    }
}
