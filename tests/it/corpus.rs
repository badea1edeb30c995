//! What fuzzing began with and what it found: the readers take each of these inputs, or refuse it, without a panic.

#[path = "../fuzz/src/lib.rs"]
#[allow(
    dead_code,
    clippy::missing_panics_doc,
    unreachable_pub,
    reason = "a library for a fuzzer, where everything is used"
)]
mod targets;

use std::fs;
use std::path::Path;

#[test]
fn kept_inputs_are_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let mut folders: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    folders.sort();
    let mut names = targets::TARGETS.map(|(name, _)| name);
    names.sort_unstable();
    assert_eq!(folders, names, "a folder of inputs for each target");
    for (name, target) in targets::TARGETS {
        let mut inputs = 0;
        for file in fs::read_dir(corpus.join(name)).unwrap() {
            target(&fs::read(file.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "no input for {name}");
        target(b"");
    }
}
