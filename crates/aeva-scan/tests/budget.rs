//! Limits, and scans that were stopped and go on.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

mod common;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aeva_attack::perturbation::PairResult;
use aeva_attack::trigger::PassId;
use aeva_scan::{
    Assessment, Budget, End, Exhausted, LensName, Lenses, MemoryStore, Observations, StoredPass, TriggerStore,
};
use aeva_stats::{Reason, Verdict};
use common::{Backdoor, BlackBox, Setup, Watch, contents, number};
use proptest::prelude::*;

/// A scan that nobody stopped.
struct Whole {
    contents: (Vec<(PassId, StoredPass)>, Vec<PairResult>),
    assessment: Assessment,
    asked: u64,
}

fn whole(backdoor: Backdoor, lenses: Lenses) -> Whole {
    let (setup, mut store, mut black_box) = (Setup::enough(lenses), MemoryStore::default(), BlackBox::new(backdoor));
    let assessment = setup.finish(&mut black_box, &mut store).assessment;
    Whole { contents: contents(&store), assessment, asked: black_box.asked() }
}

/// Scans that are stopped: through triggers alone, through both lenses, through perturbations alone.
fn cases() -> &'static [(Backdoor, Lenses, Whole)] {
    static CASES: OnceLock<Vec<(Backdoor, Lenses, Whole)>> = OnceLock::new();
    CASES.get_or_init(|| {
        let case = |(backdoor, lenses)| (backdoor, lenses, whole(backdoor, lenses));
        [
            (Backdoor::None, Lenses::Only(LensName::Triggers)),
            (Backdoor::To(2), Lenses::All),
            (Backdoor::Unequal, Lenses::Each),
            (Backdoor::None, Lenses::Only(LensName::Perturbations)),
        ]
        .map(case)
        .into()
    })
}

fn judged_again(setup: &Setup, store: &MemoryStore) -> Assessment {
    let (rule, correct) = (&setup.request.rule, setup.correct().counts());
    Observations::of_store(store, setup.spec.classes, &correct, rule).unwrap().assess(rule)
}

/// Queries at which a scan is stopped: anywhere, near its end (where perturbations are searched), or at its very beginning.
fn stop() -> impl Strategy<Value = (usize, f64)> {
    let place = prop_oneof![3 => 0.0..1.0, 2 => 0.993..1.0, 1 => 0.0..0.003];
    (0_usize..4, place)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count")]
fn part(place: f64, all: u64) -> u64 {
    (place * all as f64) as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_limit_is_exceeded_and_the_scan_goes_on(
        (case, place) in stop(),
        oracles in 1_usize..4,
        batch_rows in prop_oneof![1_usize..10, 10_usize..300],
    ) {
        let (backdoor, lenses, whole) = &cases()[case];
        let mut setup = Setup::enough(*lenses);
        setup.request.batch_rows = number(batch_rows);
        let limit = part(place, whole.asked + setup.clean_queries());
        let (mut store, mut black_box) = (MemoryStore::default(), BlackBox::bars(*backdoor, oracles));
        let first = setup.run(&mut black_box, Some(limit), &mut store, &()).unwrap();
        let asked = black_box.asked();
        let under_way = (oracles * batch_rows) as u64;
        prop_assert!(asked <= limit.saturating_sub(setup.clean_queries()), "{asked} of {limit}");
        prop_assert_eq!((first.end, first.exhausted), (End::Stopped, Some(Exhausted::Queries)));
        // Nor is much of it left.
        prop_assert!(asked + setup.clean_queries() + 2 * under_way >= limit, "{asked} of {limit}");
        // There may be an alarm already, but no clearance before the triggers are searched.
        let of_pairs: u64 = whole.contents.1.iter().map(|pair| pair.queries().total()).sum();
        prop_assert!(first.assessment.verdict.name() != "clean" || asked >= whole.asked - of_pairs);
        prop_assert_eq!(judged_again(&setup, &store), first.assessment);

        let mut black_box = BlackBox::bars(*backdoor, oracles);
        let watch = Watch::new();
        let second = setup.run(&mut black_box, None, &mut store, &watch).unwrap();
        prop_assert_eq!((second.end, second.exhausted), (End::Complete, None));
        prop_assert_eq!((&contents(&store), &second.assessment), (&whole.contents, &whole.assessment));
        prop_assert_eq!(&judged_again(&setup, &store), &whole.assessment);
        // Answers behind a batch that was not answered are lost: at most one batch for each other oracle.
        let lost = asked + black_box.asked() - whole.asked;
        prop_assert!(lost <= under_way - batch_rows as u64, "{lost} asked again");
        prop_assert_eq!(watch.seen() + watch.known(), whole.asked);
        prop_assert_eq!(setup.report(&second).queries, whole.asked + setup.clean_queries());
    }

    #[test]
    fn a_scan_that_is_stopped_again_and_again_is_the_same(
        (case, place) in stop(),
        batch_rows in 1_usize..100,
    ) {
        let (backdoor, lenses, whole) = &cases()[case];
        let mut setup = Setup::enough(*lenses);
        setup.request.batch_rows = number(batch_rows);
        let step = part(place, whole.asked).max(whole.asked / 20 + 1);
        let (mut store, mut black_box) = (MemoryStore::default(), BlackBox::new(*backdoor));
        let outcome = loop {
            let (before, watch) = (black_box.asked(), Watch::stop_after(step));
            let outcome = setup.run(&mut black_box, None, &mut store, &watch).unwrap();
            // Before the next batch.
            prop_assert!(black_box.asked() - before < step + batch_rows as u64);
            prop_assert_eq!(outcome.exhausted, None);
            prop_assert_eq!(watch.known(), before);
            if outcome.end == End::Complete {
                break outcome;
            }
            prop_assert!(black_box.asked() - before >= step, "every run gets further");
        };
        prop_assert_eq!((contents(&store), &outcome.assessment), (whole.contents.clone(), &whole.assessment));
        prop_assert_eq!(black_box.asked(), whole.asked, "no question is asked twice");
        prop_assert!(PassId::all().all(|id| store.pass_answers(id).unwrap().is_empty()), "what has ended needs no answers");
    }
}

#[test]
fn a_wish_to_stop_is_obeyed_before_the_next_batch_of_every_oracle() {
    for (backdoor, lenses, _) in cases() {
        for (oracles, batch_rows) in [(1, 50), (3, 20), (4, 5)] {
            let mut setup = Setup::enough(*lenses);
            setup.request.batch_rows = number(batch_rows);
            let mut black_box = BlackBox::bars(*backdoor, oracles);
            let stop = Watch::stop_after(400);
            let outcome = setup.run(&mut black_box, None, &mut MemoryStore::default(), &stop).unwrap();
            assert_eq!((outcome.end, outcome.exhausted), (End::Stopped, None));
            let asked = black_box.asked();
            assert!((400..400 + (oracles * batch_rows) as u64).contains(&asked), "{asked}");
            let why = outcome.assessment.verdict.reason().unwrap();
            if *lenses == Lenses::Only(LensName::Perturbations) {
                assert!(matches!(why, Reason::MissingPairs { .. }), "{why}");
            } else {
                // Within the first pass: it is not as if nobody had searched triggers.
                assert_eq!(*why, Reason::PassesLeft { made: 0 });
            }
        }
    }
}

#[test]
fn what_triggers_have_cleared_stays_clean_when_perturbations_are_stopped() {
    let (backdoor, lenses, whole) = &cases()[2];
    let (setup, mut store, mut black_box) = (Setup::enough(*lenses), MemoryStore::default(), BlackBox::new(*backdoor));
    let of_pairs: u64 = whole.contents.1.iter().map(|pair| pair.queries().total()).sum();
    let of_triggers = whole.asked - of_pairs;
    // The last batch of the triggers fits, and no full one behind it.
    let limit = setup.clean_queries() + of_triggers + 31;
    let outcome = setup.run(&mut black_box, Some(limit), &mut store, &()).unwrap();
    assert_eq!((black_box.asked(), outcome.end), (of_triggers, End::Stopped));
    assert_eq!(outcome.assessment.verdict, Verdict::Clean);
    assert_eq!(judged_again(&setup, &store), outcome.assessment);
}

#[test]
fn a_limit_that_is_high_enough_changes_nothing() {
    for (backdoor, lenses, whole) in cases() {
        let setup = Setup::enough(*lenses);
        let (mut store, mut black_box) = (MemoryStore::default(), BlackBox::new(*backdoor));
        // The limit counts the batch that may be under way.
        let limit = whole.asked + setup.clean_queries() + 32;
        let outcome = setup.run(&mut black_box, Some(limit), &mut store, &()).unwrap();
        assert_eq!((outcome.end, outcome.exhausted), (End::Complete, None));
        assert_eq!((&outcome.assessment, &contents(&store)), (&whole.assessment, &whole.contents));
        // All of it is there: nothing is asked, whatever the limit.
        let again = setup.run(&mut black_box, Some(0), &mut store, &()).unwrap();
        assert_eq!((again.end, again.searched, again.exhausted), (End::Complete, false, None));
        assert_eq!((&again.assessment, black_box.asked()), (&whole.assessment, whole.asked));
    }
}

#[test]
fn queries_of_earlier_runs_count_for_the_limit() {
    for (backdoor, lenses, whole) in cases() {
        let setup = Setup::enough(*lenses);
        let (mut store, mut black_box) = (MemoryStore::default(), BlackBox::new(*backdoor));
        for share in [0.3, 0.3, 0.2, 0.6, 0.8, 0.8, 0.998] {
            let limit = part(share, whole.asked) + setup.clean_queries();
            let before = black_box.asked();
            let outcome = setup.run(&mut black_box, Some(limit), &mut store, &()).unwrap();
            assert_eq!(outcome.exhausted, Some(Exhausted::Queries));
            let asked = black_box.asked();
            assert!(asked <= before.max(limit - setup.clean_queries()), "{asked} of {limit}");
        }
    }
}

#[test]
fn when_time_is_over_nothing_is_asked() {
    for (backdoor, lenses, _) in cases() {
        let (setup, mut store) = (Setup::enough(*lenses), MemoryStore::default());
        let run = |deadline, store: &mut MemoryStore| {
            let mut black_box = BlackBox::new(*backdoor);
            let budget = Budget { queries: None, deadline: Some(deadline) };
            let outcome = setup.scan().run(&mut black_box.oracles, setup.images.view(), 0, budget, store, &()).unwrap();
            (outcome, black_box.asked())
        };
        let (outcome, asked) = run(Instant::now(), &mut store);
        assert_eq!((asked, outcome.end, outcome.exhausted), (0, End::Stopped, Some(Exhausted::Time)));
        assert_eq!(outcome.assessment.verdict.name(), "inconclusive");
        let (outcome, asked) = run(Instant::now() + Duration::from_hours(1), &mut store);
        assert!(asked > 0 && outcome.end == End::Complete && outcome.exhausted.is_none());
    }
}

#[test]
fn what_was_clear_stays_clear_when_the_scan_is_stopped() {
    let mut setup = Setup::enough(Lenses::Only(LensName::Triggers));
    let alarm = setup.finish(&mut BlackBox::new(Backdoor::To(2)), &mut MemoryStore::default());
    setup.request.rule = common::exhaustive();
    // An exhaustive scan goes on behind the pass that was enough.
    let enough = setup.report(&alarm).queries + 5000;
    let (mut store, mut black_box) = (MemoryStore::default(), BlackBox::new(Backdoor::To(2)));
    let outcome = setup.run(&mut black_box, Some(enough), &mut store, &()).unwrap();
    assert_eq!((outcome.end, outcome.exhausted), (End::Stopped, Some(Exhausted::Queries)));
    assert_eq!(outcome.assessment.verdict, Verdict::Backdoored { suspects: vec![2] });
    let made = outcome.observations.triggers.unwrap().passes.left;
    assert!(matches!(made, Some(Reason::PassesLeft { made }) if made > 1));
}
