//! The test for gaps between labels.

use std::collections::BTreeMap;

use super::lead::{Lead, Reading, leads};
use super::pass::PassTally;
use super::standout::{PairStandout, Standout, StandsOut, Strongest, TriggerTest};
use super::statistics::Statistics;
use crate::{Family, Margins, Offsets, Reference};

/// Tests the triggers of a model against the clean models that aeva knows. Several passes over one setting are separate
/// entries.
///
/// See [`test_triggers_against`].
pub fn test_triggers(passes: &[PassTally]) -> TriggerTest {
    test_triggers_against(passes, &Reference::built_in())
}

/// Tests the triggers of a model against clean models.
///
/// Success counts by its log odds `L`, capped at 3 in both directions, with every source label alike and without the one
/// that gives way most. A label takes part in a pass if it has at least 20 trials. In every pass, the first `m` labels (at
/// most half of all) are ahead together by `L[m] - L[m + 1]`. Their evidence is this gap beyond the margin of the setting,
/// limited as [`Lead::evidence`](crate::Lead::evidence) says. A label also stands out by `L` alone, beyond what the best
/// label of clean models reaches, so that no ladder of other labels hides it. Each label gets the best evidence of every
/// family. The
/// values above 0 are added up, because clean models that stand out do so in one family.
///
/// A pair of labels is ahead by what it reaches at least, beyond what the next pair reaches at most. All passes over a
/// setting measure on the same images, so the last one that searched the pair counts. In some families a pair may also
/// stand out by its log odds ratio to the baseline, which is its success under random squares. Families add up as for
/// labels. A map stands out by its own log odds. What pairs and maps have more than labels in clean models is subtracted
/// ([`Offsets`]), so that one kind of evidence does not hide the others.
///
/// A trigger may also stand out by what it leaves alone: it turns the images of some labels, at most half of all, and the
/// others keep theirs. Its log odds of turning the ones, less those of disturbing the others, count beyond those of the
/// next such trigger in any pass. That shows backdoors from one label, from several, and maps of some labels.
///
/// The p-value is the share of comparable clean models with at least the largest evidence ([`Null`](crate::Null)).
///
/// Limits: more than half of the labels cannot be infected, unless they form a map.
pub fn test_triggers_against(passes: &[PassTally], reference: &Reference) -> TriggerTest {
    test_triggers_with(passes, |family| family.spec().margins, Offsets::BUILT_IN, reference)
}

/// The same with other margins, which is what a calibration needs.
pub fn test_triggers_with(
    passes: &[PassTally],
    margins: impl Fn(Family) -> Margins,
    offsets: Offsets,
    reference: &Reference,
) -> TriggerTest {
    let margins: BTreeMap<Family, Margins> = Family::ALL.map(|family| (family, margins(family))).into();
    let classes = passes.iter().map(|pass| pass.labels.len()).max().unwrap_or(0);
    let null = reference.null(classes);
    let mut strongest: Option<Strongest> = None;
    let mut label_families: Vec<ByFamily> = vec![ByFamily::new(); classes];
    let (mut pair_families, mut map) = (BTreeMap::<(u32, u32), ByFamily>::new(), None::<Standout>);
    let mut selective = None::<(StandsOut, Standout)>;
    let leads = leads(passes);
    let levels = level_standouts(&leads, &margins, classes);
    for lead in leads.into_iter().filter(|lead| lead.reading != Reading::Level) {
        let evidence = lead.evidence(&margins[&lead.family]);
        let found = Standout { evidence, pass: lead.pass };
        if lead.reading == Reading::Selective {
            let found = Standout { evidence: evidence - offsets.selective, ..found };
            selective = Some((lead.what, found));
            continue;
        }
        match &lead.what {
            StandsOut::Labels(labels) => {
                for &label in labels {
                    keep_most(&mut label_families[label], lead.family, found);
                }
                Strongest::keep(&mut strongest, lead.what, found);
            }
            &StandsOut::Pair { source, target } => {
                keep_most(pair_families.entry((source, target)).or_default(), lead.family, found);
            }
            StandsOut::Map => {
                let found = Standout { evidence: evidence - offsets.maps, ..found };
                if map.is_none_or(|old| found.evidence > old.evidence) {
                    map = Some(found);
                }
                Strongest::keep(&mut strongest, lead.what, found);
            }
        }
    }
    let mut labels: Vec<Option<Standout>> = label_families.iter().map(over_families).collect();
    for (own, level) in labels.iter_mut().zip(levels) {
        let less = |found: Standout| Standout { evidence: found.evidence - offsets.levels, ..found };
        if let Some(found) = level.map(less)
            && own.is_none_or(|old| found.evidence > old.evidence)
        {
            *own = Some(found);
        }
    }
    for (label, own) in labels.iter().enumerate() {
        if let Some(own) = *own {
            Strongest::keep(&mut strongest, StandsOut::Labels(vec![label]), own);
        }
    }
    let pairs = pair_families.iter().filter_map(|(&(source, target), found)| {
        let standout = over_families(found)?;
        let evidence = standout.evidence - offsets.pairs;
        Some(PairStandout { source, target, standout: Standout { evidence, ..standout } })
    });
    // Ties go to the first pair to keep the result deterministic.
    let mut pair =
        pairs.reduce(|best, other| if other.standout.evidence > best.standout.evidence { other } else { best });
    if let Some((what, standout)) = selective {
        match &what {
            &StandsOut::Pair { source, target } => {
                if pair.is_none_or(|old| standout.evidence > old.standout.evidence) {
                    pair = Some(PairStandout { source, target, standout });
                }
            }
            StandsOut::Labels(targets) => {
                for &target in targets {
                    if let Some(own) = labels.get_mut(target)
                        && own.is_none_or(|old| standout.evidence > old.evidence)
                    {
                        *own = Some(standout);
                    }
                }
                Strongest::keep(&mut strongest, what, standout);
            }
            StandsOut::Map => {}
        }
    }
    if let Some(PairStandout { source, target, standout }) = pair {
        Strongest::keep(&mut strongest, StandsOut::Pair { source, target }, standout);
    }
    let p_value = strongest.as_ref().map_or(1.0, |strongest| null.p_value(strongest.standout.evidence));
    TriggerTest { strongest, p_value, null, labels, pair, map, statistics: Statistics::new(passes) }
}

/// `[label]` -> how far it stands out by its success alone over all families, before the offset of this reading.
pub fn level_standouts(leads: &[Lead], margins: &BTreeMap<Family, Margins>, classes: usize) -> Vec<Option<Standout>> {
    let mut families: Vec<ByFamily> = vec![ByFamily::new(); classes];
    for lead in leads.iter().filter(|lead| lead.reading == Reading::Level) {
        let StandsOut::Labels(labels) = &lead.what else { continue };
        let found = Standout { evidence: lead.evidence(&margins[&lead.family]), pass: lead.pass };
        for &label in labels {
            keep_most(&mut families[label], lead.family, found);
        }
    }
    families.iter().map(over_families).collect()
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
    use crate::trigger::examples::{goal, pass, strongest, tally, test};
    use crate::{Effect, GoalTally, PairTally, SearchedPair, Tally};
    use proptest::prelude::*;

    fn of_family(family: Family, strength: u32, hits: [u32; 10]) -> PassTally {
        PassTally { family, ..pass(strength, &hits) }
    }

    #[test]
    fn a_label_that_a_small_patch_reaches_from_all_images_stands_out() {
        let found = test(&[pass(2, &[175, 20, 1, 1, 0, 0, 3, 1, 0, 0]), pass(8, &[180, 100, 95, 0, 0, 0, 0, 9, 0, 0])]);
        assert!((found.p_value - found.null.floor()).abs() < 1e-12);
        assert_eq!((found.suspects(0.04), found.strongest.unwrap().standout.pass), (vec![0], 0));
    }

    #[test]
    fn several_labels_stand_out_together_and_by_themselves() {
        let found = test(&[
            pass(3, &[170, 3, 171, 1, 0, 0, 3, 1, 0, 0]),
            of_family(Family::Wave, 8, [2, 3, 1, 1, 0, 178, 3, 1, 0, 0]),
        ]);
        let mut suspects = found.suspects(0.04);
        suspects.sort_unstable();
        assert_eq!(suspects, [0, 2, 5]);
    }

    /// A second, weaker backdoor takes part with the first one, instead of hiding it.
    #[test]
    fn a_decoy_does_not_hide_the_label_behind_it() {
        let found = |decoy: u32| test(&[pass(2, &[178, decoy, 9, 5, 3, 2, 1, 1, 0, 0])]).suspects(0.04);
        for decoy in (0..=180).step_by(5) {
            assert!(found(decoy).contains(&0), "{decoy} of 180: {:?}", found(decoy));
        }
        assert_eq!((found(5), found(170)), (vec![0], vec![0, 1]));
    }

    /// Success rates of 100 %, 75 % and 30 % have no large gap anywhere. But no patch as small as that sends all images of
    /// a clean model to one label.
    #[test]
    fn no_ladder_of_decoys_hides_a_label() {
        let ladder = |strength, hits: &[u32]| test(&[pass(strength, hits)]).suspects(0.04);
        let critic = [180, 135, 54, 5, 3, 2, 1, 1, 0, 0];
        assert_eq!(ladder(2, &critic), [0, 1], "the second one is a backdoor, too");
        assert!(ladder(8, &critic).is_empty(), "large patches send all images of clean models to one label");
        assert!(ladder(2, &[178, 170, 160, 150, 120, 90, 60, 30, 9, 3]).contains(&0));
        assert!(ladder(2, &[45, 40, 30, 20, 10, 5, 3, 1, 0, 0]).is_empty(), "a quarter of the images is no trigger");
    }

    #[test]
    fn labels_that_stand_out_together_are_sorted_by_success() {
        let found = test(&[pass(2, &[1, 160, 3, 1, 0, 178, 3, 1, 0, 0])]);
        assert_eq!(found.suspects(0.04), [5, 1]);
    }

    #[test]
    fn models_that_give_way_everywhere_do_not_stand_out() {
        let weak =
            test(&[pass(3, &[87, 61, 15, 5, 1, 1, 1, 1, 0, 0]), pass(8, &[179, 178, 137, 126, 80, 60, 20, 9, 9, 9])]);
        assert!(weak.p_value > 0.1, "{weak:?}");
        assert!(weak.suspects(0.04).is_empty());
        assert!((test(&[]).p_value - 1.0).abs() < 1e-12);
        let one = PassTally { labels: vec![goal(180)], map: GoalTally::default(), ..pass(2, &[]) };
        assert!(test(&[one]).strongest.is_none(), "there is no other label");
    }

    /// 89 of 180 images were no evidence and 90 an alarm.
    #[test]
    fn no_single_image_decides() {
        let evidence = |hits: u32| strongest(&[pass(3, &[hits, 5, 5, 5, 5, 5, 5, 5, 5, 5])]).standout.evidence;
        let steps: Vec<f64> = (50..150).map(|hits| evidence(hits + 1) - evidence(hits)).collect();
        assert!(steps.iter().all(|&step| (0.0..0.25).contains(&step)), "{steps:?}");
        assert!(evidence(45) < 0.0 && evidence(99) > 1.9, "{} {}", evidence(45), evidence(99));
    }

    /// With 43 labels the search climbs for twelve. Twelve labels at 60 % and the others at 5 % were an alarm for all twelve.
    #[test]
    fn a_gap_below_the_last_label_that_was_climbed_is_none() {
        let mut climbed = pass(6, &[[108; 12].as_slice(), &[9; 31]].concat());
        for label in &mut climbed.labels[12..] {
            label.climbed = false;
        }
        let found = test(&[climbed.clone()]);
        assert!(found.strongest.is_none_or(|strongest| strongest.standout.evidence <= 0.0));
        // One of the climbed labels does stand out.
        climbed.labels[4] = goal(178);
        for label in &mut climbed.labels[5..12] {
            *label = goal(20);
        }
        climbed.labels[..4].fill(goal(20));
        assert_eq!(test(&[climbed]).suspects(0.04), [4]);
    }

    /// A search measures the labels that go on to its end.
    #[test]
    fn labels_that_were_not_measured_are_not_compared() {
        let mut few = pass(3, &[178, 175, 9, 0, 0, 0, 0, 0, 0, 0]);
        few.labels[3..].fill(GoalTally::default());
        assert_eq!(test(&[few]).suspects(0.04), [0, 1]);
    }

    #[test]
    fn random_patterns_count_where_they_reach_more_than_in_clean_models() {
        let of = |family, strength, hits| strongest(&[of_family(family, strength, hits)]).standout.evidence;
        let noise = |strength, hits| of(Family::Noise, strength, hits);
        let planted = [70, 4, 3, 0, 0, 0, 0, 0, 0, 0];
        assert!(of(Family::Wave, 8, planted) > 1.5);
        // A clean network gives way to one label, but not for most images.
        assert!(noise(16, [85, 20, 9, 3, 0, 0, 0, 0, 0, 0]) < 0.0);
        assert!(of(Family::Wave, 8, [30, 20, 0, 0, 0, 0, 0, 0, 0, 0]) < 0.0);
        assert!(noise(16, [175, 5, 2, 0, 0, 0, 0, 0, 0, 0]) > noise(32, [175, 5, 2, 0, 0, 0, 0, 0, 0, 0]));
    }

    /// In some clean networks noise alone sends most images to one label, and any pattern does.
    #[test]
    fn a_pattern_counts_as_far_as_it_reaches_more_than_noise() {
        let searched = of_family(Family::Overlay, 32, [0, 0, 0, 0, 0, 0, 0, 0, 165, 0]);
        let cells = |hits: u32| {
            let row = |source: u32| {
                let cell = |target, hits| PairTally { source, target, tally: tally(hits, 400) };
                [cell(8, hits), cell(source, 400 - hits)]
            };
            (0..8).flat_map(row).collect::<Vec<PairTally>>()
        };
        let noise = |hits| PassTally { confusion: cells(hits), ..of_family(Family::Noise, 32, [0; 10]) };
        let drawn = PassTally { confusion: cells(4), ..searched };
        let evidence = |hits| strongest(&[noise(hits), drawn.clone()]).standout.evidence;
        // By itself it is no alarm, whatever it reaches.
        assert!(
            (evidence(0) - Family::Overlay.spec().margins.most).abs() < 1e-12 && evidence(270) < 0.5,
            "{} {}",
            evidence(0),
            evidence(270)
        );
    }

    #[test]
    fn what_stands_out_in_several_families_adds_up() {
        let first = |family, strength, hits| of_family(family, strength, [hits, 20, 9, 3, 0, 0, 0, 0, 0, 0]);
        let (patch, overlay) = (first(Family::Patch, 4, 120), first(Family::Overlay, 16, 140));
        let evidence = |passes: &[PassTally]| strongest(passes).standout.evidence;
        let [one, other] = [&patch, &overlay].map(|pass| evidence(std::slice::from_ref(pass)));
        let both = strongest(&[patch.clone(), overlay.clone()]);
        assert!(one > 0.0 && other > 0.0 && (both.standout.evidence - one - other).abs() < 1e-12);
        assert_eq!((both.targets(), both.standout.pass), (vec![0], usize::from(other > one)));
        // Two passes of one family count once, and a pass without evidence subtracts nothing.
        let nothing = first(Family::Noise, 16, 30);
        assert!((evidence(&[patch.clone(), nothing, patch]) - one).abs() < 1e-12);
        // A different label in the other family is no confirmation.
        let second = PassTally { labels: overlay.labels.iter().rev().cloned().collect(), ..overlay };
        assert!((evidence(&[first(Family::Patch, 4, 120), second]) - one.max(other)).abs() < 1e-12);
    }

    /// All images are of class 5: it has no trials, and few images reach any other label.
    #[test]
    fn a_label_without_trials_takes_no_part() {
        let none_of_5 = PassTally { map: GoalTally::default(), ..pass(3, &[1, 2, 0, 3, 1, 0, 0, 2, 1, 0]) };
        let mut passes = [none_of_5];
        for trials in [0, 9, 19] {
            passes[0].labels[5] = tally(trials, trials).into();
            let found = test(&passes);
            assert!(found.suspects(0.04).is_empty() && found.p_value > 0.5, "{trials}: {found:?}");
            assert!(found.labels[5].is_none());
        }
        passes[0].labels[5] = tally(20, 20).into();
        assert_eq!(test(&passes).suspects(0.04), [5]);
    }

    #[test]
    fn a_permutation_of_the_labels_is_a_map() {
        let all_to_all = PassTally { map: goal(170), ..pass(4, &[20; 10]) };
        let found = test(&[all_to_all]);
        assert!(found.is_map(0.04));
        assert_eq!((found.suspects(0.04).len(), found.target_maps(0.04)), (10, vec![crate::TargetMap::AllToAll]));
    }

    #[test]
    fn what_turns_some_labels_and_leaves_the_others_alone_stands_out() {
        let cell = |source, target, hits| PairTally { source, target, tally: tally(hits, 20) };
        let with = |reached: Vec<PairTally>, others: u32| {
            let kept = (0..10).map(|label| cell(label, label, others)).collect();
            test(&[PassTally { effects: vec![Effect { reached, kept }], ..pass(3, &[20; 10]) }])
        };
        let one = with(vec![cell(1, 7, 20)], 20);
        assert_eq!((one.suspects(0.04), one.suspect_pair(0.04)), (vec![7], Some((1, 7))));
        assert_eq!(with(vec![cell(1, 7, 20), cell(2, 7, 19), cell(3, 7, 3)], 20).suspects(0.04), [7]);
        assert_eq!(with(vec![cell(1, 2, 20), cell(3, 4, 20)], 20).suspects(0.04), [2, 4]);
        // A natural weakness spoils other images, too.
        assert!(with(vec![cell(1, 7, 20)], 15).suspects(0.04).is_empty());
        // A label that the model does not have is none of its labels.
        assert_eq!(with(vec![cell(1, 77, 20), cell(2, 77, 20)], 20).labels.len(), 10);
    }

    /// With three labels, two that swap are two thirds of a map; it was an alarm.
    #[test]
    fn two_labels_that_swap_are_no_map() {
        let swapped = [tally(20, 20), tally(20, 20), tally(0, 20)].to_vec();
        let map = GoalTally { by_source: swapped, climbed: true };
        let labels = [(20, 0), (20, 0), (0, 0)]
            .map(|(a, b)| GoalTally { by_source: vec![tally(a, 20), tally(b, 20)], climbed: true });
        let found = test(&[PassTally { map, labels: labels.to_vec(), ..pass(3, &[]) }]);
        assert!(found.suspects(0.04).is_empty(), "{found:?}");
    }

    fn any_tally() -> impl Strategy<Value = Tally> {
        (any::<u32>(), any::<u32>()).prop_map(|(a, b)| Tally::new(a.min(b), a.max(b)).unwrap())
    }

    fn any_goal() -> impl Strategy<Value = GoalTally> {
        (prop::collection::vec(any_tally(), 0..4), any::<bool>())
            .prop_map(|(by_source, climbed)| GoalTally { by_source, climbed })
    }

    fn any_effect() -> impl Strategy<Value = Effect> {
        let cells = || prop::collection::vec((0_u32..12, 0_u32..12, any_tally()), 0..5);
        let cell = |(source, target, tally)| PairTally { source, target, tally };
        (cells(), cells()).prop_map(move |(reached, kept)| Effect {
            reached: reached.into_iter().map(cell).collect(),
            kept: kept.into_iter().map(cell).collect(),
        })
    }

    proptest! {
        #[test]
        fn every_p_value_is_a_probability(
            labels in prop::collection::vec(any_goal(), 0..9),
            pairs in prop::collection::vec((0_u32..9, 0_u32..9, any_tally(), any::<bool>()), 0..9),
            map in any_goal(),
            effects in prop::collection::vec(any_effect(), 0..4),
            strength in prop::sample::select(vec![0.0, 1.0, 3.0, 8.0, 1e9, f64::NAN]),
        ) {
            let cell = |&(source, target, tally, _): &(u32, u32, Tally, bool)| PairTally { source, target, tally };
            let confusion: Vec<PairTally> = pairs.iter().map(cell).collect();
            let searched = |one: &(u32, u32, Tally, bool)| SearchedPair { pair: cell(one), climbed: one.3 };
            let pairs: Vec<SearchedPair> = pairs.iter().map(searched).collect();
            for family in Family::ALL {
                let (labels, pairs, confusion, map) = (labels.clone(), pairs.clone(), confusion.clone(), map.clone());
                let effects = effects.clone();
                let pass = PassTally { family, strength, labels, pairs, confusion, map, effects };
                let passes = [pass.clone(), pass];
                for test in [test(&passes), test_triggers(&passes)] {
                    prop_assert!((0.0..=1.0 + 1e-12).contains(&test.p_value), "{test:?}");
                }
            }
        }

        #[test]
        fn renaming_labels_changes_no_evidence(hits in prop::collection::vec(0_u32..=180, 3..12), by in 0_usize..12) {
            let mut renamed = hits.clone();
            renamed.rotate_left(by % hits.len());
            let (a, b) = (test(&[pass(3, &hits)]), test(&[pass(3, &renamed)]));
            prop_assert!((a.p_value - b.p_value).abs() < 1e-12);
        }

        /// Renaming pairs and labels together changes the target but not the evidence.
        #[test]
        fn renaming_labels_renames_pairs(hits in prop::collection::vec(0_u32..=20, 4), by in 0_u32..10) {
            let with = |by: u32| {
                let pairs = (0..).zip(&hits).map(|(source, &hits)| {
                    crate::trigger::examples::pair((source + by) % 10, (source + 5 + by) % 10, hits, 20)
                });
                test(&[PassTally { pairs: pairs.collect(), ..pass(3, &[0; 10]) }])
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
                test(&[PassTally { family, ..pass(8, &[&[first][..], &rest].concat()) }]).p_value
            };
            prop_assert!(with(first + 1) <= with(first) + 1e-12);
        }
    }
}
