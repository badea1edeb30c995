//! The test for gaps between labels.

use std::collections::BTreeMap;

use super::labels::{Cluster, clusters};
use super::limits::IMAGES_NEEDED;
use super::null::null_p_value;
use super::odds::log_odds;
use super::pairs::{self, Baseline, Pair};
use super::pass::PassTally;
use super::standout::{PairStandout, Standout, StandsOut, Strongest, TriggerTest};
use super::statistics::Statistics;
use crate::Family;

/// Added to the log odds of an all-to-all map. Unlike a single label, a map has no neighbours to compare with.
const MAP_OFFSET: f64 = 2.5;

/// Tests the triggers of a model. Several passes over one setting are separate entries.
///
/// A label takes part in a pass if it has at least 20 trials. In every pass, the labels are sorted by the log odds `L`
/// of their success, `(hits + 1/2) / (trials - hits + 1/2)`, capped at 3 in both directions. The first `m` labels (at
/// most half of all) stand out together by `L[m] - L[m + 1]` minus the margin of the setting. If the last of them is
/// below the minimum rate of the family, the evidence is at most its distance to that rate. Each label gets the best
/// evidence of every family; the values above 0 are added up, because clean models that stand out do so in one family.
/// A map stands out by its own log odds minus the margin, plus 2.5, if it reaches half of the images. A pair stands out
/// by the gap to the next pair minus a margin of its own, with all passes over the setting pooled because there are few
/// images of a pair. In some families it may also stand out by its log odds ratio to the baseline, which is its success
/// under random squares. Families add up as for labels. The p-value is that of the largest evidence.
///
/// Limits: two labels or fewer cannot be told apart. Nor can more than half of the labels be infected, unless they form
/// a map. The null distribution comes from small models on a few data sets.
pub fn test_triggers(passes: &[PassTally]) -> TriggerTest {
    let classes = passes.iter().map(|pass| pass.labels.len()).max().unwrap_or(0);
    let mut strongest: Option<Strongest> = None;
    let mut label_families: Vec<ByFamily> = vec![ByFamily::new(); classes];
    let (mut pair_families, mut map) = (BTreeMap::<(u32, u32), ByFamily>::new(), None::<Standout>);
    let baseline = Baseline::new(passes);
    for (place, pass) in passes.iter().enumerate().filter(|(_, pass)| !pass.family.spec().is_baseline) {
        for Cluster { labels, evidence } in clusters(&pass.labels, &pass.family.spec().margins, pass.strength) {
            let found = Standout { evidence, pass: place };
            for &label in &labels {
                keep_most(&mut label_families[label], pass.family, found);
            }
            Strongest::keep(&mut strongest, StandsOut::Labels(labels), found);
        }
        if let Some(evidence) = map_evidence(pass) {
            let found = Standout { evidence, pass: place };
            if map.is_none_or(|old| evidence > old.evidence) {
                map = Some(found);
            }
            Strongest::keep(&mut strongest, StandsOut::Map, found);
        }
        let same_setting =
            |other: &&PassTally| other.family == pass.family && other.strength.total_cmp(&pass.strength).is_eq();
        if passes[place + 1..].iter().any(|later| same_setting(&later)) {
            // The pairs of this pass are pooled with those of the last pass over the setting.
            continue;
        }
        for Pair { source, target, evidence } in pairs::standouts(passes.iter().filter(same_setting), baseline.as_ref())
        {
            let found = Standout { evidence, pass: place };
            keep_most(pair_families.entry((source, target)).or_default(), pass.family, found);
        }
    }
    let labels: Vec<Option<Standout>> = label_families.iter().map(over_families).collect();
    for (label, own) in labels.iter().enumerate() {
        if let Some(own) = *own {
            Strongest::keep(&mut strongest, StandsOut::Labels(vec![label]), own);
        }
    }
    let pairs = pair_families.iter().filter_map(|(&(source, target), found)| {
        over_families(found).map(|standout| PairStandout { source, target, standout })
    });
    // Ties go to the first pair to keep the result deterministic.
    let pair = pairs.reduce(|best, other| if other.standout.evidence > best.standout.evidence { other } else { best });
    if let Some(PairStandout { source, target, standout }) = pair {
        Strongest::keep(&mut strongest, StandsOut::Pair { source, target }, standout);
    }
    let p_value = strongest.as_ref().map_or(1.0, |strongest| null_p_value(strongest.standout.evidence, classes));
    TriggerTest { strongest, p_value, labels, pair, map, statistics: Statistics::new(passes) }
}

/// How far the map of labels stands out in a pass; `None` if it reaches fewer than half of the images, or if there are
/// too few images.
fn map_evidence(pass: &PassTally) -> Option<f64> {
    let (hits, trials) = (u64::from(pass.map.hits()), u64::from(pass.map.trials()));
    let counts = 2 * hits >= trials && pass.map.trials() >= IMAGES_NEEDED;
    counts.then(|| log_odds(pass.map) + MAP_OFFSET - pass.family.spec().margins.of_labels(pass.strength))
}

/// The strongest evidence of each family, and the pass that shows it.
type ByFamily = BTreeMap<Family, Standout>;

fn keep_most(found: &mut ByFamily, family: Family, one: Standout) {
    let best = found.entry(family).or_insert(one);
    if one.evidence > best.evidence {
        *best = one;
    }
}

/// The evidence of a label or a pair in all families together, and the pass that shows most of it. Families reach the
/// same images in different ways, so evidence from several families adds up. A family without evidence subtracts
/// nothing.
fn over_families(found: &ByFamily) -> Option<Standout> {
    let (mut sum, mut most) = (0.0, None::<Standout>);
    for &one in found.values() {
        sum += one.evidence.max(0.0);
        if most.is_none_or(|old| one.evidence > old.evidence) {
            most = Some(one);
        }
    }
    most.map(|most| Standout { evidence: if most.evidence > 0.0 { sum } else { most.evidence }, ..most })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::{PairTally, Tally};
    use proptest::prelude::*;

    fn tally(hits: u32, trials: u32) -> Tally {
        Tally::new(hits, trials).unwrap()
    }

    fn pass(strength: u32, hits: &[u32]) -> PassTally {
        PassTally {
            family: Family::Patch,
            strength: f64::from(strength),
            labels: hits.iter().map(|&hits| tally(hits, 180)).collect(),
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: tally(10, 200),
        }
    }

    fn of_family(family: Family, strength: u32, hits: [u32; 10]) -> PassTally {
        PassTally { family, ..pass(strength, &hits) }
    }

    fn strongest(passes: &[PassTally]) -> Strongest {
        test_triggers(passes).strongest.unwrap()
    }

    #[test]
    fn a_label_that_a_small_patch_reaches_from_all_images_stands_out() {
        let test = test_triggers(&[
            pass(2, &[175, 20, 1, 1, 0, 0, 3, 1, 0, 0]),
            pass(8, &[180, 100, 95, 0, 0, 0, 0, 9, 0, 0]),
        ]);
        assert!(test.p_value < 0.01);
        assert_eq!((test.suspects(0.04), test.strongest.unwrap().standout.pass), (vec![0], 0));
    }

    #[test]
    fn several_labels_stand_out_together_and_by_themselves() {
        let test = test_triggers(&[
            pass(3, &[170, 3, 171, 1, 0, 0, 3, 1, 0, 0]),
            of_family(Family::Overlay, 16, [2, 3, 1, 1, 0, 178, 3, 1, 0, 0]),
        ]);
        let mut suspects = test.suspects(0.04);
        suspects.sort_unstable();
        assert_eq!(suspects, [0, 2, 5]);
    }

    #[test]
    fn labels_that_stand_out_together_are_sorted_by_success() {
        let test = test_triggers(&[pass(2, &[1, 160, 3, 1, 0, 178, 3, 1, 0, 0])]);
        assert_eq!(test.suspects(0.04), [5, 1]);
    }

    #[test]
    fn models_that_give_way_everywhere_do_not_stand_out() {
        let weak = test_triggers(&[
            pass(3, &[87, 61, 15, 5, 1, 1, 1, 1, 0, 0]),
            pass(8, &[179, 178, 137, 126, 80, 60, 20, 9, 9, 9]),
        ]);
        assert!(weak.p_value > 0.1, "{weak:?}");
        assert!(weak.suspects(0.04).is_empty());
        assert!((test_triggers(&[]).p_value - 1.0).abs() < 1e-12);
        // With two labels, one of them is always easier to reach.
        assert!(test_triggers(&[pass(2, &[180, 1])]).strongest.is_none());
    }

    #[test]
    fn random_patterns_count_where_they_reach_more_than_in_clean_models() {
        let of = |family, strength, hits| strongest(&[of_family(family, strength, hits)]).standout.evidence;
        let noise = |strength, hits| of(Family::Noise, strength, hits);
        let wave = |strength, hits| of(Family::Wave, strength, hits);
        let planted = [60, 4, 3, 0, 0, 0, 0, 0, 0, 0];
        assert!(wave(8, planted) > 2.0 && noise(16, planted) < 0.0);
        // A clean network gives way to one label, but not for most images.
        assert!(noise(16, [85, 20, 9, 3, 0, 0, 0, 0, 0, 0]) < 0.0 && wave(8, [30, 20, 0, 0, 0, 0, 0, 0, 0, 0]) < 0.0);
        assert!(noise(16, [175, 5, 2, 0, 0, 0, 0, 0, 0, 0]) > noise(32, [175, 5, 2, 0, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn what_stands_out_in_several_families_adds_up() {
        let first = |family, strength, hits| of_family(family, strength, [hits, 20, 9, 3, 0, 0, 0, 0, 0, 0]);
        let (patch, overlay) = (first(Family::Patch, 4, 120), first(Family::Overlay, 16, 130));
        let evidence = |passes: &[PassTally]| strongest(passes).standout.evidence;
        let [one, other] = [&patch, &overlay].map(|pass| evidence(std::slice::from_ref(pass)));
        let both = strongest(&[patch.clone(), overlay.clone()]);
        assert!(one > 0.0 && other > 0.0 && (both.standout.evidence - one - other).abs() < 1e-12);
        assert_eq!((both.targets(), both.standout.pass), (vec![0], usize::from(other > one)));
        // Two passes of one family count once, and a pass without evidence subtracts nothing.
        let nothing = first(Family::Noise, 16, 30);
        assert!((evidence(&[patch.clone(), nothing, patch]) - one).abs() < 1e-12);
        // A different label in the other family is no confirmation.
        let second = PassTally { labels: overlay.labels.iter().rev().copied().collect(), ..overlay };
        assert!((evidence(&[first(Family::Patch, 4, 120), second]) - one.max(other)).abs() < 1e-12);
    }

    /// All images are of class 5: it has no trials, and few images reach any other label.
    #[test]
    fn a_label_without_trials_takes_no_part() {
        let none_of_5 = PassTally { map: Tally::ZERO, ..pass(3, &[1, 2, 0, 3, 1, 0, 0, 2, 1, 0]) };
        let mut passes = [none_of_5];
        for trials in [0, 9, IMAGES_NEEDED - 1] {
            passes[0].labels[5] = tally(trials, trials);
            let test = test_triggers(&passes);
            assert!(test.suspects(0.04).is_empty() && test.p_value > 0.5, "{trials}: {test:?}");
            assert!(test.labels[5].is_none());
        }
        passes[0].labels[5] = tally(IMAGES_NEEDED, IMAGES_NEEDED);
        assert_eq!(test_triggers(&passes).suspects(0.04), [5]);
        // Two labels with enough trials are not enough for a test.
        let two = [tally(180, 180), tally(1, 180), tally(0, 3), Tally::ZERO].to_vec();
        assert!(test_triggers(&[PassTally { labels: two, ..pass(3, &[]) }]).strongest.is_none());
    }

    #[test]
    fn a_permutation_of_the_labels_is_a_map() {
        let all_to_all = PassTally { map: tally(178, 200), ..pass(4, &[20; 10]) };
        let test = test_triggers(&[all_to_all]);
        assert!(test.is_map(0.04) && test.p_value < 0.01);
        assert_eq!((test.suspects(0.04).len(), test.target_maps(0.04)), (10, vec![crate::TargetMap::AllToAll]));
    }

    fn any_tally() -> impl Strategy<Value = Tally> {
        (any::<u32>(), any::<u32>()).prop_map(|(a, b)| tally(a.min(b), a.max(b)))
    }

    proptest! {
        #[test]
        fn every_p_value_is_a_probability(
            labels in prop::collection::vec(any_tally(), 0..9),
            pairs in prop::collection::vec((0_u32..9, 0_u32..9, any_tally()), 0..9),
            map in any_tally(),
            strength in prop::sample::select(vec![0.0, 1.0, 3.0, 8.0, 1e9, f64::NAN]),
        ) {
            let cell = |&(source, target, tally): &(u32, u32, Tally)| PairTally { source, target, tally };
            let cells: Vec<PairTally> = pairs.iter().map(cell).collect();
            for family in Family::ALL {
                let pass = PassTally { family, strength, labels: labels.clone(), pairs: cells.clone(), confusion: cells.clone(), map };
                let test = test_triggers(&[pass.clone(), pass]);
                prop_assert!((0.0..=1.0).contains(&test.p_value), "{test:?}");
            }
        }

        #[test]
        fn renaming_labels_changes_no_evidence(hits in prop::collection::vec(0_u32..=180, 3..12), by in 0_usize..12) {
            let mut renamed = hits.clone();
            renamed.rotate_left(by % hits.len());
            let (a, b) = (test_triggers(&[pass(3, &hits)]), test_triggers(&[pass(3, &renamed)]));
            prop_assert!((a.p_value - b.p_value).abs() < 1e-12);
        }

        /// Renaming pairs and labels together changes the target but not the evidence.
        #[test]
        fn renaming_labels_renames_pairs(hits in prop::collection::vec(0_u32..=20, 4), by in 0_u32..10) {
            let with = |by: u32| {
                let pairs = (0..).zip(&hits).map(|(source, &hits)| {
                    PairTally { source: (source + by) % 10, target: (source + 5 + by) % 10, tally: tally(hits, 20) }
                });
                test_triggers(&[PassTally { pairs: pairs.collect(), ..pass(3, &[0; 10]) }])
            };
            let (a, b) = (with(0), with(by));
            prop_assert!((a.p_value - b.p_value).abs() < 1e-12);
        }

        #[test]
        fn more_success_of_the_first_label_is_never_less_suspicious(
            rest in prop::collection::vec(0_u32..90, 4..9),
            first in 90_u32..180,
            family in prop::sample::select(vec![Family::Patch, Family::Overlay, Family::Wave, Family::Noise]),
        ) {
            let with = |first: u32| {
                test_triggers(&[PassTally { family, ..pass(8, &[&[first][..], &rest].concat()) }]).p_value
            };
            prop_assert!(with(first + 1) <= with(first) + 1e-12);
        }
    }
}
