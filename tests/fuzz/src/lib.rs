//! The readers of AEVA as functions of any bytes, for a fuzzer and for the tests that run the kept inputs (`tests/it/corpus.rs`).
//!
//! Each function hands the bytes to a reader in the way that a user's file gets there. What is refused is fine; what is accepted must be
//! what the reader promises, and nothing may panic.

use std::fs;
use std::path::Path;

use aeva_artifact::{
    ArtifactError, Completeness, PairArtifact, PartialAnswers, RunDir, RunInfoError, ShardState, TriggerArtifact,
    sha256_hex, with_records,
};
use aeva_model::{DataOptions, Dataset, ImageSize, Manifest, ModelFile};
use tempfile::TempDir;

/// Everything that can be run: the names are those of the folders in `corpus`.
pub const TARGETS: [(&str, fn(&[u8])); 15] = [
    ("pair", pair),
    ("triggers", triggers),
    ("answers", answers),
    ("journal", journal),
    ("run", run),
    ("share", share),
    ("npy", npy),
    ("npz", npz),
    ("cifar", cifar),
    ("pictures", pictures),
    ("list", list),
    ("classes", classes),
    ("manifest", manifest),
    ("onnx", onnx),
    ("endpoint", endpoint),
];

/// Images with more values are read, but nothing is computed with them: a few bytes can state large ones.
const MOST_VALUES: usize = 1 << 16;

/// An artifact with a perturbation.
pub fn pair(bytes: &[u8]) {
    for bytes in [bytes, &sealed(bytes, 1)] {
        if let Ok(pair) = PairArtifact::from_bytes(bytes) {
            let written = pair.to_bytes().expect("what was read can be written");
            let again = PairArtifact::from_bytes(&written).expect("what was written can be read");
            // Not the values: some are no numbers, which differ from themselves.
            assert_eq!(again.to_bytes().expect("written before"), written);
        }
    }
}

/// An artifact with triggers of any version. Triggers that are accepted can be used.
pub fn triggers(bytes: &[u8]) {
    for bytes in [bytes, &sealed(bytes, 2)] {
        let Ok(artifact) = TriggerArtifact::from_bytes(bytes) else { continue };
        let written = artifact.to_bytes().expect("what was read can be written");
        let again = TriggerArtifact::from_bytes(&written).expect("what was written can be read");
        assert_eq!(again.to_bytes().expect("written before"), written);
        let _ = artifact.tally();
        let values = artifact.shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        let Some(values) = values.filter(|&values| values <= MOST_VALUES) else { continue };
        let image = vec![0.5; values];
        let mut stamped = vec![0.0; values];
        for finding in artifact.result.findings.iter().take(16) {
            finding.trigger.stamp(&image, artifact.shape, &mut stamped);
            assert!(stamped.iter().all(|value| (0.0..=1.0).contains(value)), "a stamped image is an image");
            let _ = (finding.trigger.picture(artifact.shape), finding.trigger.arrays(artifact.shape));
            let _ = (finding.trigger.describe("x"), finding.success());
        }
    }
}

/// Answers of stopped work.
pub fn answers(bytes: &[u8]) {
    for bytes in [bytes, &sealed(bytes, 3)] {
        if let Ok(answers) = PartialAnswers::from_bytes(bytes) {
            let written = answers.to_bytes().expect("what was read can be written");
            assert_eq!(PartialAnswers::from_bytes(&written).expect("what was written can be read"), answers);
        }
    }
}

/// The records of a journal of answers, in a run and behind a head that are as they should be.
pub fn journal(bytes: &[u8]) {
    let folder = folder();
    write(&folder.path().join("run.json"), include_bytes!("../corpus/run/version-3"));
    fs::create_dir(folder.path().join("partial-v1")).expect("a new folder");
    let path = folder.path().join("partial-v1").join("patch-04.x.journal");
    let head = include_bytes!("../corpus/answers/version-1");
    let searches = PartialAnswers::from_bytes(head).expect("kept answers").searches;
    let run = RunDir::open(folder.path()).expect("a kept run");
    for records in [bytes, &counted(bytes)] {
        write(&path, &[&head[..], records].concat());
        let records = run.read_journals("patch-04", SEARCH_VERSION_OF_HEAD).expect("a whole head");
        let known = records.iter().map(|record| record.answers.len()).sum::<usize>();
        let all = with_records(searches.clone(), records, u32::MAX);
        let entries = all.values().map(Vec::len).sum::<usize>();
        assert!(entries <= known + (1 << 23), "no more memory than the file has answers");
    }
}

/// The description of a run.
pub fn run(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("run.json");
    write(&path, bytes);
    let mut opened = RunDir::open(folder.path());
    // A fuzzer does not guess a checksum, and the error has it.
    if let Err(ArtifactError::RunDescription { source: RunInfoError::Checksum { found, expected }, .. }) = &opened
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        write(&path, text.replace(found.as_str(), expected).as_bytes());
        opened = RunDir::open(folder.path());
    }
    if let Ok(run) = opened {
        let info = run.info().clone();
        let again = RunDir::open_or_create(folder.path(), info.clone()).expect("a run is the same as itself");
        assert_eq!(again.info(), &info);
    }
}

/// The manifest of a share, in a run folder.
pub fn share(bytes: &[u8]) {
    let folder = folder();
    write(&folder.path().join("run.json"), include_bytes!("../corpus/run/version-3"));
    fs::create_dir(folder.path().join("shards")).expect("a new folder");
    write(&folder.path().join("shards").join("1-of-2.json"), bytes);
    let run = RunDir::open(folder.path()).expect("a kept run");
    if let Ok(states) = run.shard_states() {
        let complete = |state: &ShardState| state.state == Completeness::Complete && state.files > 0;
        assert!(!states.values().flatten().any(complete), "no artifact is there");
    }
}

/// An array as images, then as labels.
pub fn npy(bytes: &[u8]) {
    let folder = folder();
    let (images, labels) = (folder.path().join("x.npy"), folder.path().join("y.npy"));
    let options = DataOptions { labels: Some(labels.clone()), ..DataOptions::default() };
    write(&images, bytes);
    write(&labels, &array("|u1", "(2,)", &[0, 1]));
    load(&images, &options);
    write(&images, &array("|u1", "(2, 1, 1, 1)", &[0, 255]));
    write(&labels, bytes);
    load(&images, &options);
}

/// An archive of arrays.
pub fn npz(bytes: &[u8]) {
    alone("data.npz", bytes);
}

/// A file of CIFAR.
pub fn cifar(bytes: &[u8]) {
    alone("data.bin", bytes);
}

/// Pictures in a folder, as they are and resized.
pub fn pictures(bytes: &[u8]) {
    for name in ["a/x.png", "a/x.jpg"] {
        let folder = folder();
        fs::create_dir(folder.path().join("a")).expect("a new folder");
        write(&folder.path().join(name), bytes);
        load(folder.path(), &DataOptions::default());
        let size = "8".parse::<ImageSize>().expect("a size");
        load(folder.path(), &DataOptions { size: Some(size), ..DataOptions::default() });
    }
}

/// A list of pictures, of which one is there.
pub fn list(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("list.csv");
    write(&path, bytes);
    write(&folder.path().join("x.png"), PICTURE);
    load(&path, &DataOptions::default());
}

/// The order of the classes of a list.
pub fn classes(bytes: &[u8]) {
    let folder = folder();
    let (path, order) = (folder.path().join("list.csv"), folder.path().join("classes.txt"));
    write(&path, b"path,label\nx.png,cat\nx.png,dog\n");
    write(&folder.path().join("x.png"), PICTURE);
    write(&order, bytes);
    load(&path, &DataOptions { class_order: Some(order), ..DataOptions::default() });
}

/// A manifest.
pub fn manifest(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("m.toml");
    write(&path, bytes);
    if let Ok(Some(manifest)) = Manifest::read(&path) {
        let text = manifest.to_toml(&path).expect("what was read can be written");
        write(&path, text.as_bytes());
        let again = Manifest::read(&path).expect("what was written can be read").expect("it is there");
        assert_eq!(again.to_toml(&path).expect("written before"), text);
    }
}

/// A model in ONNX, with a file beside it that it may name for its weights. ONNX Runtime is not asked.
pub fn onnx(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("m.onnx");
    write(&path, bytes);
    write(&folder.path().join("weights.bin"), &[7; 256]);
    if let Ok(model) = ModelFile::read(&path) {
        assert_eq!(model.sha256().len(), 64);
    }
}

/// What a prediction service answers.
pub fn endpoint(bytes: &[u8]) {
    aeva_endpoint::fuzz::answers(bytes);
}

/// The version of the search in `corpus/answers/version-1`.
const SEARCH_VERSION_OF_HEAD: u32 = 8;

/// A picture of one grey pixel.
const PICTURE: &[u8] = include_bytes!("../corpus/pictures/grey.png");

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a temporary file");
}

fn alone(name: &str, bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join(name);
    write(&path, bytes);
    load(&path, &DataOptions::default());
}

/// Images that are accepted are images.
fn load(path: &Path, options: &DataOptions) {
    if let Ok(data) = Dataset::load_with(path, options) {
        assert_eq!(data.labels.len(), data.images.dim().0);
        assert!(data.images.iter().all(|value| (0.0..=1.0).contains(value)), "values are in [0, 1]");
        assert_eq!(data.sha256().len(), 64);
    }
}

/// A file of numpy.
fn array(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(text.len()).expect("a short header").to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), values].concat()
}

/// The bytes as records of a journal, each with a checksum that is true.
fn counted(mut bytes: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    while let Some((before, rest)) = bytes.split_at_checked(24) {
        // Few answers a record, so that there are several.
        let count = (before[0] as usize % 8).min(rest.len() / 4);
        let mut record = u32::try_from(count).unwrap_or(0).to_le_bytes().to_vec();
        record.extend(&before[4..]);
        record.extend(&rest[..4 * count]);
        let digest = digest(&record);
        record.extend(&digest[..8]);
        records.extend(record);
        bytes = &rest[4 * count..];
    }
    records
}

fn digest(bytes: &[u8]) -> Vec<u8> {
    let digest = sha256_hex(bytes);
    (0..digest.len() / 2).filter_map(|at| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).ok()).collect()
}

/// The bytes as an artifact of a kind, with lengths and a checksum that are true: a fuzzer does not guess them.
fn sealed(bytes: &[u8], kind: u16) -> Vec<u8> {
    const PRELUDE: usize = 28;
    const DIGEST: usize = 32;
    let Some((prelude, rest)) = bytes.split_at_checked(PRELUDE) else { return bytes.to_vec() };
    let content = &rest[..rest.len().saturating_sub(DIGEST)];
    let stated = u32::from_le_bytes([prelude[16], prelude[17], prelude[18], prelude[19]]) as usize;
    let header = stated.min(content.len());
    let mut sealed = b"AEVA\r\n\x1a\n".to_vec();
    for field in [1, kind, u16::from_le_bytes([prelude[12], prelude[13]]), 0] {
        sealed.extend(field.to_le_bytes());
    }
    sealed.extend(u32::try_from(header).unwrap_or(0).to_le_bytes());
    sealed.extend(((content.len() - header) as u64).to_le_bytes());
    sealed.extend(content);
    let digest = digest(&sealed);
    sealed.extend(digest);
    sealed
}
