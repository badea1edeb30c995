//! What every verdict keeps, whatever was seen.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

use aeva_attack::trigger::{Pass, PassId, Setting};
use aeva_scan::{DecisionRule, Effort, Evidence, Observation, Passes, assess};
use aeva_stats::{
    CombinedRule, PairScores, PairTally, PassTally, PublishedDecision, PublishedRule, Reason, SearchedPair, Tally,
    Verdict,
};
use proptest::prelude::*;

const CLASSES: u32 = 5;
const SHAPE: [usize; 3] = [32, 32, 3];
const TRIALS: usize = 80;
const PAIR_TRIALS: usize = 20;

/// Hits, mostly few or nearly all, as gaps between labels are what matters.
fn hits(trials: usize) -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..=trials / 8, 2 => 0..=trials, 1 => trials - trials / 8..=trials]
}

/// A pass that a plan may make.
fn observation() -> impl Strategy<Value = Observation> {
    let ids = ["wave-08", "noise-16", "patch-02", "patch-03", "patch-06", "overlay-16"].map(|name| {
        let setting: Setting = name.parse().unwrap();
        PassId { setting, pass: Pass::Explore }
    });
    let labels = prop::collection::vec(hits(TRIALS), CLASSES as usize);
    let pairs = prop::collection::btree_map(0..CLASSES * CLASSES, hits(PAIR_TRIALS), 0..6);
    (prop::sample::select(ids.to_vec()), labels, pairs, hits(TRIALS + PAIR_TRIALS)).prop_map(
        |(id, labels, pairs, map)| {
            let pair = |(cell, hits): (u32, usize)| {
                let (source, target) = (cell / CLASSES, cell % CLASSES);
                let pair = PairTally { source, target, tally: Tally::clamped(hits, PAIR_TRIALS) };
                (source != target).then_some(SearchedPair { pair, climbed: true })
            };
            let tally = PassTally {
                family: id.setting.family,
                strength: id.setting.actual_strength(SHAPE),
                labels: labels.into_iter().map(|hits| Tally::clamped(hits, TRIALS).into()).collect(),
                pairs: pairs.into_iter().filter_map(pair).collect(),
                confusion: Vec::new(),
                map: Tally::clamped(map, TRIALS + PAIR_TRIALS).into(),
                effects: Vec::new(),
            };
            Observation { id, tally, queries: 1000, unlabelled: 0 }
        },
    )
}

fn passes() -> impl Strategy<Value = Passes> {
    let made = prop::collection::vec(observation(), 1..4);
    made.prop_map(|made| Passes { made, explored: true, left: None, rule: CombinedRule::DEFAULT })
}

/// What perturbations say of which one label peaks by so much, or of which there are too few.
fn perturbations() -> impl Strategy<Value = Option<PublishedDecision>> {
    let decision = |(peak, complete): (f64, bool)| {
        let classes = CLASSES as usize;
        let mut scores = PairScores::new(classes);
        let pairs = (0..classes).flat_map(|source| (0..classes).map(move |target| (source, target)));
        for (source, target) in pairs.filter(|(source, target)| source != target && (complete || *source > 0)) {
            let score = if target == 1 { peak } else { 0.01 + 0.001 * ((3 * source + 5 * target) % 7) as f64 };
            scores.insert(source, target, score).unwrap();
        }
        PublishedRule::PUBLISHED.decide(&scores)
    };
    prop::option::of((0.01..0.03, any::<bool>()).prop_map(decision))
}

fn verdict(passes: &Passes, perturbations: Option<&PublishedDecision>, rule: &DecisionRule) -> Verdict {
    let holdout = [PAIR_TRIALS; CLASSES as usize];
    assess(&Evidence { triggers: Some(passes), perturbations, holdout: Some(&holdout) }, rule).verdict
}

fn rule() -> impl Strategy<Value = DecisionRule> {
    let efforts = prop::sample::select(Effort::ALL.to_vec());
    (prop::sample::select(vec![0.01, 0.05, 0.2]), efforts)
        .prop_map(|(rate, effort)| DecisionRule::of_effort(CombinedRule::at_rate(rate).unwrap(), effort))
}

/// The same with other names of the labels.
fn renamed(passes: &Passes, names: &[u32]) -> Passes {
    let name = |label: u32| names[label as usize];
    let one = |one: &Observation| {
        let mut one = one.clone();
        for (label, tally) in (0..CLASSES).zip(one.tally.labels.clone()) {
            one.tally.labels[name(label) as usize] = tally;
        }
        for SearchedPair { pair, .. } in &mut one.tally.pairs {
            (pair.source, pair.target) = (name(pair.source), name(pair.target));
        }
        one
    };
    Passes { made: passes.made.iter().map(one).collect(), ..passes.clone() }
}

fn sorted(suspects: &[usize]) -> Vec<usize> {
    let mut suspects = suspects.to_vec();
    suspects.sort_unstable();
    suspects
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        max_global_rejects: 30_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn more_hits_of_the_first_label_never_turn_an_alarm_into_a_clearance(
        passes in passes(), perturbations in perturbations(), rule in rule(), pass in any::<prop::sample::Index>(), more in 1_usize..80,
    ) {
        let before = verdict(&passes, perturbations.as_ref(), &rule);
        prop_assume!(before.name() == "backdoored");
        let mut after = passes.clone();
        let labels = &mut pass.get_mut(&mut after.made).tally.labels;
        let first = labels.iter_mut().max_by_key(|label| label.pooled().hits()).unwrap();
        *first = Tally::clamped(first.pooled().hits() as usize + more, TRIALS).into();
        let after = verdict(&after, perturbations.as_ref(), &rule);
        prop_assert_eq!(after.name(), "backdoored", "{:?}", before);
    }

    #[test]
    fn other_names_of_the_labels_are_other_names_of_the_suspects(
        mut passes in passes(), rule in rule(), names in Just((0..CLASSES).collect::<Vec<u32>>()).prop_shuffle(),
    ) {
        // Of pairs that stand out alike in two families the first is named, so that one pass has all of them.
        passes.made.iter_mut().skip(1).for_each(|one| one.tally.pairs.clear());
        let (before, after) = (verdict(&passes, None, &rule), verdict(&renamed(&passes, &names), None, &rule));
        prop_assert_eq!(before.name(), after.name());
        let expected: Vec<usize> = before.suspects().iter().map(|&label| names[label] as usize).collect();
        prop_assert_eq!(sorted(after.suspects()), sorted(&expected));
    }

    #[test]
    fn what_is_not_whole_is_never_clean(
        passes in passes(), perturbations in perturbations(), rule in rule(), made in any::<prop::sample::Index>(),
    ) {
        let made = made.index(passes.made.len());
        let left = Some(Reason::PassesLeft { made });
        let part = Passes { made: passes.made[..made].to_vec(), left, ..passes.clone() };
        prop_assert_ne!(verdict(&part, perturbations.as_ref(), &rule), Verdict::Clean);
        let empty = Passes { made: Vec::new(), left: None, ..passes.clone() };
        prop_assert_ne!(verdict(&empty, perturbations.as_ref(), &rule), Verdict::Clean);
        let nothing = Evidence { perturbations: perturbations.as_ref(), ..Evidence::default() };
        prop_assert_ne!(assess(&nothing, &rule).verdict, Verdict::Clean);
    }
}
