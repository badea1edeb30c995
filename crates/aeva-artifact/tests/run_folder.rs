//! What a run folder promises to those who write into it, several of them at the same time included.
#![allow(clippy::unwrap_used, reason = "a test stops at what is unexpected")]

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use aeva_artifact::{
    ArtifactError, DataProvenance, ModelProvenance, PairArtifact, PairProvenance, PerturbationProvenance, Provenance,
    RunDir, RunInfo, RunInfoError, TriggerArtifact, sha256_hex,
};
use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::perturbation::PairResult;
use aeva_attack::trigger::{Pass, PassId, PassResult, Patch, Trigger, TriggerFinding};
use aeva_stats::{Tally, TargetMap};

fn provenance(seed: u64) -> Provenance {
    Provenance {
        model: ModelProvenance { sha256: "00".to_owned(), classes: 10, preprocessing: "nhwc".to_owned() },
        data: DataProvenance { sha256: "11".to_owned(), images: 100 },
        seed,
        provider: "test".to_owned(),
    }
}

fn perturbations(iterations: u32) -> PerturbationProvenance {
    let builder = HopSkipJumpBuilder { iterations, ..HopSkipJumpBuilder::PUBLISHED };
    PerturbationProvenance::new(&builder.check().unwrap(), 2)
}

fn new(seed: u64) -> RunInfo {
    RunInfo::new(provenance(seed), perturbations(50))
}

fn info() -> RunInfo {
    RunInfo {
        model_name: "model.onnx".to_owned(),
        clean_accuracy: 0.9,
        clean_correct: vec![9; 10],
        clean_images: vec![10; 10],
        clean_answers: Some(sha256_hex(b"answers")),
        ..new(7)
    }
}

fn pair_with(iterations: u32, source: u32, target: u32) -> PairArtifact {
    let provenance = PairProvenance::new(&provenance(7), &perturbations(iterations));
    PairArtifact { provenance, result: PairResult { source, target, shape: [1, 1, 1], samples: vec![] } }
}

fn pair(source: u32, target: u32) -> PairArtifact {
    pair_with(50, source, target)
}

fn triggers() -> TriggerArtifact {
    let finding = |target| TriggerFinding {
        goal: TargetMap::AllToOne { target },
        trigger: Trigger::Patch(Patch { row: 0, column: 0, side: 1, values: vec![0.5] }),
        climbed: false,
        search: Tally::ZERO.with_misses(1),
        holdout: vec![],
        kept: vec![],
    };
    TriggerArtifact {
        provenance: provenance(7),
        trigger_search_version: 1,
        id: PassId { setting: "patch-02".parse().unwrap(), pass: Pass::Explore },
        shape: [8, 8, 1],
        result: PassResult { findings: (0..10).map(finding).collect(), confusion: vec![], queries: 1, unlabelled: 0 },
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn stores_and_finds_results_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("run");
    let run = RunDir::open_or_create(&path, info()).unwrap();
    assert!(run.load(0, 1).unwrap().is_none());
    run.store(&pair(0, 1)).unwrap();
    run.store_triggers(&triggers()).unwrap();
    let again = RunDir::open_or_create(&path, info()).unwrap();
    assert_eq!(again.load(0, 1).unwrap(), Some(pair(0, 1)));
    assert_eq!(again.load_triggers(triggers().id).unwrap(), Some(triggers()));
    assert_eq!(RunDir::open(&path).unwrap().info(), &info());
}

#[test]
fn another_scan_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    RunDir::open_or_create(folder.path(), info()).unwrap();
    let mut other = provenance(8);
    other.model.sha256 = "22".to_owned();
    let error = RunDir::open_or_create(folder.path(), RunInfo::new(other, perturbations(50))).unwrap_err().to_string();
    assert!(error.contains("model.sha256") && error.contains("seed: there 7, asked for 8"), "{error}");
}

/// Other parameters of the perturbations are the same run: its triggers stay, and its perturbations lie side by side.
#[test]
fn perturbations_of_several_settings_share_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::open_or_create(folder.path(), info()).unwrap();
    run.store(&pair(0, 1)).unwrap();
    run.store_triggers(&triggers()).unwrap();
    let deeper = RunInfo { perturbations: perturbations(60), ..info() };
    let again = RunDir::open_or_create(folder.path(), deeper).unwrap();
    assert_eq!(again.load_triggers(triggers().id).unwrap(), Some(triggers()));
    assert_eq!((again.load(0, 1).unwrap(), again.stored_pairs().unwrap()), (None, vec![]));
    again.store(&pair_with(60, 3, 4)).unwrap();
    assert!(matches!(again.store(&pair(5, 6)), Err(ArtifactError::Foreign { .. })));
    assert_eq!((run.stored_pairs().unwrap(), again.stored_pairs().unwrap()), (vec![(0, 1)], vec![(3, 4)]));
    assert_ne!(run.perturbation_work(), again.perturbation_work());

    let opened = RunDir::open(folder.path()).unwrap();
    assert_eq!((opened.stored_pairs().unwrap(), &opened.info().perturbations), (vec![(0, 1)], &perturbations(50)));
    let key = perturbations(60).key()[..12].to_owned();
    let other = opened.clone().with_perturbations(&key).unwrap();
    assert_eq!((other.stored_pairs().unwrap(), &other.info().perturbations), (vec![(3, 4)], &perturbations(60)));
    let error = opened.with_perturbations("00").unwrap_err().to_string();
    assert!(error.contains("no perturbations with the key 00") && error.contains(&key), "{error}");
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "dear").unwrap();
    let error = RunDir::open_or_create(folder.path(), info()).unwrap_err();
    assert!(matches!(error, ArtifactError::NotARun { .. }));
    assert_eq!(names(folder.path()), ["thesis.txt"]);
}

#[test]
fn what_a_killed_first_write_left_is_no_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".writing-abc"), "half").unwrap();
    assert!(matches!(RunDir::open(folder.path()), Err(ArtifactError::NotARun { .. })));
    RunDir::open_or_create(folder.path(), info()).unwrap();
    assert_eq!(names(folder.path()), [".writing-abc", "run.json"]);
}

#[test]
fn damaged_and_foreign_files_are_errors_that_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::open_or_create(folder.path(), info()).unwrap();
    run.store(&pair(0, 1)).unwrap();
    fs::copy(run.pair_path(0, 1), run.pair_path(2, 3)).unwrap();
    assert!(matches!(run.load(2, 3), Err(ArtifactError::Foreign { .. })));
    let bytes = fs::read(run.pair_path(0, 1)).unwrap();
    fs::write(run.pair_path(0, 1), &bytes[..bytes.len() - 5]).unwrap();
    let error = run.load(0, 1).unwrap_err();
    assert!(matches!(error, ArtifactError::Decode { .. }) && error.to_string().contains("0000-0001"));
    fs::create_dir(run.pair_path(5, 6)).unwrap();
    assert!(matches!(run.load(5, 6), Err(ArtifactError::NotRegular { .. })));
    let mut foreign = pair(4, 5);
    foreign.provenance.seed = 99;
    assert!(matches!(run.store(&foreign), Err(ArtifactError::Foreign { .. })));
}

/// What the file says is not what was measured now: names and notes may be other ones, figures may not.
#[test]
fn a_model_that_answers_otherwise_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    RunDir::open_or_create(folder.path(), info()).unwrap();
    let written = fs::read(folder.path().join("run.json")).unwrap();
    let renamed =
        RunInfo { model_name: "copy.onnx".to_owned(), notes: vec!["new".to_owned()], clean_queries: 5, ..info() };
    let run = RunDir::open_or_create(folder.path(), renamed.clone()).unwrap();
    assert_eq!(run.info(), &renamed);
    for other in [
        RunInfo { clean_accuracy: 0.91, ..info() },
        RunInfo { clean_correct: vec![8; 10], ..info() },
        RunInfo { clean_images: vec![11; 10], ..info() },
        RunInfo { clean_answers: Some(sha256_hex(b"others")), ..info() },
    ] {
        let error = RunDir::open_or_create(folder.path(), other).unwrap_err();
        assert!(matches!(error, ArtifactError::OtherAnswers { .. }), "{error}");
        assert!(error.to_string().contains("answers the clean images differently"), "{error}");
    }
    assert_eq!(fs::read(folder.path().join("run.json")).unwrap(), written, "the file stays as it is");
}

#[test]
fn what_contradicts_itself_is_neither_written_nor_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let wrong = RunInfo { clean_accuracy: f64::NAN, ..info() };
    let error = RunDir::open_or_create(&path, wrong.clone()).unwrap_err();
    assert!(matches!(error, ArtifactError::RunDescription { source: RunInfoError::Accuracy { .. }, .. }));
    assert!(!path.exists());
    RunDir::open_or_create(&path, info()).unwrap();
    assert!(matches!(RunDir::open_or_create(&path, wrong), Err(ArtifactError::RunDescription { .. })));
    let file = path.join("run.json");
    fs::write(&file, vec![b' '; (8 << 20) + 1]).unwrap();
    assert!(matches!(RunDir::open(&path), Err(ArtifactError::TooLarge { .. })));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(RunDir::open_or_create(&path, info()), Err(ArtifactError::NotRegular { .. })));
}

/// Two scans begin in one new folder: one has it, the other is told; the folder says whose it is.
#[test]
fn of_two_scans_at_once_one_gets_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..200 {
        let path = folder.path().join(format!("{round}"));
        let barrier = Barrier::new(2);
        let begin = |seed: u64| {
            barrier.wait();
            RunDir::open_or_create(&path, new(seed))
        };
        let results = thread::scope(|scope| {
            let threads = [1, 2].map(|seed| scope.spawn(move || begin(seed)));
            threads.map(|thread| thread.join().unwrap())
        });
        let has_it = RunDir::open(&path).unwrap().info().provenance.seed;
        for (seed, result) in (1..).zip(results) {
            match result {
                Ok(_) => assert_eq!(seed, has_it, "round {round}"),
                Err(error) => {
                    assert!(matches!(error, ArtifactError::OtherRun { .. }), "round {round}: {error}");
                    assert_ne!(seed, has_it, "round {round}");
                }
            }
        }
        assert_eq!(names(&path), ["run.json"]);
    }
}

#[test]
fn equal_scans_at_once_share_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let path = folder.path().join(format!("{round}"));
        let barrier = Barrier::new(3);
        let scan = |target: u32| {
            barrier.wait();
            let run = RunDir::open_or_create(&path, info()).unwrap();
            run.store(&pair(0, 1)).unwrap();
            run.store(&pair(0, target)).unwrap();
        };
        thread::scope(|scope| {
            for target in [2, 3, 4] {
                scope.spawn(move || scan(target));
            }
        });
        assert_eq!(RunDir::open(&path).unwrap().stored_pairs().unwrap(), [(0, 1), (0, 2), (0, 3), (0, 4)]);
    }
}

#[test]
fn a_run_that_vanished_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = RunDir::open_or_create(&path, info()).unwrap();
    run.store(&pair(0, 1)).unwrap();
    // A sub-folder alone may come back.
    fs::remove_dir_all(path.join("pairs-v1")).unwrap();
    run.store(&pair(0, 1)).unwrap();
    fs::remove_file(path.join("run.json")).unwrap();
    assert!(matches!(run.store(&pair(0, 2)), Err(ArtifactError::Vanished { .. })));
    assert!(matches!(run.store_triggers(&triggers()), Err(ArtifactError::Vanished { .. })));
    fs::remove_dir_all(&path).unwrap();
    assert!(matches!(run.store(&pair(0, 2)), Err(ArtifactError::Vanished { .. })));
    assert!(matches!(run.sub_folder("evidence"), Err(ArtifactError::Vanished { .. })));
    assert!(!path.exists());
    // Another run in its place does not get the results of this one.
    RunDir::open_or_create(&path, new(8)).unwrap();
    assert!(matches!(run.store(&pair(0, 2)), Err(ArtifactError::OtherRun { .. })));
}

#[test]
fn something_else_in_the_place_of_a_sub_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::open_or_create(folder.path(), info()).unwrap();
    fs::write(folder.path().join("pairs-v1"), "a file").unwrap();
    assert!(matches!(run.store(&pair(0, 1)), Err(ArtifactError::NotAFolder { .. })));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_links() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (real, elsewhere) = (folder.path().join("real"), folder.path().join("elsewhere"));
    fs::create_dir(&real).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    // A run that is reached by a link is fine.
    let path = folder.path().join("link");
    symlink(&real, &path).unwrap();
    let run = RunDir::open_or_create(&path, info()).unwrap();
    run.store(&pair(0, 1)).unwrap();
    fs::remove_dir_all(real.join("pairs-v1")).unwrap();
    for (name, to) in [("pairs-v1", &elsewhere), ("triggers-v1", &elsewhere), ("evidence", &folder.path().join("none"))]
    {
        symlink(to, real.join(name)).unwrap();
        let error = run.sub_folder(name).unwrap_err();
        assert!(matches!(error, ArtifactError::Link { .. }) && error.to_string().contains(name), "{error}");
    }
    assert!(matches!(run.store(&pair(0, 1)), Err(ArtifactError::Link { .. })));
    assert!(matches!(run.store_triggers(&triggers()), Err(ArtifactError::Link { .. })));
    assert!(names(&elsewhere).is_empty() && !folder.path().join("none").exists());
}

#[test]
fn pairs_are_listed_in_order_and_by_their_names_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::open_or_create(folder.path(), info()).unwrap();
    assert!(run.stored_pairs().unwrap().is_empty());
    for (source, target) in [(9, 0), (0, 9), (0, 1), (3, 2)] {
        run.store(&pair(source, target)).unwrap();
    }
    for name in ["0001-0001.aeva", "0001-0010.aeva", "1-2.aeva", "00001-0002.aeva", "+001-0002.aeva", "x", ".writing-1"]
    {
        fs::write(folder.path().join("pairs-v1").join(name), "").unwrap();
    }
    assert_eq!(run.stored_pairs().unwrap(), [(0, 1), (0, 9), (3, 2), (9, 0)]);
}
