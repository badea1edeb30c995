//! The trigger search on black boxes whose triggers are known.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aeva_attack::trigger::{
    ImageSplit, Pass, PassId, PassResult, Setting, TRIGGER_QUERIES_VERSION, TRIGGER_SEARCH_VERSION, Trigger,
    TriggerFinding, TriggerSearch, WarmStart,
};
use aeva_attack::{CorrectImages, HardLabelOracle, InputSpec, Label, OracleError, ScanError, ScanObserver};
use aeva_stats::{Family, PairTally, TargetMap};
use ndarray::{Array4, ArrayView3, ArrayView4, Axis};

const SIDE: usize = 8;
const CLASSES: u32 = 4;

/// What a backdoor does to the label.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Backdoor {
    None,
    To(Label),
    /// From one label to another.
    Pair(Label, Label),
    Next,
    /// Any change from column to column of at least a sixteenth leads to this label.
    Rough(Label),
    /// The same, but only from one label to another.
    RoughPair(Label, Label),
    /// Bars that reach a pixel further to the right, by three tenths of their brightness, lead to this label.
    Stretched(Label),
}

/// Images show a bright bar in the row of their label. The backdoor opens when the mean of the lower right 2 x 2 pixels
/// is above 0.8.
struct Bars {
    spec: InputSpec,
    backdoor: Backdoor,
    asked: Arc<AtomicU64>,
}

impl HardLabelOracle for Bars {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        for image in batch.outer_iter() {
            let bar = |label: u32| (0..SIDE - 2).map(|column| image[[2 * label as usize, column, 0]]).sum::<f32>();
            let plain = (0..CLASSES).max_by(|&a, &b| bar(a).total_cmp(&bar(b))).unwrap();
            let corner = (SIDE - 2..SIDE).flat_map(|row| (SIDE - 2..SIDE).map(move |column| (row, column)));
            let open = corner.map(|(row, column)| image[[row, column, 0]]).sum::<f32>() > 3.2;
            let step = |row: usize, column: usize| (image[[row, column, 0]] - image[[row, column + 1, 0]]).abs();
            let steps = (0..SIDE).map(|row| (0..SIDE - 1).map(|column| step(row, column)).sum::<f32>()).sum::<f32>();
            let stretched = (0..CLASSES).any(|label| image[[2 * label as usize, SIDE - 2, 0]] > 0.35);
            labels.push(match self.backdoor {
                Backdoor::Stretched(label) if stretched => label,
                Backdoor::Rough(label) if steps > 1.5 => label,
                Backdoor::RoughPair(from, to) if steps > 1.5 && plain == from => to,
                Backdoor::To(label) if open => label,
                Backdoor::Pair(from, to) if open && plain == from => to,
                Backdoor::Next if open => (plain + 1) % CLASSES,
                _ => plain,
            });
        }
        self.asked.fetch_add(labels.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

fn images() -> (Array4<f32>, Vec<Label>) {
    let labels: Vec<Label> = (0..160).map(|index| index % CLASSES).collect();
    let mut images = Array4::from_elem((labels.len(), SIDE, SIDE, 1), 0.2);
    for (index, (mut image, &label)) in images.axis_iter_mut(Axis(0)).zip(&labels).enumerate() {
        for column in 0..SIDE - 2 {
            image[[2 * label as usize, column, 0]] = 0.7 + 0.01 * (index % 20) as f32;
        }
    }
    (images, labels)
}

/// Several copies of one black box, with a shared counter of their queries.
fn black_boxes(backdoor: Backdoor, count: usize) -> (Vec<Box<dyn HardLabelOracle>>, Arc<AtomicU64>) {
    let spec = InputSpec { height: SIDE, width: SIDE, channels: 1, classes: CLASSES };
    let asked = Arc::new(AtomicU64::new(0));
    let one = |_| Box::new(Bars { spec, backdoor, asked: Arc::clone(&asked) }) as Box<dyn HardLabelOracle>;
    ((0..count).map(one).collect(), asked)
}

fn trigger_search(seed: u64, batch_rows: usize) -> TriggerSearch {
    let (_, labels) = images();
    let split = ImageSplit::new(&CorrectImages::new(&labels, &labels, CLASSES).unwrap(), seed);
    TriggerSearch::new(split, seed, NonZeroUsize::new(batch_rows).unwrap())
}

fn exploring(setting: Setting) -> PassId {
    PassId { setting, pass: Pass::Explore }
}

fn refining(setting: Setting) -> PassId {
    PassId { setting, pass: Pass::Refine }
}

/// The findings of two consecutive patch settings, and the number of queries.
fn searched(backdoor: Backdoor, oracles: usize, batch_rows: usize, seed: u64) -> (Vec<Vec<TriggerFinding>>, u64) {
    let (images, _) = images();
    let (mut boxes, asked) = black_boxes(backdoor, oracles);
    let search = trigger_search(seed, batch_rows);
    let (mut found, mut queries) = (Vec::<Vec<TriggerFinding>>::new(), 0);
    for strength in [4, 8] {
        let setting = Setting { family: Family::Patch, strength };
        let weaker = found.last().cloned().unwrap_or_default();
        let earlier = WarmStart { weaker: &weaker, ..WarmStart::default() };
        let setting =
            search.run(exploring(setting), &mut boxes, images.view(), &earlier, &mut Vec::new(), &()).unwrap();
        found.push(setting.findings);
        queries += setting.queries;
    }
    assert_eq!(asked.load(Ordering::Relaxed), queries, "exactly the queries made are counted");
    (found, queries)
}

fn share(finding: &TriggerFinding) -> f64 {
    finding.success().rate()
}

#[test]
fn a_planted_patch_is_found_at_its_place() {
    for seed in 0..3 {
        let (found, _) = searched(Backdoor::To(2), 1, 32, seed);
        let strong = &found[1];
        let goals: Vec<TargetMap> = strong
            .iter()
            .map(|finding| finding.goal)
            .filter(|goal| !matches!(goal, TargetMap::SourceSpecific { .. }))
            .collect();
        assert_eq!(
            goals,
            [
                TargetMap::AllToOne { target: 0 },
                TargetMap::AllToOne { target: 1 },
                TargetMap::AllToOne { target: 2 },
                TargetMap::AllToOne { target: 3 },
                TargetMap::AllToAll
            ]
        );
        assert!(share(&strong[2]) > 0.99, "seed {seed}: {}", share(&strong[2]));
        let Trigger::Patch(patch) = &strong[2].trigger else { panic!("a patch was asked for") };
        assert_eq!((patch.row + patch.side, patch.column + patch.side), (SIDE, SIDE));
        for other in [0, 1, 3] {
            assert!(share(&strong[other]) < 0.5, "label {other}: {}", share(&strong[other]));
        }
    }
}

#[test]
fn a_clean_black_box_shows_no_trigger_and_an_all_to_all_one_its_map() {
    let (clean, _) = searched(Backdoor::None, 1, 32, 0);
    let of_label = |finding: &&TriggerFinding| !matches!(finding.goal, TargetMap::SourceSpecific { .. });
    assert!(clean[1].iter().filter(of_label).all(|finding| share(finding) < 0.5));
    let (all_to_all, _) = searched(Backdoor::Next, 1, 32, 0);
    let map = all_to_all[1].last().unwrap();
    assert!(share(map) > 0.99 && map.holdout.len() == 4);
    assert!(map.holdout.iter().all(|cell| cell.target == (cell.source + 1) % CLASSES));
}

#[test]
fn a_source_specific_trigger_is_found_for_its_pair() {
    let (found, _) = searched(Backdoor::Pair(3, 0), 1, 32, 0);
    let pair =
        found[1].iter().find(|finding| finding.goal == TargetMap::SourceSpecific { source: 3, target: 0 }).unwrap();
    assert!(share(pair) > 0.99 && pair.holdout.len() == 1);
    // A third of the images of other labels has label 3.
    assert!(share(&found[1][0]) < 0.67);
}

#[test]
fn oracles_and_batches_change_nothing_but_the_seed_does() {
    let reference = searched(Backdoor::To(1), 1, 32, 5);
    assert_eq!(reference, searched(Backdoor::To(1), 3, 7, 5));
    assert_eq!(reference, searched(Backdoor::To(1), 2, 1000, 5));
    assert_ne!(reference.0, searched(Backdoor::To(1), 1, 32, 6).0);
}

/// Notes each image that it is asked about, by the bits of its values.
struct Noting {
    bars: Box<dyn HardLabelOracle>,
    asked: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl HardLabelOracle for Noting {
    fn spec(&self) -> &InputSpec {
        self.bars.spec()
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        let bits = |image: ArrayView3<'_, f32>| image.iter().map(|value| value.to_bits()).collect();
        self.asked.lock().unwrap().extend(batch.outer_iter().map(bits));
        self.bars.classify(batch, labels)
    }
}

#[test]
fn no_image_is_asked_about_twice_nor_one_without_a_trigger() {
    let (images, _) = images();
    let search = trigger_search(0, 32);
    let clean: HashSet<Vec<u32>> =
        images.outer_iter().map(|image| image.iter().map(|value| value.to_bits()).collect()).collect();
    for (family, strength) in [(Family::Patch, 4), (Family::Corners, 4), (Family::Tone, 1), (Family::Overlay, 16)] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (boxes, _) = black_boxes(Backdoor::Pair(3, 0), 1);
        let noting = |bars| Box::new(Noting { bars, asked: Arc::clone(&asked) }) as Box<dyn HardLabelOracle>;
        let mut boxes: Vec<Box<dyn HardLabelOracle>> = boxes.into_iter().map(noting).collect();
        let pass = exploring(Setting { family, strength });
        let found = search.run(pass, &mut boxes, images.view(), &WarmStart::default(), &mut Vec::new(), &()).unwrap();
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        assert_eq!(asked.len() as u64, found.queries);
        let different: HashSet<&Vec<u32>> = asked.iter().collect();
        assert_eq!(different.len(), asked.len(), "{family:?}");
        assert!(clean.iter().all(|image| !different.contains(image)), "{family:?}");
    }
}

/// The findings of exploring passes over two settings, and of a refining pass over the weaker one that starts from a
/// refining pass over the stronger one.
fn refined(backdoor: Backdoor, batch_rows: usize) -> [Vec<TriggerFinding>; 3] {
    let (images, _) = images();
    let (mut boxes, _) = black_boxes(backdoor, 1);
    let search = trigger_search(0, batch_rows);
    let [weak, strong] = [8, 12].map(|strength| Setting { family: Family::Patch, strength });
    let view = images.view();
    let none = WarmStart::default();
    let first = search.run(exploring(weak), &mut boxes, view, &none, &mut Vec::new(), &()).unwrap().findings;
    let up = WarmStart { weaker: &first, ..none };
    let stronger = search.run(exploring(strong), &mut boxes, view, &up, &mut Vec::new(), &()).unwrap().findings;
    let again = WarmStart { explored: &stronger, ..none };
    let stronger = search.run(refining(strong), &mut boxes, view, &again, &mut Vec::new(), &()).unwrap().findings;
    let down = WarmStart { explored: &first, stronger: &stronger, ..none };
    let second = search.run(refining(weak), &mut boxes, view, &down, &mut Vec::new(), &()).unwrap().findings;
    let finest = WarmStart { stronger: &stronger, ..none };
    let only = search.run(refining(weak), &mut boxes, view, &finest, &mut Vec::new(), &()).unwrap().findings;
    [first, second, only]
}

#[test]
fn a_refining_pass_keeps_what_was_explored_and_loses_none_of_it() {
    for backdoor in [Backdoor::To(2), Backdoor::Pair(3, 0), Backdoor::Next, Backdoor::None] {
        let [first, second, only] = refined(backdoor, 32);
        assert_eq!([first.clone(), second.clone(), only.clone()], refined(backdoor, 7), "batches change nothing");
        for old in &first {
            let new = second.iter().find(|new| new.goal == old.goal).unwrap();
            if !matches!(old.goal, TargetMap::SourceSpecific { .. }) {
                // Pairs get more images in a refining pass.
                assert!(new.search.rate() >= old.search.rate(), "{:?}", old.goal);
            }
        }
        // A setting that was not explored still has every label.
        let labels: Vec<TargetMap> =
            only.iter().map(|found| found.goal).filter(|goal| matches!(goal, TargetMap::AllToOne { .. })).collect();
        assert_eq!(labels, (0..CLASSES).map(|target| TargetMap::AllToOne { target }).collect::<Vec<TargetMap>>());
        if backdoor == Backdoor::To(2) {
            assert!(share(&only[2]) > 0.99, "the stronger trigger leads down to the weaker one");
        }
    }
}

/// A pass over random triggers of a setting.
fn sampled(backdoor: Backdoor, family: Family, strength: u32, oracles: usize, batch_rows: usize) -> PassResult {
    let (images, _) = images();
    let (mut boxes, asked) = black_boxes(backdoor, oracles);
    let search = trigger_search(0, batch_rows);
    let setting = Setting { family, strength };
    let found =
        search.run(exploring(setting), &mut boxes, images.view(), &WarmStart::default(), &mut Vec::new(), &()).unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), found.queries, "exactly the queries made are counted");
    found
}

#[test]
fn random_patterns_are_measured_by_a_typical_one() {
    for (family, strength) in [(Family::Noise, 16), (Family::Wave, 16)] {
        let pass = sampled(Backdoor::Rough(2), family, strength, 1, 32);
        assert_eq!(pass, sampled(Backdoor::Rough(2), family, strength, 3, 7));
        let found = pass.findings;
        let goals: Vec<TargetMap> = found.iter().map(|finding| finding.goal).collect();
        assert_eq!(goals, (0..CLASSES).map(|target| TargetMap::AllToOne { target }).collect::<Vec<TargetMap>>());
        assert!(share(&found[2]) > 0.99, "{family:?}: {}", share(&found[2]));
        assert!([0, 1, 3].iter().all(|&other| share(&found[other]) < 0.01));
        assert!(found.iter().all(|finding| !finding.climbed && finding.success().trials() > 50));
        let clean = sampled(Backdoor::None, family, strength, 1, 32).findings;
        assert!(clean.iter().all(|finding| share(finding) < 0.01));
    }
    // Fainter than what opens the backdoor.
    let faint = sampled(Backdoor::Rough(2), Family::Wave, 1, 1, 32).findings;
    assert!(share(&faint[2]) < 0.01);
}

#[test]
fn strong_noise_is_about_pairs_of_labels() {
    let pass = sampled(Backdoor::RoughPair(3, 0), Family::Noise, 64, 1, 32);
    assert_eq!(pass, sampled(Backdoor::RoughPair(3, 0), Family::Noise, 64, 3, 7));
    let pairs: Vec<&TriggerFinding> =
        pass.findings.iter().filter(|finding| matches!(finding.goal, TargetMap::SourceSpecific { .. })).collect();
    let planted =
        pairs.iter().find(|finding| finding.goal == TargetMap::SourceSpecific { source: 3, target: 0 }).unwrap();
    assert!(share(planted) > 0.99 && planted.success().trials() > 20);
    assert!(pairs.iter().filter(|finding| finding.goal != planted.goal).all(|finding| share(finding) < 0.5));
    assert!(
        pass.findings[..CLASSES as usize].iter().all(|finding| finding.holdout.is_empty()),
        "labels are not measured"
    );
}

#[test]
fn squares_measure_the_baseline_and_a_planted_pair_is_found_with_it() {
    let squares = sampled(Backdoor::Pair(3, 0), Family::Square, 10, 1, 32).confusion;
    let cell = |source, target| squares.iter().find(|cell| (cell.source, cell.target) == (source, target));
    for source in 0..CLASSES {
        let row: Vec<_> = squares.iter().filter(|cell| cell.source == source).collect();
        assert_eq!(
            row.iter().map(|cell| cell.tally.hits()).sum::<u32>(),
            row[0].tally.trials(),
            "every answer is in one cell"
        );
        assert!(cell(source, source).unwrap().tally.hits() > row[0].tally.trials() / 2);
    }
    let (images, _) = images();
    let (mut boxes, _) = black_boxes(Backdoor::Pair(3, 0), 1);
    let search = trigger_search(0, 32);
    let setting = Setting { family: Family::Patch, strength: 8 };
    let earlier = WarmStart { baseline: &squares, ..WarmStart::default() };
    let found = search.run(exploring(setting), &mut boxes, images.view(), &earlier, &mut Vec::new(), &()).unwrap();
    let pair = found
        .findings
        .iter()
        .find(|finding| finding.goal == TargetMap::SourceSpecific { source: 3, target: 0 })
        .unwrap();
    assert!(pair.climbed && share(pair) > 0.99);
    // It is tried on the images of all other labels, too, and leaves them alone.
    let bystanders: Vec<_> = pair.kept.iter().filter(|cell| cell.source != 3).collect();
    assert_eq!(
        bystanders.iter().map(|cell| cell.source).collect::<Vec<u32>>(),
        (1..CLASSES).filter(|&label| label != 3).collect::<Vec<u32>>()
    );
    assert!(bystanders.iter().all(|cell| cell.target == cell.source && cell.tally.rate() > 0.99));
    // What the candidates lead to by themselves is kept: 300 of them on 20 images.
    assert_eq!(found.confusion.iter().map(|cell| cell.tally.hits()).sum::<u32>(), 300 * 20);
}

#[test]
fn a_planted_warp_is_found() {
    let (images, _) = images();
    let warp = exploring(Setting { family: Family::Warp, strength: 15 });
    let search = trigger_search(1, 32);
    let run = |backdoor| {
        let (mut boxes, _) = black_boxes(backdoor, 1);
        search.run(warp, &mut boxes, images.view(), &WarmStart::default(), &mut Vec::new(), &()).unwrap()
    };
    let found = run(Backdoor::Stretched(2));
    let labels = (0..CLASSES).map(|target| TargetMap::AllToOne { target });
    assert_eq!(
        found.findings.iter().map(|finding| finding.goal).collect::<Vec<TargetMap>>(),
        labels.collect::<Vec<_>>()
    );
    assert!(found.findings[2].climbed && share(&found.findings[2]) > 0.99, "{}", share(&found.findings[2]));
    let others = [0, 1, 3].map(|label| share(&found.findings[label]));
    assert!(others.iter().all(|&share| share < 0.2), "{others:?}");
    let none = run(Backdoor::None);
    assert!(none.findings.iter().all(|finding| share(finding) < 0.2));
}

/// A climb that is left behind is not measured, and is compared with none.
#[test]
fn only_climbs_that_end_are_measured() {
    let (found, _) = searched(Backdoor::To(2), 1, 32, 0);
    for finding in found.iter().flatten() {
        assert_eq!(finding.climbed, !finding.holdout.is_empty(), "{:?}", finding.goal);
    }
    let measured =
        |pass: &[TriggerFinding]| pass.iter().filter(|finding| finding.goal.is_all_to_one() && finding.climbed).count();
    assert!(found.iter().all(|pass| measured(pass) >= 2), "the best and the next");
}

/// Asks to stop after some queries.
struct StopAfter {
    limit: u64,
    seen: AtomicU64,
}

impl StopAfter {
    fn new(limit: u64) -> Self {
        Self { limit, seen: AtomicU64::new(0) }
    }
}

impl ScanObserver for StopAfter {
    fn classified(&self, queries: u64) {
        self.seen.fetch_add(queries, Ordering::Relaxed);
    }

    fn stop(&self) -> bool {
        self.seen.load(Ordering::Relaxed) > self.limit
    }
}

/// A pass that is stopped again and again finds the same as an uninterrupted one, and no query is sent twice.
#[test]
fn a_stopped_pass_resumes_where_it_was() {
    let (images, _) = images();
    let (view, none) = (images.view(), WarmStart::default());
    for (setting, oracles, batch_rows) in [
        (Setting { family: Family::Overlay, strength: 16 }, 1, 32),
        (Setting { family: Family::Patch, strength: 4 }, 3, 7),
        (Setting { family: Family::Square, strength: 10 }, 2, 64),
    ] {
        let search = trigger_search(0, batch_rows);
        let (mut boxes, _) = black_boxes(Backdoor::None, oracles);
        let whole = search.run(exploring(setting), &mut boxes, view, &none, &mut Vec::new(), &()).unwrap();
        let (mut answers, mut asked, mut stops) = (Vec::new(), 0, 0);
        let found = loop {
            let stop = StopAfter::new(300);
            let found = search.run(exploring(setting), &mut boxes, view, &none, &mut answers, &stop);
            asked += stop.seen.load(Ordering::Relaxed);
            match found {
                Err(ScanError::Stopped) => stops += 1,
                found => break found.unwrap(),
            }
            assert!(stops < 1000, "every attempt gets further");
        };
        assert_eq!(found, whole);
        assert!(stops >= 2, "{setting}: {stops} stops");
        assert_eq!(answers.len() as u64, whole.queries);
        // Answers after an unanswered batch are lost: at most one batch for each other oracle, at each stop.
        let lost = asked - whole.queries;
        assert!(lost <= stops * (oracles as u64) * batch_rows as u64, "{lost} of {asked}");
    }
}

#[test]
fn a_pass_stops_before_the_next_batch() {
    let (images, _) = images();
    let (mut boxes, _) = black_boxes(Backdoor::None, 1);
    let search = trigger_search(0, 32);
    let setting = Setting { family: Family::Overlay, strength: 16 };
    let (view, none) = (images.view(), WarmStart::default());
    let stop = StopAfter::new(500);
    let first = search.run(exploring(setting), &mut boxes, view, &none, &mut Vec::new(), &stop);
    assert!(matches!(first, Err(ScanError::Stopped)));
    assert_eq!(stop.seen.load(Ordering::Relaxed), 512, "sixteen batches are the first that are more than 500 images");
    let nobody = search.run(exploring(setting), &mut [], view, &none, &mut Vec::new(), &());
    assert!(nobody.is_err(), "there is no oracle to ask");
}

/// The text that the digest below was computed from when it was first frozen. It keeps the words of that time to show
/// that the search has not changed since.
mod frozen {
    use super::*;

    fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
        format!("[{}]", items.iter().map(text).collect::<Vec<String>>().join(", "))
    }

    fn cells(cells: &[PairTally]) -> String {
        list(cells, |cell| {
            let (hits, trials) = (cell.tally.hits(), cell.tally.trials());
            format!("Turned {{ source: {}, target: {}, turned: {hits}, asked: {trials} }}", cell.source, cell.target)
        })
    }

    pub(super) fn findings(findings: &[TriggerFinding]) -> String {
        list(findings, |finding| {
            let goal = match finding.goal {
                TargetMap::AllToOne { target } => format!("Label({target})"),
                TargetMap::SourceSpecific { source, target } => {
                    format!("Pair {{ source: {source}, target: {target} }}")
                }
                TargetMap::AllToAll => "Map".to_owned(),
            };
            let (hits, trials) = (finding.search.hits(), finding.search.trials());
            format!(
                "TriggerFinding {{ aim: {goal}, trigger: {:?}, climbed: {}, search: ({hits}, {trials}), held_out: {} }}",
                finding.trigger,
                finding.climbed,
                cells(&finding.holdout)
            )
        })
    }

    pub(super) fn result(result: &PassResult) -> String {
        let PassResult { findings: found, confusion, queries: _, unlabelled: _ } = result;
        format!("Found {{ findings: {}, confusion: {} }}", findings(found), cells(confusion))
    }

    pub(super) fn all(
        searched: &[Vec<TriggerFinding>],
        refined: &[Vec<TriggerFinding>],
        overlay: &PassResult,
        random: &[PassResult],
    ) -> String {
        let passes = |passes: &[Vec<TriggerFinding>]| list(passes, |pass| findings(pass));
        let (searched, refined) = (passes(searched), passes(refined));
        format!("({searched}, {refined}, {}, {})", result(overlay), list(random, result))
    }
}

/// The findings of a search are frozen. Another constant, another order of choices or another mix of candidates would
/// mix old results with new ones in a run folder. Anyone who changes it on purpose raises `TRIGGER_SEARCH_VERSION`
/// together with this digest. Checked on one system only, because the mathematical functions of others may round
/// differently.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn findings_are_frozen() {
    use sha2::{Digest, Sha256};

    let (images, _) = images();
    let (mut boxes, _) = black_boxes(Backdoor::Pair(3, 0), 2);
    let overlay = exploring(Setting { family: Family::Overlay, strength: 16 });
    let none = WarmStart::default();
    let search = trigger_search(3, 32);
    let overlay = search.run(overlay, &mut boxes, images.view(), &none, &mut Vec::new(), &()).unwrap();
    let random = [(Family::Wave, 8), (Family::Noise, 16), (Family::Noise, 64), (Family::Square, 10)];
    let random = random.map(|(family, strength)| sampled(Backdoor::Rough(2), family, strength, 1, 32));
    let ((searched, queries), refined) = (searched(Backdoor::To(2), 1, 32, 0), refined(Backdoor::Next, 32));
    let digest = Sha256::digest(frozen::all(&searched, &refined, &overlay, &random).as_bytes());
    let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((TRIGGER_SEARCH_VERSION, hex.concat().as_str()), (9, FROZEN));
    // Answers to an unfinished pass are found by their position, so other queries need another version.
    let of_passes = random.iter().chain([&overlay]).map(|pass| pass.queries);
    assert_eq!(
        (TRIGGER_QUERIES_VERSION, of_passes.chain([queries]).collect::<Vec<u64>>()),
        (10, vec![1165, 490, 383, 1064, 2833, 5977])
    );
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const FROZEN: &str = "2327e40d9357f64fb448b7ae7206b7559b146a3b6d79b3abd3819fc23ad5dc05";
