//! Files of every version, written once and kept: they load for ever, and those of the latest version come out as they went in.
#![allow(clippy::unwrap_used, reason = "a test stops at what is unexpected")]

use std::fs;
use std::path::{Path, PathBuf};

use aeva_artifact::{PairArtifact, RunDir, RunInfo, TriggerArtifact};

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

#[test]
fn artifacts() {
    let bytes = fs::read(kept("pair-v1.aeva")).unwrap();
    assert_eq!(PairArtifact::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    let bytes = fs::read(kept("triggers-v5.aeva")).unwrap();
    assert_eq!(TriggerArtifact::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    // Earlier versions come out as the latest one, which says the same.
    for name in ["triggers-v1.aeva", "triggers-v2.aeva", "triggers-v3.aeva", "triggers-v4.aeva"] {
        let old = TriggerArtifact::from_bytes(&fs::read(kept(name)).unwrap()).unwrap();
        assert_eq!(TriggerArtifact::from_bytes(&old.to_bytes().unwrap()).unwrap(), old);
    }
    // The same squares as of version 3.
    for name in ["triggers-v3.aeva", "triggers-v4.aeva"] {
        let old = TriggerArtifact::from_bytes(&fs::read(kept(name)).unwrap()).unwrap();
        assert_eq!(old.to_bytes().unwrap(), bytes, "{name}");
    }
}

/// A run that was begun before there were counts and a checksum goes on, and its file stays as it is.
#[test]
fn run_descriptions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    fs::copy(kept("run-v1.json"), &file).unwrap();
    let old = RunDir::open(folder.path()).unwrap().info().clone();
    assert_eq!((old.schema_version, old.clean_queries, old.clean_correct.len()), (1, 497, 0));
    assert_eq!(old.clean_accuracy.to_bits(), 0.9738430583501007_f64.to_bits());
    let now = RunInfo {
        clean_accuracy: 484.0 / 497.0,
        clean_correct: vec![48; 10],
        clean_images: vec![50; 10],
        ..RunInfo::new(old.provenance.clone(), old.perturbations.clone())
    };
    assert_eq!(old.key, old.provenance.key());
    assert_eq!(RunDir::open_or_create(folder.path(), now.clone()).unwrap().info(), &now);
    assert_eq!(fs::read(&file).unwrap(), fs::read(kept("run-v1.json")).unwrap());
}

#[test]
fn the_second_version_of_a_run_description() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(kept("run-v2.json"), folder.path().join("run.json")).unwrap();
    let run = RunDir::open(folder.path()).unwrap();
    assert_eq!((run.info().schema_version, run.info().clean_correct.len()), (2, 10));
    assert_eq!(run.pair_provenance().search.iterations, run.info().perturbations.search.iterations);
}
