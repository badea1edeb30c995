//! `cargo xtask sbom`: what the program `aeva` is made of, as a bill of materials in CycloneDX 1.5.
//!
//! It is a function of `Cargo.lock` and of the digests that `aeva setup` accepts: no time and no machine is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use spdx::Expression;
use xtask::evaluation::aeva_eval;
use xtask::files::write_atomically;
use xtask::process::{output, say};
use xtask::root;

use crate::metadata::{self, Metadata, Package};

/// The package of the program.
const PROGRAM: &str = "aeva-cli";

/// What is read of `Cargo.lock`.
#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    /// SHA-256 of what was downloaded; members of the workspace have none.
    checksum: Option<String>,
}

/// A package of ONNX Runtime that `aeva setup` can install, as `aeva-eval wheels` prints it.
#[derive(Debug, Deserialize)]
struct Wheel {
    package: String,
    version: String,
    platform: String,
    sha256: String,
    /// Name and SHA-256.
    libraries: Vec<(String, String)>,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let path = write()?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

/// Writes the bill of materials and returns its path.
pub(crate) fn write() -> anyhow::Result<PathBuf> {
    let lock = root().join("Cargo.lock");
    let text = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let lock: Lock = toml::from_str(&text).with_context(|| format!("{} is not understood", lock.display()))?;
    let wheels = output(aeva_eval().arg("wheels"))?;
    let wheels: Vec<Wheel> = serde_json::from_str(&wheels).context("the list of wheels is not understood")?;
    let bill = bill(&metadata::read(false)?, &lock, &wheels)?;
    let folder = root().join("target").join("sbom");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("aeva.cdx.json");
    write_atomically(&path, format!("{bill:#}\n").as_bytes())?;
    Ok(path)
}

fn bill(metadata: &Metadata, lock: &Lock, wheels: &[Wheel]) -> anyhow::Result<Value> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let program = packages.values().find(|package| package.name == PROGRAM).context("there is no package aeva-cli")?;
    let linked = linked(metadata, &program.id);
    let reference = |id: &str| packages.get(id).map(|package| reference(package));
    let mut components: Vec<Value> = linked
        .keys()
        .filter(|id| **id != program.id)
        .filter_map(|id| packages.get(*id))
        .map(|package| component(package, "library", lock))
        .collect();
    let mut dependencies: Vec<Value> = linked
        .iter()
        .map(|(id, needed)| {
            json!({ "ref": reference(id), "dependsOn": needed.iter().filter_map(|id| reference(id)).collect::<Vec<_>>() })
        })
        .collect();
    components.extend(wheels.iter().map(runtime));
    dependencies.extend(wheels.iter().map(|wheel| json!({ "ref": wheel_reference(wheel) })));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(program, "application", lock) },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// All packages that are linked into one, each with those that it names itself.
fn linked<'a>(metadata: &'a Metadata, program: &'a str) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let needs: BTreeMap<&str, BTreeSet<&str>> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| {
            let linked = node.deps.iter().filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            (node.id.as_str(), linked.map(|edge| edge.pkg.as_str()).collect())
        })
        .collect();
    let mut found = BTreeMap::new();
    let mut open = vec![program];
    // Each turn takes a package, and none twice.
    while let Some(id) = open.pop() {
        if !found.contains_key(id) {
            let needed = needs.get(id).cloned().unwrap_or_default();
            open.extend(&needed);
            found.insert(id, needed);
        }
    }
    found
}

fn component(package: &Package, kind: &str, lock: &Lock) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(package),
        "name": if package.name == PROGRAM { "aeva" } else { &package.name },
        "version": package.version,
    });
    if let Some(licence) = &package.license {
        let standard = Expression::canonicalize(licence).ok().flatten().unwrap_or_else(|| licence.clone());
        component["licenses"] = json!([{ "expression": standard }]);
    }
    if package.source.is_some() {
        component["purl"] = reference(package).into();
    }
    let locked = lock.package.iter().find(|locked| locked.name == package.name && locked.version == package.version);
    if let Some(checksum) = locked.and_then(|locked| locked.checksum.as_ref()) {
        component["hashes"] = json!([sha256(checksum)]);
    }
    component
}

/// A package of ONNX Runtime with its libraries. It is no part of the program: `aeva setup` installs one of them.
fn runtime(wheel: &Wheel) -> Value {
    let reference = wheel_reference(wheel);
    let libraries: Vec<Value> = wheel
        .libraries
        .iter()
        .map(|(name, digest)| {
            json!({ "type": "file", "bom-ref": format!("{reference}#{name}"), "name": name, "hashes": [sha256(digest)] })
        })
        .collect();
    json!({
        "type": "library",
        "bom-ref": reference,
        "name": wheel.package,
        "version": wheel.version,
        "purl": format!("pkg:pypi/{}@{}", wheel.package, wheel.version),
        "scope": "optional",
        "description": format!("The wheel for {}, which `aeva setup` installs there.", wheel.platform),
        "hashes": [sha256(&wheel.sha256)],
        "components": libraries,
    })
}

fn sha256(digest: &str) -> Value {
    json!({ "alg": "SHA-256", "content": digest })
}

/// Its package URL; a `+` has to be escaped there.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version.replace('+', "%2B"))
}

fn wheel_reference(wheel: &Wheel) -> String {
    format!("pkg:pypi/{}@{}?platform={}", wheel.package, wheel.version, wheel.platform)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "packages": [
            {"id": "p", "name": "aeva-cli", "version": "0.1.0", "license": "MIT", "source": null, "dependencies": [], "manifest_path": ""},
            {"id": "a", "name": "a", "version": "1.0.0+x", "license": "MIT/Apache-2.0", "source": "registry", "dependencies": [], "manifest_path": ""},
            {"id": "b", "name": "b", "version": "2.0.0", "license": null, "source": "registry", "dependencies": [], "manifest_path": ""},
            {"id": "c", "name": "c", "version": "3.0.0", "license": "MIT", "source": "registry", "dependencies": [], "manifest_path": ""}
        ],
        "resolve": {"nodes": [
            {"id": "p", "deps": [{"pkg": "a", "dep_kinds": [{"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": "build"}, {"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "build"}]}]},
            {"id": "b", "deps": []},
            {"id": "c", "deps": []}
        ]}
    }"#;

    #[test]
    fn what_is_linked_is_listed_with_licence_and_digest() {
        let lock = "[[package]]\nname = 'a'\nversion = '1.0.0+x'\nchecksum = 'aa'\n[[package]]\nname = 'b'\nversion = '1.0.0'\n";
        let wheel = Wheel {
            package: "onnxruntime".to_owned(),
            version: "1.31.1".to_owned(),
            platform: "linux".to_owned(),
            sha256: "cc".to_owned(),
            libraries: vec![("lib.so".to_owned(), "dd".to_owned())],
        };
        let bill = bill(&serde_json::from_str(METADATA).unwrap(), &toml::from_str(lock).unwrap(), &[wheel]).unwrap();
        assert_eq!(bill["metadata"]["component"]["name"], "aeva");
        let components = bill["components"].as_array().unwrap();
        let names: Vec<&str> = components.iter().filter_map(|component| component["name"].as_str()).collect();
        assert_eq!(names, ["a", "b", "onnxruntime"]);
        assert_eq!(components[0]["purl"], "pkg:cargo/a@1.0.0%2Bx");
        assert_eq!(components[0]["licenses"], json!([{ "expression": "MIT OR Apache-2.0" }]));
        assert_eq!(components[0]["hashes"], json!([{ "alg": "SHA-256", "content": "aa" }]));
        assert_eq!((&components[1]["licenses"], &components[1]["hashes"]), (&Value::Null, &Value::Null));
        assert_eq!(
            (&components[2]["scope"], &components[2]["components"][0]["hashes"][0]["content"]),
            (&"optional".into(), &"dd".into())
        );
        let references = |value: &Value| value["ref"].as_str().map(str::to_owned);
        let listed: Vec<String> = bill["dependencies"].as_array().unwrap().iter().filter_map(references).collect();
        assert_eq!(listed.len(), 4);
        assert_eq!(
            bill["dependencies"][0],
            json!({ "ref": "pkg:cargo/a@1.0.0%2Bx", "dependsOn": ["pkg:cargo/b@2.0.0"] })
        );
    }
}
