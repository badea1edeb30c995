//! `cargo xtask licences`: licences and sources of all packages, by the lists of `deny.toml`.
//!
//! It is the part of `cargo deny check` that needs neither a tool nor a database, so that a change is checked everywhere.

use std::fs;

use anyhow::{Context, bail};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};
use xtask::process::say;
use xtask::root;

use crate::metadata::{self, Metadata, Package};

/// The only source of packages, as cargo writes it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Older packages separate alternatives by a slash; everything else is as the standard has it.
const MODE: ParseMode = ParseMode { allow_slash_as_or_operator: true, ..ParseMode::STRICT };

/// What is read of `deny.toml`.
#[derive(Debug, Deserialize)]
struct Rules {
    licenses: Licences,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let path = root().join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rules: Rules = toml::from_str(&text).with_context(|| format!("{} is not understood", path.display()))?;
    let metadata = metadata::read(true)?;
    let found = check(&metadata, &rules.licenses.allow)?;
    for line in &found {
        say(line);
    }
    if !found.is_empty() {
        bail!("{} of the packages must not be used", found.len());
    }
    let third_party = metadata.packages.iter().filter(|package| package.source.is_some()).count();
    say(&format!("licences and sources of {third_party} packages are as deny.toml allows"));
    Ok(())
}

/// What is not allowed, a line each.
fn check(metadata: &Metadata, allowed: &[String]) -> anyhow::Result<Vec<String>> {
    let allowed: Vec<Licensee> = allowed
        .iter()
        .map(|name| Licensee::parse(name).with_context(|| format!("{name} in deny.toml is no licence")))
        .collect::<anyhow::Result<_>>()?;
    let found = metadata.packages.iter().flat_map(|package| match &package.source {
        // Without a source it is a member of the workspace: `cargo metadata` refuses folders outside of it as members.
        None => wildcards(package),
        Some(source) => [wrong_source(source), wrong_licence(package.license.as_deref(), &allowed)]
            .into_iter()
            .flatten()
            .map(|reason| format!("{} {}: {reason}", package.name, package.version))
            .collect(),
    });
    Ok(found.collect())
}

/// Dependencies of a member of the workspace that accept every version.
fn wildcards(member: &Package) -> Vec<String> {
    let every = member.dependencies.iter().filter(|dependency| dependency.req == "*" && dependency.path.is_none());
    every.map(|dependency| format!("{}: any version of {} is accepted", member.name, dependency.name)).collect()
}

fn wrong_source(source: &str) -> Option<String> {
    (source != CRATES_IO).then(|| format!("it comes from {source}, not from crates.io"))
}

fn wrong_licence(licence: Option<&str>, allowed: &[Licensee]) -> Option<String> {
    let Some(licence) = licence else { return Some("it states no licence".to_owned()) };
    match Expression::parse_mode(licence, MODE) {
        Err(error) => Some(format!("its licence is not understood: {licence} ({})", error.reason)),
        Ok(expression) => {
            let enough = expression.evaluate(|needed| allowed.iter().any(|licensee| licensee.satisfies(needed)));
            (!enough).then(|| format!("its licence is not one of deny.toml: {licence}"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]
mod tests {
    use super::*;
    use crate::metadata::Graph;

    /// Metadata with a member of the workspace and one package, with its licence and source in JSON.
    fn found(licence: &str, source: &str) -> Vec<String> {
        let text = format!(
            r#"{{"packages": [
                {{"name": "ours", "version": "0.1.0", "license": null, "source": null, "manifest_path": "Cargo.toml",
                  "dependencies": [{{"name": "theirs", "req": "^1", "path": null}}, {{"name": "own", "req": "*", "path": "own"}}]}},
                {{"name": "theirs", "version": "1.2.3", "license": {licence}, "source": {source}, "manifest_path": "Cargo.toml",
                  "dependencies": [{{"name": "other", "req": "*", "path": null}}]}}
            ]}}"#
        );
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].map(str::to_owned);
        check(&serde_json::from_str(&text).unwrap(), &allowed).unwrap()
    }

    fn with_licence(licence: &str) -> Vec<String> {
        found(&format!("\"{licence}\""), &format!("\"{CRATES_IO}\""))
    }

    #[test]
    fn one_allowed_alternative_is_enough() {
        let fine =
            ["MIT", "MIT OR GPL-3.0-only", "MIT/Apache-2.0", "GPL-2.0-only / MIT", "(MIT OR ISC) AND Unicode-3.0"];
        for licence in fine.into_iter().chain(["Apache-2.0 WITH LLVM-exception"]) {
            assert_eq!(with_licence(licence), [""; 0], "{licence}");
        }
    }

    #[test]
    fn other_licences_are_named() {
        for licence in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "BSD-3-Clause", "Apache-2.0 WITH Swift-exception"] {
            assert_eq!(
                with_licence(licence),
                [format!("theirs 1.2.3: its licence is not one of deny.toml: {licence}")]
            );
        }
        let error = with_licence("My own");
        assert!(
            error.len() == 1 && error[0].starts_with("theirs 1.2.3: its licence is not understood: My own ("),
            "{error:?}"
        );
        assert_eq!(found("null", &format!("\"{CRATES_IO}\"")), ["theirs 1.2.3: it states no licence"]);
    }

    #[test]
    fn other_sources_are_named() {
        for source in ["git+https://example.org/theirs?rev=1#1", "registry+https://example.org/index"] {
            let expected = format!("theirs 1.2.3: it comes from {source}, not from crates.io");
            assert_eq!(found("\"MIT\"", &format!("\"{source}\"")), [expected]);
        }
    }

    #[test]
    fn members_name_versions() {
        let text = r#"{"packages": [{"name": "ours", "version": "0.1.0", "license": "MIT", "source": null, "manifest_path": "Cargo.toml",
            "dependencies": [{"name": "theirs", "req": "*", "path": null}]}]}"#;
        let found = check(&serde_json::from_str(text).unwrap(), &[]).unwrap();
        assert_eq!(found, ["ours: any version of theirs is accepted"]);
    }

    #[test]
    fn the_list_has_to_be_understood() {
        let nothing = Metadata { packages: Vec::new(), resolve: Graph::default() };
        let error = check(&nothing, &["Mine".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "Mine in deny.toml is no licence");
    }
}
