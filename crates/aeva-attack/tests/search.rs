//! Properties of the search: independence of batch, threads and order; sense; bounds.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "tests stop at what is unexpected, and compare bits on purpose"
)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use aeva_attack::perturbation::{
    Answers, Outcome, PairPlan, PairResult, PerturbationPlan, PerturbationSettings, ScanEnd, search,
};
use aeva_attack::synthetic::NearestCentre;
use aeva_attack::{
    CorrectImages, HardLabelOracle, HopSkipJump, HopSkipJumpBuilder, InputSpec, JobId, JobNoise, Label, OracleError,
    ScanError, ScanObserver, agreement, classify_all,
};
use ndarray::{Array4, ArrayView4};
use proptest::prelude::*;

/// Centres that depend on the class only.
fn centres() -> Vec<Vec<f64>> {
    (0..SPEC.classes as usize)
        .map(|class| (0..SPEC.values()).map(|i| 0.5 + 0.4 * ((i * 7 + class * 13) as f64).sin()).collect())
        .collect()
}

const SPEC: InputSpec = InputSpec { height: 3, width: 4, channels: 2, classes: 4 };

/// A black box that classifies by the nearest of these centres.
fn nearest() -> NearestCentre {
    NearestCentre::new(SPEC, centres())
}

/// 24 images around the centres, all classified correctly, and the full plan of two samples.
fn fixture(samples: u32) -> (Array4<f32>, PerturbationPlan) {
    let (mut oracle, centres) = (nearest(), centres());
    let images = Array4::from_shape_fn((24, 3, 4, 2), |(n, h, w, c)| {
        let i = (h * 4 + w) * 2 + c;
        let wobble = 0.05 * ((n * 31 + i * 17) as f64).cos();
        (centres[n % 4][i] + wobble).clamp(0.0, 1.0) as f32
    });
    let truth: Vec<Label> = (0..24).map(|n| n % 4).collect();
    let predicted = classify_all(&mut oracle, images.view(), 5).unwrap();
    let correct = CorrectImages::new(&truth, &predicted, 4).unwrap();
    assert!((correct.accuracy() - 1.0).abs() < 1e-12);
    let all = (0..4).collect();
    (images, PerturbationPlan::new(&correct, &all, &all, samples).unwrap())
}

fn settings(seed: u64, batch_rows: usize, threads: usize) -> PerturbationSettings {
    let builder = HopSkipJumpBuilder { iterations: 4, initial_evaluations: 20, ..HopSkipJumpBuilder::PUBLISHED };
    settings_with(builder, seed, batch_rows, threads)
}

fn settings_with(builder: HopSkipJumpBuilder, seed: u64, batch_rows: usize, threads: usize) -> PerturbationSettings {
    let params = builder.check().unwrap();
    let number = |number| NonZeroUsize::new(number).unwrap();
    PerturbationSettings { params, seed, batch_rows: number(batch_rows), threads: number(threads) }
}

fn run(
    images: &Array4<f32>,
    plan: &PerturbationPlan,
    settings: &PerturbationSettings,
    workers: usize,
) -> BTreeMap<(u32, u32), PairResult> {
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = Vec::new();
    for _ in 0..workers {
        oracles.push(Box::new(nearest()));
    }
    let mut pairs = BTreeMap::new();
    let mut store = |pair: PairResult| {
        assert!(pairs.insert((pair.source, pair.target), pair).is_none(), "a pair was stored twice");
        Ok(())
    };
    let end = search(&mut oracles, images.view(), plan, settings, &mut Answers::new(), &(), &mut store).unwrap();
    assert_eq!(end, ScanEnd::Complete);
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// One row at a time on one thread gives the same results as any batch size, worker count and thread count.
    #[test]
    fn results_depend_only_on_parameters_and_seed(
        seed in any::<u64>(), batch_rows in 1_usize..200, workers in 1_usize..4, extra in 0_usize..3,
    ) {
        let (images, plan) = fixture(2);
        let alone = run(&images, &plan, &settings(seed, 1, 1), 1);
        let together = run(&images, &plan, &settings(seed, batch_rows, workers + extra), workers);
        prop_assert_eq!(alone.len(), 12);
        prop_assert_eq!(alone, together);
    }

    /// A part of the plan gives the same results as within the whole plan: shards and resumed scans fit together.
    #[test]
    fn a_pair_does_not_depend_on_the_other_pairs(keep in prop::collection::vec(any::<bool>(), 12)) {
        let (images, plan) = fixture(2);
        let whole = run(&images, &plan, &settings(3, 16, 1), 1);
        let pairs: Vec<PairPlan> = plan.pairs.iter().zip(&keep).filter(|&(_, &keep)| keep).map(|(p, _)| p.clone()).collect();
        for (pair, result) in run(&images, &PerturbationPlan { pairs }, &settings(3, 16, 1), 1) {
            prop_assert_eq!(&result, &whole[&pair]);
        }
    }

    /// More samples do not change the first ones.
    #[test]
    fn a_sample_does_not_depend_on_the_other_samples(seed in any::<u64>()) {
        let (images, two) = fixture(2);
        let (_, five) = fixture(5);
        let two = run(&images, &two, &settings(seed, 16, 1), 1);
        let five = run(&images, &five, &settings(seed, 16, 1), 1);
        for (pair, artifact) in &two {
            prop_assert_eq!(&artifact.samples[..], &five[pair].samples[..2]);
        }
    }
}

#[test]
fn another_seed_gives_other_perturbations() {
    let (images, plan) = fixture(1);
    let (a, b) = (run(&images, &plan, &settings(1, 16, 1), 1), run(&images, &plan, &settings(2, 16, 1), 1));
    for (pair, artifact) in &a {
        assert_ne!(artifact.samples[0].perturbation, b[pair].samples[0].perturbation);
    }
}

#[test]
fn every_query_is_counted() {
    struct Counter(AtomicU64);
    impl ScanObserver for Counter {
        fn classified(&self, queries: u64) {
            self.0.fetch_add(queries, Ordering::Relaxed);
        }
    }
    let (images, plan) = fixture(2);
    let counter = Counter(AtomicU64::new(0));
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(nearest())];
    let mut recorded = 0;
    let mut store = |pair: PairResult| {
        recorded += pair.queries().total();
        Ok(())
    };
    search(&mut oracles, images.view(), &plan, &settings(5, 7, 1), &mut Answers::new(), &counter, &mut store).unwrap();
    assert_eq!(counter.0.into_inner(), recorded);
}

#[test]
fn stopping_loses_no_finished_pair_and_resuming_completes_the_same_bytes() {
    struct StopAfter(AtomicU64);
    impl ScanObserver for StopAfter {
        fn classified(&self, queries: u64) {
            let left = self.0.load(Ordering::Relaxed);
            self.0.store(left.saturating_sub(queries), Ordering::Relaxed);
        }
        fn stop(&self) -> bool {
            self.0.load(Ordering::Relaxed) == 0
        }
    }
    let (images, plan) = fixture(2);
    let whole = run(&images, &plan, &settings(6, 16, 1), 1);
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(nearest())];
    let mut pairs = BTreeMap::new();
    let mut store = |pair: PairResult| {
        pairs.insert((pair.source, pair.target), pair);
        Ok(())
    };
    let observer = StopAfter(AtomicU64::new(2500));
    let end =
        search(&mut oracles, images.view(), &plan, &settings(6, 16, 1), &mut Answers::new(), &observer, &mut store)
            .unwrap();
    assert_eq!(end, ScanEnd::Stopped);
    assert!(!pairs.is_empty() && pairs.len() < 12, "{}", pairs.len());
    let rest = plan.pairs.iter().filter(|p| !pairs.contains_key(&(p.source, p.target))).cloned().collect();
    pairs.extend(run(&images, &PerturbationPlan { pairs: rest }, &settings(6, 16, 1), 1));
    assert_eq!((&pairs), (&whole));
}

/// A scan that is stopped again and again finds the same as an uninterrupted one, and no query is sent twice.
#[test]
fn a_stopped_scan_resumes_in_the_middle_of_its_searches() {
    struct StopAfter {
        limit: u64,
        seen: AtomicU64,
    }
    impl ScanObserver for StopAfter {
        fn classified(&self, queries: u64) {
            self.seen.fetch_add(queries, Ordering::Relaxed);
        }
        fn stop(&self) -> bool {
            self.seen.load(Ordering::Relaxed) >= self.limit
        }
    }
    let (images, plan) = fixture(2);
    let whole = run(&images, &plan, &settings(6, 16, 1), 1);
    let needed: u64 = whole.values().map(|pair| pair.queries().total()).sum();
    for (workers, batch, threads) in [(1, 16, 1), (3, 9, 3), (2, 400, 4)] {
        let (mut pairs, mut answers, mut asked, mut stops) = (BTreeMap::new(), Answers::new(), 0, 0);
        loop {
            let mut oracles: Vec<Box<dyn HardLabelOracle>> = Vec::new();
            oracles.resize_with(workers, || Box::new(nearest()) as Box<dyn HardLabelOracle>);
            let rest = plan.pairs.iter().filter(|p| !pairs.contains_key(&(p.source, p.target))).cloned().collect();
            let mut store = |pair: PairResult| {
                pairs.insert((pair.source, pair.target), pair);
                Ok(())
            };
            let observer = StopAfter { limit: 600, seen: AtomicU64::new(0) };
            let settings = settings(6, batch, threads);
            let rest = PerturbationPlan { pairs: rest };
            let end = search(&mut oracles, images.view(), &rest, &settings, &mut answers, &observer, &mut store);
            asked += observer.seen.load(Ordering::Relaxed);
            if end.unwrap() == ScanEnd::Complete {
                break;
            }
            stops += 1;
            assert!(stops < 1000, "every attempt gets further");
        }
        assert!(stops > 2, "{stops} stops");
        assert!(answers.is_empty());
        assert_eq!(asked, needed);
        assert_eq!((&pairs), (&whole));
    }
}

#[test]
fn the_first_error_ends_the_scan() {
    /// Fails, or returns too few labels, from its third batch on.
    struct Broken(NearestCentre, u32, bool);
    impl HardLabelOracle for Broken {
        fn spec(&self) -> &InputSpec {
            self.0.spec()
        }
        fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
            self.1 += 1;
            self.0.classify(batch, labels)?;
            match (self.1 > 2, self.2) {
                (false, _) => Ok(()),
                (true, true) => Err(OracleError::new("out of memory")),
                (true, false) => {
                    labels.pop();
                    Ok(())
                }
            }
        }
    }
    let (images, plan) = fixture(1);
    let run = |fails| {
        let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(Broken(nearest(), 0, fails))];
        search(&mut oracles, images.view(), &plan, &settings(1, 8, 1), &mut Answers::new(), &(), &mut |_| Ok(()))
            .unwrap_err()
    };
    assert!(matches!(run(true), ScanError::Oracle(error) if error.to_string() == "out of memory"));
    assert!(matches!(run(false), ScanError::Answer { expected: 8, found: 7 }));
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(nearest())];
    let error = search(&mut oracles, images.view(), &plan, &settings(1, 8, 1), &mut Answers::new(), &(), &mut |_| {
        Err("disk full".into())
    });
    assert!(matches!(error, Err(ScanError::Store(_))));
}

#[test]
fn failed_searches_are_recorded_not_raised() {
    let (images, plan) = fixture(1);
    let budget = HopSkipJumpBuilder { query_budget: Some(50), ..HopSkipJumpBuilder::PUBLISHED };
    for artifact in run(&images, &plan, &settings_with(budget, 1, 16, 1), 1).values() {
        assert_eq!(artifact.samples[0].outcome, Outcome::Budget);
        assert_eq!(artifact.queries().total(), 50);
        assert_eq!(artifact.finished().count(), 0);
    }
    // A start of a class other than the target.
    let mut swapped = plan.clone();
    for pair in &mut swapped.pairs {
        pair.samples[0].start = pair.samples[0].origin;
    }
    for artifact in run(&images, &swapped, &settings(1, 16, 1), 1).values() {
        assert_eq!(artifact.samples[0].outcome, Outcome::StartRejected);
        assert_eq!((artifact.queries().total(), &artifact.samples[0].perturbation), (1, &None));
    }
}

/// A search that only hears "no" after its start must end and report why.
#[test]
fn a_black_box_that_changes_its_mind_cannot_hang_a_search() {
    let params = HopSkipJumpBuilder { iterations: 3, ..HopSkipJumpBuilder::PUBLISHED }.check().unwrap();
    let noise = JobNoise::new(0, JobId { source: 0, target: 1, sample: 0 });
    let mut search = HopSkipJump::new(params, noise, 1, &[0.2_f32; 12], &[0.8_f32; 12]).unwrap();
    let mut queries = 0_u32;
    while search.outcome().is_none() {
        let mut row = [0.0_f32; 12];
        search.write(&mut row);
        search.tell(&row, &[u32::from(queries == 0)]);
        queries += 1;
        assert!(queries < 1000);
    }
    assert_eq!(search.outcome(), Some(Outcome::StepUnderflow));
}

/// The shortest distance to a half-space is known, and the distance of the search converges to it.
#[test]
fn half_space_distance_converges_to_the_analytic_one() {
    let d = 48;
    let w: Vec<f64> = (0..d).map(|i| 1.0 + ((i * 5) as f64).sin()).collect();
    let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
    let origin = vec![0.4_f32; d];
    let at = |v: &[f64]| v.iter().zip(&w).map(|(v, w)| v * w).sum::<f64>();
    let threshold = at(&vec![f64::from(0.4_f32); d]) + 0.5 * norm;
    let start: Vec<f32> =
        w.iter().enumerate().map(|(i, w)| if *w > 0.3 { 0.95 } else { 0.1 + (i % 5) as f32 * 0.1 }).collect();
    let analytic = 0.5;
    let mut errors = Vec::new();
    for seed in 0..5 {
        let noise = JobNoise::new(seed, JobId { source: 0, target: 1, sample: 0 });
        let mut search =
            HopSkipJump::new(HopSkipJumpBuilder::PUBLISHED.check().unwrap(), noise, 1, &origin, &start).unwrap();
        while search.outcome().is_none() {
            let mut rows = vec![0.0_f64; search.pending() * d];
            search.write(&mut rows);
            let labels: Vec<u32> = rows.chunks(d).map(|row| u32::from(at(row) > threshold)).collect();
            search.tell(&rows, &labels);
        }
        assert!(at(search.point()) >= threshold - 1e-9, "the end is not on the target's side");
        assert!(search.distance() >= analytic - 1e-9, "nearer than the boundary");
        errors.push(search.distance() / analytic - 1.0);
    }
    errors.sort_by(f64::total_cmp);
    assert!(errors[2] < 0.02, "{errors:?}");
}

/// The same black box behind an input rounded to `bits` bits of mantissa.
struct Coarse(NearestCentre, u32);

impl HardLabelOracle for Coarse {
    fn spec(&self) -> &InputSpec {
        self.0.spec()
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        let mask = u32::MAX << (23 - self.1);
        self.0.classify(batch.mapv(|value| f32::from_bits(value.to_bits() & mask)).view(), labels)
    }
}

/// Clean images do not distinguish a coarse device from an exact one; probes of the search's size do.
#[test]
fn a_coarse_device_is_told_from_an_exact_one() {
    let (images, plan) = fixture(1);
    let share = |device: &mut dyn HardLabelOracle| {
        let found = agreement(&mut nearest(), device, images.view(), &plan, 5).unwrap();
        assert_eq!((found.probes, found.device_queries), (12 * 64, 12 * 64));
        assert!((0.2..0.8).contains(&(f64::from(found.on_target) / f64::from(found.probes))), "{found:?}");
        found.share()
    };
    assert!((share(&mut nearest()) - 1.0).abs() < 1e-12);
    assert!(share(&mut Coarse(nearest(), 22)) > 0.98);
    let coarse = share(&mut Coarse(nearest(), 4));
    assert!(coarse < 0.8, "{coarse}");
    let mut natural = (Vec::new(), Vec::new());
    nearest().classify(images.view(), &mut natural.0).unwrap();
    Coarse(nearest(), 4).classify(images.view(), &mut natural.1).unwrap();
    assert_eq!(natural.0, natural.1);
}

/// Answers slowly, so that workers run side by side, and counts its queries.
struct Slow(NearestCentre, std::sync::Arc<AtomicU64>);

impl HardLabelOracle for Slow {
    fn spec(&self) -> &InputSpec {
        self.0.spec()
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        std::thread::sleep(std::time::Duration::from_millis(1));
        self.1.fetch_add(batch.dim().0 as u64, Ordering::Relaxed);
        self.0.classify(batch, labels)
    }
}

/// A few searches are shared among the workers, although one worker could take all of them.
#[test]
fn no_worker_is_idle_while_another_has_several_searches() {
    let (images, plan) = fixture(1);
    let counts: Vec<_> = (0..3).map(|_| std::sync::Arc::new(AtomicU64::new(0))).collect();
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = Vec::new();
    for count in &counts {
        oracles.push(Box::new(Slow(nearest(), count.clone())));
    }
    let few = PerturbationPlan { pairs: plan.pairs[..6].to_vec() };
    let mut stored = 0;
    let mut store = |_| {
        stored += 1;
        Ok(())
    };
    let end =
        search(&mut oracles, images.view(), &few, &settings(1, 400, 3), &mut Answers::new(), &(), &mut store).unwrap();
    assert_eq!((end, stored), (ScanEnd::Complete, 6));
    let counts: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let all: u64 = counts.iter().sum();
    assert!(counts.iter().all(|&count| count * 10 > all), "{counts:?}");
}
