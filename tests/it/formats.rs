//! The files that the program writes for others, and those that it must be able to read for ever.

use std::fs::{self, File};

use aeva_artifact::{PairArtifact, TriggerArtifact};
use ndarray::Array4;
use ndarray_npy::{NpzReader, ReadNpyExt};

use crate::harness::{Aeva, root};

#[test]
fn inspect_and_export_show_what_a_scan_found() {
    let aeva = Aeva::new();
    aeva.perturbations(
        "digits-infected.onnx",
        &["--iterations", "2", "--samples", "3", "--out", "run", "--sources", "1", "--targets", "3,5"],
    )
    .ends_with(3);
    let inspected = aeva.run(&["inspect", "run/pairs-v1/0001-0003.aeva"]).ends_with(0).stdout;
    for expected in
        ["perturbations 1 -> 3, shape [h, w, c] = [16, 16, 1]", "\"seed\": 0", "\"iterations\": 2", "Finished"]
    {
        assert!(inspected.contains(expected), "{expected} is not in {inspected}");
    }
    assert!(aeva.run(&["inspect", "run"]).ends_with(0).stdout.contains("2 of 90 pairs are finished, 0 damaged"));

    aeva.run(&["export", "run/pairs-v1/0001-0003.aeva", "--out", "pair.npy"]).ends_with(0);
    let exported = Array4::<f32>::read_npy(File::open(aeva.path("pair.npy")).unwrap()).unwrap();
    assert_eq!(exported.dim(), (3, 16, 16, 1));
    let artifact = PairArtifact::from_bytes(&fs::read(aeva.path("run/pairs-v1/0001-0003.aeva")).unwrap()).unwrap();
    let expected: Vec<f32> = artifact.result.finished().flatten().copied().collect();
    assert_eq!(exported.as_slice().unwrap(), expected);
    // The distance in the record is the perturbation's norm.
    for (sample, v) in artifact.result.samples.iter().zip(artifact.result.finished()) {
        let norm = v.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        assert!((norm - sample.distance).abs() < 1e-6 && norm > 0.0);
    }

    aeva.run(&["export", "run", "--out", "run.npz"]).ends_with(0);
    let mut npz = NpzReader::new(File::open(aeva.path("run.npz")).unwrap()).unwrap();
    assert_eq!(npz.names().unwrap(), ["pair_1_3", "pair_1_5"]);
    let pair: Array4<f32> = npz.by_name("pair_1_3.npy").unwrap();
    assert_eq!(pair, exported);

    let wrong = aeva.run(&["export", "run", "--out", "run.npy"]).ends_with(2);
    assert!(wrong.stderr.contains("hint: use a name that ends in .npz"), "{}", wrong.stderr);
}

/// An artifact of version 1, written once and kept. It must remain readable for ever.
#[test]
fn old_artifacts_load() {
    let bytes = fs::read(root().join("tests/data/pair-v1.aeva")).unwrap();
    let pair = PairArtifact::from_bytes(&bytes).unwrap();
    assert_eq!((pair.result.source, pair.result.target, pair.result.shape), (1, 3, [16, 16, 1]));
    assert_eq!(pair.result.samples.len(), 2);
    assert_eq!(pair.result.finished().count(), 2);
    assert_eq!(pair.provenance.search.iterations, 2);
    assert_eq!(pair.to_bytes().unwrap(), bytes, "version 1 is still the latest: its bytes are reproduced");

    let bytes = fs::read(root().join("tests/data/triggers-v1.aeva")).unwrap();
    let triggers = TriggerArtifact::from_bytes(&bytes).unwrap();
    assert_eq!((triggers.id.to_string(), triggers.shape), ("patch-03".to_owned(), [16, 16, 1]));
    let tally = triggers.tally();
    assert_eq!(triggers.result.findings.len(), 11 + tally.pairs.len(), "ten labels, some pairs and the map");
    assert_eq!(tally.pairs.len(), 18);
    let found = tally.labels[3].pooled();
    assert!(found.trials() == 180 && found.hits() > 150, "{found:?}");
    assert!(triggers.result.confusion.is_empty(), "the first version had none");

    let bytes = fs::read(root().join("tests/data/triggers-v2.aeva")).unwrap();
    let squares = TriggerArtifact::from_bytes(&bytes).unwrap();
    assert_eq!((squares.id.to_string(), squares.result.findings.len()), ("square-10".to_owned(), 10));
    let of = |source: u32| squares.result.confusion.iter().filter(move |cell| cell.source == source);
    assert!((0..10).all(|source| of(source).map(|cell| cell.tally.hits()).sum::<u32>() == 1000));

    // Version 3 has the same content without the parameters of perturbations, on which triggers do not depend.
    let bytes = fs::read(root().join("tests/data/triggers-v3.aeva")).unwrap();
    assert_eq!(TriggerArtifact::from_bytes(&bytes).unwrap(), squares);

    // Version 4 has the same content, with a form of triggers that does not depend on their shape.
    let bytes = fs::read(root().join("tests/data/triggers-v4.aeva")).unwrap();
    assert_eq!(TriggerArtifact::from_bytes(&bytes).unwrap(), squares);

    // Version 5 has the number of images without a label besides.
    let bytes = fs::read(root().join("tests/data/triggers-v5.aeva")).unwrap();
    assert_eq!(TriggerArtifact::from_bytes(&bytes).unwrap(), squares);
    assert_eq!(squares.to_bytes().unwrap(), bytes, "version 5 is still the latest: its bytes are reproduced");
}

#[test]
fn another_scan_never_gets_into_a_run_folder() {
    let aeva = Aeva::new();
    let scan = |model: &str, extra: &[&str]| {
        aeva.perturbations(
            model,
            &[&["--iterations", "2", "--out", "run", "--sources", "0", "--targets", "1"], extra].concat(),
        )
    };
    scan("digits-infected.onnx", &[]).ends_with(3);
    let before = aeva.artifacts("run");
    let other_model = scan("digits-clean.onnx", &[]).ends_with(2);
    assert!(other_model.stderr.contains("model.sha256") && other_model.stderr.contains("hint: choose another folder"));
    let other_seed = scan("digits-infected.onnx", &["--seed", "5"]).ends_with(2);
    assert!(other_seed.stderr.contains("seed: there 0, asked for 5"), "{}", other_seed.stderr);
    assert_eq!(aeva.artifacts("run"), before);
    // Without --out, every scan has its own folder.
    let args = |seed: &'static str| ["--iterations", "2", "--sources", "0", "--targets", "1", "--seed", seed];
    aeva.perturbations("digits-infected.onnx", &args("1")).ends_with(3);
    aeva.perturbations("digits-infected.onnx", &args("2")).ends_with(3);
    assert_eq!(fs::read_dir(aeva.path("runs")).unwrap().count(), 2);
}
