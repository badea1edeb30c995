//! Run folders and memory hold the same, and what is damaged or unfinished is searched.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use aeva_artifact::{ArtifactError, RunDir};
use aeva_attack::ScanError;
use aeva_scan::{
    Assessment, Budget, DecisionRule, Effort, End, Failure, LensName, Lenses, MemoryStore, Observations, Outcome,
    PerturbationStore, Store,
};
use aeva_stats::CombinedRule;
use common::{Backdoor, BlackBox, Setup, Watch, contents};

fn rules() -> [DecisionRule; 4] {
    let rule = |rate| CombinedRule::at_rate(rate).unwrap();
    [
        common::plain(),
        common::exhaustive(),
        DecisionRule::Combined { rule: rule(0.001), effort: Effort::Standard },
        DecisionRule::Published,
    ]
}

fn seen(setup: &Setup, store: &dyn Store) -> Result<Observations, ArtifactError> {
    Observations::of_store(store, setup.spec.classes, &setup.correct().counts(), &setup.request.rule)
}

fn judged(setup: &Setup, store: &dyn Store) -> Assessment {
    seen(setup, store).unwrap().assess(&setup.request.rule)
}

/// What a report has of it, apart from what is of the run.
fn text(setup: &Setup, observations: &Observations, assessment: &Assessment) -> String {
    let report = aeva_scan::Report::new(&setup.info(), observations, assessment, &setup.request.rule);
    serde_json::to_string(&report).unwrap()
}

#[test]
fn a_folder_and_memory_give_the_same_and_so_does_judging_again() {
    let [plain, exhaustive, strict, published] = rules();
    for (backdoor, lenses, rule) in [
        (Backdoor::Unequal, Lenses::Each, plain.clone()),
        (Backdoor::Unequal, Lenses::Each, published.clone()),
        (Backdoor::Unequal, Lenses::Only(LensName::Perturbations), plain),
        (Backdoor::None, Lenses::Only(LensName::Perturbations), published.clone()),
        (Backdoor::None, Lenses::Only(LensName::Triggers), exhaustive),
        (Backdoor::To(2), Lenses::Only(LensName::Triggers), published),
        (Backdoor::Pair(3, 0), Lenses::All, strict),
    ] {
        let mut setup = Setup::enough(lenses);
        setup.request.rule = rule.clone();
        let (mut of_memory, mut of_folder) = (BlackBox::new(backdoor), BlackBox::new(backdoor));
        let mut memory = MemoryStore::default();
        let first = setup.finish(&mut of_memory, &mut memory);
        let folder = tempfile::tempdir().unwrap();
        let mut run = setup.run_dir(folder.path());
        let second = setup.finish(&mut of_folder, &mut run);
        assert_eq!(of_memory.asked(), of_folder.asked());
        assert_eq!(contents(&memory), contents(&run), "{backdoor:?} {lenses:?} {rule:?}");
        assert_eq!(first.assessment, second.assessment);
        let text_of = |outcome: &Outcome| text(&setup, &outcome.observations, &outcome.assessment);
        assert_eq!(text_of(&first), text_of(&second));
        for store in [&memory as &dyn Store, &run, &RunDir::open(folder.path()).unwrap()] {
            let again = seen(&setup, store).unwrap();
            let assessment = again.assess(&rule);
            assert_eq!(assessment, first.assessment, "{backdoor:?} {lenses:?} {rule:?}");
            assert_eq!(text(&setup, &again, &assessment), text_of(&first));
        }
    }
}

/// The assessment that a scan of the same model would have ended with under another rule.
#[test]
fn an_exhaustive_scan_can_be_judged_by_every_rule() {
    let mut exhaustive = Setup::enough(Lenses::Only(LensName::Triggers));
    for backdoor in [Backdoor::None, Backdoor::To(2), Backdoor::Pair(3, 0)] {
        exhaustive.request.rule = rules()[1].clone();
        let mut store = MemoryStore::default();
        exhaustive.finish(&mut BlackBox::new(backdoor), &mut store);
        for rule in rules() {
            let mut setup = Setup::enough(Lenses::Only(LensName::Triggers));
            setup.request.rule = rule.clone();
            let own = setup.finish(&mut BlackBox::new(backdoor), &mut MemoryStore::default());
            assert_eq!(judged(&setup, &store), own.assessment, "{backdoor:?} {rule:?}");
        }
    }
}

#[test]
fn a_scan_goes_on_in_its_folder() {
    let setup = Setup::enough(Lenses::Each);
    let (mut memory, mut whole) = (MemoryStore::default(), BlackBox::new(Backdoor::Unequal));
    let outcome = setup.finish(&mut whole, &mut memory);
    // In the middle of passes, and in that of perturbations.
    let of_triggers = outcome.observations.triggers.as_ref().unwrap().passes.queries();
    let folder = tempfile::tempdir().unwrap();
    let mut black_box = BlackBox::new(Backdoor::Unequal);
    for place in [100, of_triggers / 3, of_triggers / 2, of_triggers + 200, of_triggers + 600] {
        let stop = Watch::stop_after(place - black_box.asked());
        let mut run = setup.run_dir(folder.path());
        let outcome = setup.run(&mut black_box, None, &mut run, &stop).unwrap();
        assert_eq!(outcome.end, End::Stopped);
        assert_eq!(run.has_begun_pairs(), place > of_triggers);
        assert_eq!(judged(&setup, &RunDir::open(folder.path()).unwrap()), outcome.assessment);
        assert!(folder.path().join("partial-v1").exists());
    }
    let mut run = setup.run_dir(folder.path());
    let last = setup.finish(&mut black_box, &mut run);
    assert_eq!((contents(&run), last.assessment), (contents(&memory), outcome.assessment));
    assert_eq!(black_box.asked(), whole.asked(), "no question is asked twice");
    assert!(!folder.path().join("partial-v1").exists());
}

/// Every file of a finished scan through both lenses.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["triggers-v1", "pairs-v1"]
        .into_iter()
        .flat_map(|name| fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path()))
        .collect();
    files.sort_unstable();
    files
}

#[test]
fn what_is_damaged_is_searched_anew_to_the_same_bytes_and_never_judged() {
    let setup = Setup::enough(Lenses::Each);
    let folder = tempfile::tempdir().unwrap();
    let mut run = setup.run_dir(folder.path());
    let whole = setup.finish(&mut BlackBox::new(Backdoor::Unequal), &mut run);
    let (passes, pairs) = contents(&run);
    let queries: Vec<u64> = (passes.iter().map(|(_, pass)| pass.result.queries))
        .chain(pairs.iter().map(|pair| pair.queries().total()))
        .collect();
    let paths: Vec<PathBuf> = (passes.iter().map(|(id, _)| run.trigger_path(*id)))
        .chain(pairs.iter().map(|pair| run.pair_path(pair.source, pair.target)))
        .collect();
    assert!(pairs.len() == 12 && files(folder.path()).len() == paths.len());
    for (number, (path, queries)) in paths.iter().zip(queries).enumerate() {
        let bytes = fs::read(path).unwrap();
        let damaged = match number % 3 {
            0 => bytes[..bytes.len() / 2].to_vec(),
            1 => Vec::new(),
            _ => bytes.iter().rev().copied().collect(),
        };
        fs::write(path, damaged).unwrap();
        let error = seen(&setup, &run).unwrap_err();
        assert!(matches!(&error, ArtifactError::Decode { path: named, .. } if named == path), "{error}");
        let mut black_box = BlackBox::new(Backdoor::Unequal);
        let again = setup.finish(&mut black_box, &mut run);
        assert_eq!((black_box.asked(), again.searched), (queries, true), "{}", path.display());
        assert_eq!(again.assessment, whole.assessment);
        assert!(fs::read(path).unwrap() == bytes, "{}", path.display());
    }
}

#[test]
fn damaged_answers_are_asked_anew() {
    let setup = Setup::enough(Lenses::Each);
    let mut memory = MemoryStore::default();
    let whole = setup.finish(&mut BlackBox::new(Backdoor::Unequal), &mut memory);
    let of_triggers = whole.observations.triggers.as_ref().unwrap().passes.queries();
    for place in [100, of_triggers + 200] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = setup.run_dir(folder.path());
        let stop = Watch::stop_after(place);
        setup.run(&mut BlackBox::new(Backdoor::Unequal), None, &mut run, &stop).unwrap();
        let (kept, pairs) = contents(&run);
        let finished = kept.iter().map(|(_, pass)| pass.result.queries).sum::<u64>()
            + pairs.iter().map(|pair| pair.queries().total()).sum::<u64>();
        let answers: Vec<PathBuf> =
            fs::read_dir(folder.path().join("partial-v1")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(answers.len() == 1 && finished < place);
        fs::write(&answers[0], b"no answers").unwrap();
        let stopped = seen(&setup, &run).unwrap().assess(&setup.request.rule);
        let of_passes = place < of_triggers;
        assert_eq!(stopped.verdict.name() == "inconclusive", of_passes, "passes that were begun have not ended");
        let mut black_box = BlackBox::new(Backdoor::Unequal);
        let again = setup.finish(&mut black_box, &mut run);
        let all = setup.report(&whole).queries - setup.clean_queries();
        assert_eq!((black_box.asked(), again.assessment), (all - finished, whole.assessment.clone()));
        assert_eq!(contents(&run), contents(&memory));
    }
}

#[test]
fn what_was_finished_outlives_a_model_that_fails() {
    let setup = Setup::enough(Lenses::Each);
    let (mut memory, mut whole) = (MemoryStore::default(), BlackBox::new(Backdoor::Unequal));
    let reference = setup.finish(&mut whole, &mut memory);
    let (passes, _) = contents(&memory);
    let batches = whole.batches();
    // At once, within the first pass, in the middle, within the perturbations.
    for good in [0, 3, batches / 2, batches - 5] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = setup.run_dir(folder.path());
        let mut failing = BlackBox::bars_that_fail(Backdoor::Unequal, good);
        let failure = setup.run(&mut failing, None, &mut run, &()).unwrap_err();
        assert!(matches!(failure, Failure::Scan(ScanError::Oracle(_))), "{failure}");
        assert_eq!(failing.batches(), good);
        let (kept, _) = contents(&run);
        assert!(kept.iter().all(|pass| passes.contains(pass)));
        assert_eq!((kept.is_empty(), kept.len() == passes.len()), (good <= 3, good == batches - 5));
        let mut black_box = BlackBox::new(Backdoor::Unequal);
        let outcome = setup.finish(&mut black_box, &mut run);
        assert_eq!((contents(&run), &outcome.assessment), (contents(&memory), &reference.assessment));
        assert_eq!(failing.asked() + black_box.asked(), whole.asked(), "no question is asked twice");
    }
}

#[test]
fn a_run_that_cannot_begin_keeps_the_answers() {
    let setup = Setup::enough(Lenses::Only(LensName::Perturbations));
    let (mut store, mut black_box) = (MemoryStore::default(), BlackBox::new(Backdoor::None));
    setup.run(&mut black_box, None, &mut store, &Watch::stop_after(300)).unwrap();
    let (answers, asked) = (store.pair_answers().unwrap(), black_box.asked());
    assert!(answers.values().any(|answers| !answers.is_empty()));
    // Columns come before rows in memory.
    let mut transposed = setup.images.clone();
    transposed.swap_axes(1, 2);
    let images = transposed.view();
    let failure = setup.scan().run(&mut black_box.oracles, images, 0, Budget::default(), &mut store, &()).unwrap_err();
    assert!(matches!(failure, Failure::Scan(ScanError::Layout)), "{failure}");
    assert_eq!((store.pair_answers().unwrap(), black_box.asked()), (answers, asked));
}
