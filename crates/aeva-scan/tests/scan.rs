//! Whole scans of black boxes whose answer is known.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests stop at what is unexpected")]

mod common;

use aeva_attack::synthetic::{NearestCentre, Trigger};
use aeva_attack::{HopSkipJumpBuilder, InputSpec};
use aeva_scan::report::AttackKind;
use aeva_scan::{DecisionRule, Effort, End, LeftOut, LensName, Lenses, MemoryStore, Outcome};
use aeva_stats::{Reason, TargetMap, Verdict};
use common::{Backdoor, BlackBox, Setup, Watch, contents, number, request};
use ndarray::Array4;

fn scanned(backdoor: Backdoor, lenses: Lenses) -> (Setup, Outcome) {
    let setup = Setup::enough(lenses);
    let outcome = setup.finish(&mut BlackBox::new(backdoor), &mut MemoryStore::default());
    (setup, outcome)
}

#[test]
fn every_kind_of_backdoor_is_found_and_named() {
    let all: Vec<usize> = (0..4).collect();
    for (backdoor, suspects, kind, source) in [
        (Backdoor::To(2), vec![2], AttackKind::AllToOne, None),
        (Backdoor::Pair(3, 0), vec![0], AttackKind::SourceSpecific, Some(3)),
        (Backdoor::Next, all, AttackKind::AllToAll, None),
    ] {
        let (setup, outcome) = scanned(backdoor, Lenses::All);
        assert_eq!(outcome.assessment.verdict, Verdict::Backdoored { suspects: suspects.clone() }, "{backdoor:?}");
        assert_eq!((outcome.end, outcome.exhausted, outcome.searched), (End::Complete, None, true));
        let report = setup.report(&outcome);
        let attack = report.attack.as_ref().unwrap();
        assert_eq!((attack.kind, &attack.targets, attack.source), (kind, &suspects, source), "{backdoor:?}");
        let maps: Vec<TargetMap> =
            report.lenses.triggers.as_ref().unwrap().found.iter().map(|found| found.target_map).collect();
        assert_eq!(maps.len(), 1, "{maps:?}");
        // What is clear takes no perturbations.
        assert!(!outcome.observations.perturbations.begun && report.lenses.perturbations.pairs.is_empty());
    }
}

#[test]
fn a_clean_black_box_is_clean() {
    for lenses in [Lenses::All, Lenses::Only(LensName::Triggers)] {
        let (setup, outcome) = scanned(Backdoor::None, lenses);
        assert_eq!(outcome.assessment.verdict, Verdict::Clean);
        assert_eq!((outcome.end, setup.report(&outcome).attack), (End::Complete, None));
        assert!(setup.scan().notes().is_empty(), "{:?}", setup.scan().notes());
    }
}

/// A model may hide a backdoor by giving no label to images with a trigger. The scan goes on, but does not clear it.
#[test]
fn a_model_that_gives_no_labels_is_not_cleared() {
    let (setup, outcome) = scanned(Backdoor::Silent, Lenses::Only(LensName::Triggers));
    let passes = &outcome.observations.triggers.as_ref().unwrap().passes;
    let (images, of) = (passes.unlabelled(), passes.queries());
    assert!(outcome.end == End::Complete && images > of / 100 && images < of / 2, "{images} of {of}");
    let why = Reason::Unlabelled { images, of };
    assert_eq!(outcome.assessment.verdict, Verdict::Inconclusive { why });
    let notes = setup.report(&outcome).notes;
    assert!(notes.iter().any(|note| note.contains(&format!("{images} of {of} images"))), "{notes:?}");
}

/// Triggers leave this verdict open: label 3 is easier to reach than the others, but not by far.
#[test]
fn perturbations_are_searched_besides_triggers_where_they_are_asked_for() {
    let (setup, outcome) = scanned(Backdoor::Unequal, Lenses::Each);
    let seen = &outcome.observations.perturbations;
    assert!(seen.begun && seen.pairs.len() == 12 && seen.pairs.iter().all(|pair| pair.score.is_some()));
    assert_eq!(outcome.assessment.verdict, Verdict::Clean);
    let report = setup.report(&outcome);
    assert_eq!((report.lenses.perturbations.labels.len(), report.lenses.perturbations.pairs.len()), (4, 12));
    // Asked for alone, the triggers are the same and decide alone.
    let (_, alone) = scanned(Backdoor::Unequal, Lenses::Only(LensName::Triggers));
    assert!(!alone.observations.perturbations.begun);
    assert_eq!(alone.assessment.triggers, outcome.assessment.triggers);
    // By default, they are left alone.
    let (_, default) = scanned(Backdoor::Unequal, Lenses::All);
    assert!(!default.observations.perturbations.begun && default.assessment == alone.assessment);
}

/// Seven classes of 8 x 8 images with four channels, each around a centre.
const CENTRES: InputSpec = InputSpec { height: 8, width: 8, channels: 4, classes: 7 };

fn centre(class: usize, value: usize) -> f64 {
    0.5 + 0.3 * ((class + 1) as f64 * 12.9898 + value as f64 * 78.233).sin()
}

fn nearest_centre(infected: bool) -> NearestCentre {
    let centres = (0..7).map(|class| (0..CENTRES.values()).map(|value| centre(class, value)).collect());
    let clean = NearestCentre::new(CENTRES, centres.collect());
    let trigger = Trigger { rows: (6, 8), columns: (6, 8), gain: 48.0, target: 2 };
    if infected { clean.with_trigger(trigger) } else { clean }
}

#[test]
fn perturbations_show_what_peaks_by_the_published_rule() {
    let images = Array4::from_shape_fn((14, 8, 8, 4), |(n, h, w, c)| {
        let value = (h * 8 + w) * 4 + c;
        (centre(n % 7, value) + 0.04 * ((n * 37 + value * 11) as f64).sin()).clamp(0.0, 1.0) as f32
    });
    let labels: Vec<u32> = (0..14).map(|n| n % 7).collect();
    for infected in [true, false] {
        let mut request = request(Lenses::Only(LensName::Perturbations), HopSkipJumpBuilder::quick(CENTRES.values()));
        request.rule = DecisionRule::Published;
        let setup = Setup::of(&mut nearest_centre(infected), images.clone(), labels.clone(), request);
        let mut black_box = BlackBox::several(2, || nearest_centre(infected));
        let outcome = setup.finish(&mut black_box, &mut MemoryStore::default());
        let report = setup.report(&outcome);
        assert!(
            outcome.observations.triggers.is_none() && report.lenses.triggers.is_none() && report.p_value.is_none()
        );
        assert_eq!(black_box.asked(), report.queries - setup.clean_queries());
        if infected {
            assert_eq!((report.verdict, report.suspects[0]), ("backdoored", 2));
            assert_eq!(report.attack.unwrap().kind, AttackKind::Undetermined);
        } else {
            assert_eq!((report.verdict, report.attack), ("clean", None));
        }
    }
}

#[test]
fn every_query_is_counted_and_no_other() {
    for (backdoor, oracles, batch_rows) in
        [(Backdoor::None, 1, 32), (Backdoor::To(1), 3, 7), (Backdoor::Unequal, 2, 50), (Backdoor::Unequal, 1, 1000)]
    {
        let mut setup = Setup::enough(Lenses::Each);
        setup.request.batch_rows = number(batch_rows);
        let (mut black_box, watch) = (BlackBox::bars(backdoor, oracles), Watch::new());
        let outcome = setup.run(&mut black_box, None, &mut MemoryStore::default(), &watch).unwrap();
        let report = setup.report(&outcome);
        let asked = black_box.asked();
        assert_eq!((report.queries - setup.clean_queries(), watch.seen(), watch.known()), (asked, asked, 0));
        let phases = &report.queries_by_phase;
        assert_eq!(phases.clean + phases.lenses.triggers + phases.lenses.perturbations.total(), report.queries);
        assert!(phases.lenses.perturbations.total() > 0);
    }
}

#[test]
fn oracles_batches_and_threads_change_nothing() {
    let scanned = |oracles, batch_rows, threads| {
        let mut setup = Setup::enough(Lenses::Each);
        (setup.request.batch_rows, setup.request.threads) = (number(batch_rows), number(threads));
        let mut store = MemoryStore::default();
        let outcome = setup.finish(&mut BlackBox::bars(Backdoor::Unequal, oracles), &mut store);
        (contents(&store), outcome.assessment)
    };
    let reference = scanned(1, 32, 1);
    assert!(reference.0.0.len() > 5 && reference.0.1.len() == 12);
    assert_eq!(scanned(3, 7, 1), reference);
    assert_eq!(scanned(1, 500, 3), reference);
}

#[test]
fn what_cannot_be_judged_is_said_before_the_first_query() {
    let searches = |setup: &Setup| {
        let mut black_box = BlackBox::new(Backdoor::None);
        let outcome = setup.finish(&mut black_box, &mut MemoryStore::default());
        assert_eq!(black_box.asked(), outcome.observations.perturbations.queries.total());
        assert!(outcome.observations.triggers.is_none());
        (outcome.assessment.verdict.reason().cloned(), black_box.asked())
    };
    // Two hold-out images of each label: six for a trigger.
    let few = |lenses| Setup::bars(lenses, [4; 4]);
    let reason = Reason::TooFewImages { found: 6, needed: 20 };
    let scan = few(Lenses::Only(LensName::Triggers)).scan();
    assert_eq!(scan.limits().no_verdict, Some(reason.clone()));
    assert_eq!(scan.notes(), [format!("{reason}: triggers are not searched")]);
    assert_eq!(searches(&few(Lenses::Only(LensName::Triggers))), (Some(reason.clone()), 0));
    assert!(few(Lenses::Only(LensName::Perturbations)).scan().notes().is_empty(), "nobody asked for triggers");
    // Perturbations may still raise an alarm.
    let (with_perturbations, asked) = searches(&few(Lenses::All));
    assert_eq!(with_perturbations, Some(reason));
    assert!(asked > 0);

    let one_class = |lenses| Setup::bars(lenses, [60, 0, 0, 0]);
    let reason = Reason::TooFewClasses { found: 1, needed: 3 };
    for lenses in [Lenses::Only(LensName::Triggers), Lenses::All] {
        let scan = one_class(lenses).scan();
        assert_eq!(scan.limits().no_verdict, Some(reason.clone()));
        assert_eq!(!scan.left_out().is_empty(), lenses == Lenses::All);
        let notes = scan.notes();
        assert_eq!(notes.last().unwrap(), &format!("{reason}: triggers are not searched"));
        assert_eq!(notes.len(), if lenses == Lenses::All { 2 } else { 1 });
        assert_eq!(searches(&one_class(lenses)), (Some(reason.clone()), 0));
    }

    // An alarm is possible, a clearance is not: few images of other labels for label 0.
    let unequal = Setup::bars(Lenses::Only(LensName::Triggers), [60, 6, 6, 6]);
    let reason = Reason::TooFewImages { found: 9, needed: 20 };
    let limits = unequal.scan().limits().clone();
    assert_eq!((limits.no_verdict, limits.no_clearance), (None, Some(reason.clone())));
    assert_eq!(unequal.scan().notes(), [format!("{reason}: an alarm is possible, a clean verdict is not")]);
    let outcome = unequal.finish(&mut BlackBox::new(Backdoor::None), &mut MemoryStore::default());
    assert_eq!(outcome.assessment.verdict, Verdict::Inconclusive { why: reason });
}

/// Label 1 has six hold-out images, which are too few for a pair of labels.
#[test]
fn a_report_says_which_pairs_of_labels_cannot_be_tested() {
    let notes = |counts| {
        let setup = Setup::bars(Lenses::Only(LensName::Triggers), counts);
        let outcome = setup.finish(&mut BlackBox::new(Backdoor::None), &mut MemoryStore::default());
        let notes = setup.report(&outcome).notes;
        notes.into_iter().filter(|note| note.contains("source-specific")).collect::<Vec<String>>()
    };
    let few = notes([40, 12, 40, 40]);
    assert!(few.len() == 1 && few[0].contains("of 1 of 4 labels"), "{few:?}");
    assert!(notes([40; 4]).is_empty());
}

/// Two labels by brightness.
#[test]
fn of_two_labels_nothing_is_asked() {
    let spec = InputSpec { height: 4, width: 4, channels: 1, classes: 2 };
    let oracle = || NearestCentre::new(spec, vec![vec![0.1; 16], vec![0.9; 16]]);
    let images = Array4::from_shape_fn((120, 4, 4, 1), |(image, ..)| [0.1, 0.9][image % 2]);
    let labels: Vec<u32> = (0..120).map(|image| image % 2).collect();
    let reason = Reason::TooFewLabels { found: 2, needed: 3 };
    for lenses in [Lenses::All, Lenses::Only(LensName::Triggers)] {
        let request = request(lenses, HopSkipJumpBuilder::quick(16));
        let setup = Setup::of(&mut oracle(), images.clone(), labels.clone(), request);
        let scan = setup.scan();
        assert_eq!(scan.limits().no_verdict, Some(reason.clone()));
        assert_eq!(scan.notes(), [format!("{reason}: triggers are not searched")]);
        assert_eq!(scan.estimate(120, 120, 100.0, 1).queries, (120, 120));
        let mut black_box = BlackBox::several(1, oracle);
        let outcome = setup.finish(&mut black_box, &mut MemoryStore::default());
        assert_eq!((black_box.asked(), outcome.searched), (0, false));
        assert_eq!(outcome.assessment.verdict, Verdict::Inconclusive { why: reason.clone() });
    }
}

#[test]
fn perturbations_beyond_their_budget_are_left_out() {
    let mut setup = Setup::enough(Lenses::Each);
    assert!(setup.scan().left_out().is_empty());
    setup.request.perturbations.budget = 10;
    let scan = setup.scan();
    assert!(
        matches!(scan.left_out(), [(LensName::Perturbations, LeftOut::Budget { expected, budget: 10 })] if *expected > 10)
    );
    assert_eq!(scan.notes().len(), 1);
    let outcome = setup.finish(&mut BlackBox::new(Backdoor::Unequal), &mut MemoryStore::default());
    assert!(!outcome.observations.perturbations.begun);
    // By default they are not even planned, where triggers can be measured.
    setup.request.lenses = Lenses::All;
    assert!(setup.scan().left_out().is_empty() && setup.scan().precision_plan().is_none());
    // Asked for alone, they have no such limit.
    setup.request.lenses = Lenses::Only(LensName::Perturbations);
    assert!(setup.scan().left_out().is_empty());
}

#[test]
fn a_scan_takes_what_was_estimated() {
    for effort in Effort::ALL {
        let mut setup = Setup::enough(Lenses::Only(LensName::Triggers));
        let DecisionRule::Combined { rule, .. } = common::plain() else { unreachable!() };
        setup.request.rule = DecisionRule::Combined { rule, effort };
        let scan = setup.scan();
        let estimate = scan.estimate(setup.labels.len(), setup.clean_queries(), 1000.0, 1);
        let mut black_box = BlackBox::new(Backdoor::None);
        let outcome = setup.finish(&mut black_box, &mut MemoryStore::default());
        let (least, most) = estimate.queries;
        let taken = black_box.asked() + setup.clean_queries();
        // On images of 8 x 8 grey pixels, many triggers are the same or change nothing, and are not asked about.
        assert!(least / 3 <= taken && taken <= 2 * most, "{taken} queries, estimated {least} to {most}");
        let passes = outcome.observations.triggers.unwrap().passes.made.len();
        let refining = if effort == Effort::Exhaustive { estimate.work.triggers.refining_passes } else { 0 };
        assert_eq!(passes, estimate.work.triggers.exploring_passes + refining);
    }
    // One search for perturbations takes what it is expected to.
    let setup = Setup::enough(Lenses::Only(LensName::Perturbations));
    let estimate = setup.scan().estimate(setup.labels.len(), 0, 1000.0, 1);
    let mut black_box = BlackBox::new(Backdoor::None);
    setup.finish(&mut black_box, &mut MemoryStore::default());
    assert_eq!((estimate.work.perturbations.perturbation_searches, estimate.queries.0), (12, estimate.queries.1));
    assert!((estimate.queries.0 / 2..=2 * estimate.queries.0).contains(&black_box.asked()));
}
