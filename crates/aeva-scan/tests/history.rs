//! What else is in a run folder does not change the verdict: passes of other rules, of other versions, of other images, and
//! perturbations of other parameters.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

mod common;

use aeva_artifact::{AnsweredSearch, PartialAnswers, RunDir, TriggerArtifact, WorkProvenance};
use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::trigger::{Pass, PassId, TRIGGER_SEARCH_VERSION};
use aeva_scan::{
    Assessment, DecisionRule, LensName, Lenses, MemoryStore, Observations, Outcome, Store, StoredPass, TriggerStore,
};
use aeva_stats::{Reason, Verdict};
use common::{Backdoor, BlackBox, Setup, Watch, contents};

fn seen(setup: &Setup, store: &dyn Store) -> Observations {
    let (rule, correct) = (&setup.request.rule, setup.correct().counts());
    Observations::of_store(store, setup.spec.classes, &correct, rule).unwrap()
}

fn judged(setup: &Setup, store: &dyn Store) -> Assessment {
    seen(setup, store).assess(&setup.request.rule)
}

/// Passes that count, and why they are not all.
fn counted(setup: &Setup, store: &dyn Store) -> (usize, Option<Reason>) {
    let passes = seen(setup, store).triggers.unwrap().passes;
    (passes.made.len(), passes.left)
}

/// A scan for triggers alone, plain or exhaustive.
fn setup(rule: DecisionRule) -> Setup {
    let mut setup = Setup::enough(Lenses::Only(LensName::Triggers));
    setup.request.rule = rule;
    setup
}

/// The passes that a finished exhaustive scan leaves.
fn all_passes_of(backdoor: Backdoor) -> Vec<(PassId, StoredPass)> {
    let mut store = MemoryStore::default();
    setup(common::exhaustive()).finish(&mut BlackBox::new(backdoor), &mut store);
    contents(&store).0
}

fn store_passes(run: &RunDir, passes: &[(PassId, StoredPass)], version: u32) {
    for (id, StoredPass { shape, result, .. }) in passes {
        run.store_triggers(&TriggerArtifact {
            provenance: run.info().provenance.clone(),
            trigger_search_version: version,
            id: *id,
            shape: *shape,
            result: result.clone(),
        })
        .unwrap();
    }
}

#[test]
fn what_a_plain_scan_would_not_have_done_does_not_count() {
    let (plain, exhaustive) = (setup(common::plain()), setup(common::exhaustive()));
    for backdoor in [Backdoor::Unequal, Backdoor::To(2)] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = plain.run_dir(folder.path());
        let mut black_box = BlackBox::new(backdoor);
        let of_plain = plain.finish(&mut black_box, &mut run).assessment;
        let (made, _) = counted(&plain, &run);
        assert_eq!((contents(&run).0.len(), counted(&plain, &run)), (made, (made, None)));
        // For an exhaustive scan something is missing, which takes a clearance and no alarm.
        assert_eq!(counted(&exhaustive, &run), (made, Some(Reason::PassesLeft { made })));
        let early = judged(&exhaustive, &run).verdict;
        assert_eq!(early.name(), if backdoor == Backdoor::Unequal { "inconclusive" } else { "backdoored" });

        let asked = black_box.asked();
        let of_all = exhaustive.finish(&mut black_box, &mut run).assessment;
        assert!(black_box.asked() > asked && contents(&run).0.len() > made);
        let mut alone = BlackBox::new(backdoor);
        assert_eq!(exhaustive.finish(&mut alone, &mut MemoryStore::default()).assessment, of_all);
        assert_eq!(alone.asked(), black_box.asked(), "passes of the plain scan are those of the exhaustive one");

        assert_eq!((judged(&plain, &run), counted(&plain, &run)), (of_plain.clone(), (made, None)));
        let again = plain.finish(&mut black_box, &mut run);
        assert_eq!((again.searched, black_box.asked()), (false, alone.asked()));
        assert_eq!(again.assessment, of_plain);
    }
}

#[test]
fn an_alarm_beyond_a_plain_scan_is_none_for_it() {
    let (plain, exhaustive) = (setup(common::plain()), setup(common::exhaustive()));
    let folder = tempfile::tempdir().unwrap();
    let mut run = plain.run_dir(folder.path());
    let clean = plain.finish(&mut BlackBox::new(Backdoor::None), &mut run);
    assert_eq!(clean.assessment.verdict, Verdict::Clean);
    let refined: Vec<(PassId, StoredPass)> =
        all_passes_of(Backdoor::To(2)).into_iter().filter(|(id, _)| id.pass == Pass::Refine).collect();
    store_passes(&run, &refined, TRIGGER_SEARCH_VERSION);
    assert_eq!(judged(&plain, &run), clean.assessment);
    assert_eq!(judged(&exhaustive, &run).verdict, Verdict::Backdoored { suspects: vec![2] });
}

/// The passes of a scan, in its order.
fn order_of(outcome: &Outcome) -> Vec<PassId> {
    outcome.observations.triggers.as_ref().unwrap().results.iter().map(|(id, _)| *id).collect()
}

#[test]
fn passes_of_another_version_are_never_judged_nor_continued() {
    let plain = setup(common::plain());
    // An alarm, if it counted.
    let old = all_passes_of(Backdoor::To(2));
    let folder = tempfile::tempdir().unwrap();
    let mut run = plain.run_dir(folder.path());
    store_passes(&run, &old, TRIGGER_SEARCH_VERSION - 1);
    assert_eq!(counted(&plain, &run), (0, Some(Reason::PassesLeft { made: 0 })));
    assert_eq!(judged(&plain, &run).verdict, Verdict::Inconclusive { why: Reason::PassesLeft { made: 0 } });

    let (mut memory, mut alone) = (MemoryStore::default(), BlackBox::new(Backdoor::None));
    let clean = plain.finish(&mut alone, &mut memory);
    let order = order_of(&clean);
    let (mut fresh, _) = contents(&memory);
    fresh.sort_by_key(|(id, _)| order.iter().position(|other| other == id));
    // Some are made anew, the rest is as it was: those behind a gap do not count either.
    store_passes(&run, &fresh[..1], TRIGGER_SEARCH_VERSION);
    store_passes(&run, &fresh[3..4], TRIGGER_SEARCH_VERSION);
    assert_eq!(counted(&plain, &run), (1, Some(Reason::PassesLeft { made: 1 })));

    let mut black_box = BlackBox::new(Backdoor::None);
    let outcome = plain.finish(&mut black_box, &mut run);
    assert_eq!(outcome.assessment, clean.assessment);
    let had: u64 = [&fresh[0], &fresh[3]].map(|(_, pass)| pass.result.queries).iter().sum();
    assert_eq!(black_box.asked(), alone.asked() - had);
    assert_eq!(judged(&plain, &run), clean.assessment);
    // What the scan did not need is still there, and still does not count.
    assert!(contents(&run).0.len() > fresh.len());
}

#[test]
fn answers_of_another_version_are_never_continued() {
    let plain = setup(common::plain());
    let folder = tempfile::tempdir().unwrap();
    let mut run = plain.run_dir(folder.path());
    let mut black_box = BlackBox::new(Backdoor::None);
    plain.run(&mut black_box, None, &mut run, &Watch::stop_after(500)).unwrap();
    let (mut memory, mut alone) = (MemoryStore::default(), BlackBox::new(Backdoor::None));
    let whole = plain.finish(&mut alone, &mut memory);
    let first: PassId = whole.observations.triggers.as_ref().unwrap().results[0].0;
    let answers = run.pass_answers(first).unwrap();
    assert!(answers.len() as u64 == black_box.asked() && !answers.is_empty());
    for (version, wrong_labels) in [(TRIGGER_SEARCH_VERSION - 1, false), (TRIGGER_SEARCH_VERSION, true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = plain.run_dir(folder.path());
        // A label that the model does not know is no answer of it.
        let answers = answers.iter().map(|&label| if wrong_labels { label + 4 } else { (label + 1) % 4 }).collect();
        let partial = PartialAnswers {
            provenance: WorkProvenance::Run(run.info().provenance.clone()),
            search_version: version,
            work: first.to_string(),
            searches: vec![AnsweredSearch { id: [0; 3], answers }],
        };
        run.store_partial(&partial).unwrap();
        let mut black_box = BlackBox::new(Backdoor::None);
        let outcome = plain.finish(&mut black_box, &mut run);
        assert_eq!((black_box.asked(), outcome.assessment), (alone.asked(), whole.assessment.clone()));
        assert_eq!(contents(&run), contents(&memory));
    }
}

#[test]
fn passes_over_other_images_are_never_judged_nor_continued() {
    let plain = setup(common::plain());
    let (mut fresh, mut alone) = (MemoryStore::default(), BlackBox::new(Backdoor::None));
    let clean = plain.finish(&mut alone, &mut fresh);
    let (mut store, infected) = (fresh.clone(), all_passes_of(Backdoor::To(2)));
    // Everything but the baseline, with an alarm in it.
    for (id, StoredPass { result, .. }) in &infected[1..] {
        store.store_pass(*id, [8, 4, 2], result).unwrap();
    }
    assert_eq!(counted(&plain, &store), (0, Some(Reason::PassesLeft { made: 0 })), "the baseline comes later");
    assert_eq!(judged(&plain, &store).verdict.name(), "inconclusive");
    let mut black_box = BlackBox::new(Backdoor::None);
    let outcome = plain.finish(&mut black_box, &mut store);
    let first = contents(&fresh).0[0].1.result.queries;
    assert_eq!((black_box.asked(), &outcome.assessment), (alone.asked() - first, &clean.assessment));
    assert_eq!(judged(&plain, &store), clean.assessment);
}

#[test]
fn other_parameters_of_the_perturbations_leave_the_triggers_as_they_are() {
    let first = Setup::enough(Lenses::Each);
    let mut second = Setup::enough(Lenses::Each);
    let params = HopSkipJumpBuilder { iterations: 4, ..*first.request.perturbations.params.get() };
    second.request.perturbations.params = params.check().unwrap();
    let folder = tempfile::tempdir().unwrap();

    let mut run = first.run_dir(folder.path());
    let of_first = first.finish(&mut BlackBox::new(Backdoor::Unequal), &mut run).assessment;
    let before = contents(&run);
    assert!(run.perturbation_folders().unwrap().is_empty() && before.1.len() == 12);

    let mut run = second.run_dir(folder.path());
    let mut black_box = BlackBox::new(Backdoor::Unequal);
    let outcome = second.finish(&mut black_box, &mut run);
    assert_eq!(black_box.asked(), outcome.observations.perturbations.queries.total(), "no trigger is searched again");
    let after = contents(&run);
    assert_eq!((&after.0, after.1.len()), (&before.0, 12));
    assert_ne!(after.1, before.1);
    let (mut memory, mut alone) = (MemoryStore::default(), BlackBox::new(Backdoor::Unequal));
    assert_eq!(second.finish(&mut alone, &mut memory).assessment, outcome.assessment);
    assert_eq!(contents(&memory), after);

    // Each is judged by its own, wherever it was opened from.
    let folders = run.perturbation_folders().unwrap();
    assert_eq!(folders.len(), 1);
    let opened = RunDir::open(folder.path()).unwrap();
    assert_eq!((contents(&opened), judged(&first, &opened)), (before, of_first));
    let key = folders[0].rsplit_once('-').unwrap().1;
    let opened = opened.with_perturbations(key).unwrap();
    assert_eq!((contents(&opened), judged(&second, &opened)), (after, outcome.assessment));
    assert_eq!(opened.info().perturbations, second.info().perturbations);
}
