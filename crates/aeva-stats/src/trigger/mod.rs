//! From the success of triggers to labels that stand out.
//!
//! A backdoor needs little where a natural weakness needs much, and it leads to its own labels where a weak model gives way in many
//! directions. So the test looks at each level (a family of triggers at one strength) for a **gap** between the labels that a
//! trigger turns most images to and all others, and allows natural models the wider a gap the stronger the triggers are.

mod clean;
mod limits;
mod look;
mod pairs;

use std::collections::BTreeMap;

use clean::{allowance, least, null_p_value};
use pairs::{FirstPair, Natural};

pub use limits::{IMAGES_NEEDED, LABELS_NEEDED, Limits, limits};
pub use look::{LevelSuccess, PairSuccess, TriggerFamily};

/// What stands out most.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerEvidence {
    /// Place of the look that shows most of it, in the list that was judged.
    pub level: usize,
    /// Labels that stand out there together, most successful first; none for a map of all labels.
    pub labels: Vec<usize>,
    /// The label that they stand out from alone, for a pair of labels.
    pub source: Option<usize>,
    /// How far, in units of log odds, beyond what the level allows.
    pub evidence: f64,
}

/// What the triggers of a model say.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerJudgement {
    /// What stands out most; nothing without levels, or with fewer than three labels.
    pub strongest: Option<TriggerEvidence>,
    /// Chance that something stands out so far in a clean model.
    pub p_value: f64,
    /// `[label]` -> its own evidence over all families and the place of the look that shows most of it; nothing for labels that are
    /// never among the first half.
    pub labels: Vec<Option<(f64, usize)>>,
    /// The pair of labels with the highest evidence, that evidence, and the place of the last look at its level.
    pub pair: Option<((usize, usize), f64, usize)>,
    /// Highest evidence of a map of labels, and the place of the look.
    pub map: Option<(f64, usize)>,
}

/// Log odds beyond this say no more: the images held out are too few.
const CAP: f64 = 3.0;

/// Judges the triggers of a model. A level that was looked at more than once is there more than once.
///
/// A label takes part in a look if its trigger was stamped on at least 20 images there. At every look the labels are sorted by the log odds `L` of their success, `(turned + 1/2) / (asked - turned + 1/2)`, capped at 3
/// either way. The first `m` labels (at most half of all) stand out together by `L[m] - L[m + 1]` less the level's allowance; where
/// the last of them turns fewer than half of the images (a quarter, for sines), by how far `L[m]` is below that at most. Of each label
/// the best of every family counts, added up where it is above 0: clean models that stand out do so in one family. A map stands out
/// by its own log odds less the allowance, plus 2.5, where it turns half of the images. A pair stands out by the gap to the next pair,
/// all looks at the level pooled, as few images show a pair, less an allowance of its own; of patches also by how far its log odds are
/// beyond those of random squares; families add up as for labels. The p-value is that of the largest of all.
///
/// Limits: two labels or fewer cannot be told apart, nor can more infected labels than half unless they form a map; the null is
/// that of small models on a few data sets.
pub fn judge_triggers(looks: &[LevelSuccess]) -> TriggerJudgement {
    let classes = looks.iter().map(|look| look.labels.len()).max().unwrap_or(0);
    let mut strongest: Option<TriggerEvidence> = None;
    let mut families: Vec<ByFamily> = vec![ByFamily::new(); classes];
    let (mut pair_families, mut map) = (BTreeMap::<(usize, usize), ByFamily>::new(), None::<(f64, usize)>);
    let natural = Natural::new(looks);
    for (place, look) in looks.iter().enumerate().filter(|(_, look)| look.family != TriggerFamily::Square) {
        let allowed = allowance(look.family, look.strength);
        let mut found: Vec<TriggerEvidence> = clusters(&look.labels)
            .into_iter()
            .map(|(labels, gap, last)| {
                let above = last - least(look.family);
                let evidence = if above < 0.0 { above.min(gap - allowed) } else { gap - allowed };
                TriggerEvidence { level: place, labels, source: None, evidence }
            })
            .collect();
        if 2 * u64::from(look.map.0) >= u64::from(look.map.1) && look.map.1 >= IMAGES_NEEDED {
            let evidence = log_odds(look.map) + MAP_OFFSET - allowed;
            found.push(TriggerEvidence { level: place, labels: Vec::new(), source: None, evidence });
            if map.is_none_or(|(old, _)| evidence > old) {
                map = Some((evidence, place));
            }
        }
        let same =
            |other: &&LevelSuccess| other.family == look.family && other.strength.total_cmp(&look.strength).is_eq();
        let last = !looks[place + 1..].iter().any(|later| same(&later));
        let pairs = if last { pairs::evidence(looks.iter().filter(same), natural.as_ref()) } else { Vec::new() };
        for (FirstPair { source, target, .. }, evidence) in pairs {
            keep_most(pair_families.entry((source, target)).or_default(), look.family, evidence, place);
        }
        for one in found {
            for &label in &one.labels {
                keep_most(&mut families[label], look.family, one.evidence, place);
            }
            if strongest.as_ref().is_none_or(|old| one.evidence > old.evidence) {
                strongest = Some(one);
            }
        }
    }
    let labels: Vec<Option<(f64, usize)>> = families.iter().map(over_families).collect();
    for (label, (evidence, level)) in labels.iter().enumerate().filter_map(|(label, own)| Some((label, (*own)?))) {
        if strongest.as_ref().is_none_or(|old| evidence > old.evidence) {
            strongest = Some(TriggerEvidence { level, labels: vec![label], source: None, evidence });
        }
    }
    let pairs =
        pair_families.iter().filter_map(|(&pair, found)| over_families(found).map(|(sum, place)| (pair, sum, place)));
    // The first of equals, so that the result never depends on anything else.
    let pair = pairs.reduce(|best, other| if other.1 > best.1 { other } else { best });
    if let Some(((source, target), evidence, level)) = pair
        && strongest.as_ref().is_none_or(|old| evidence > old.evidence)
    {
        strongest = Some(TriggerEvidence { level, labels: vec![target], source: Some(source), evidence });
    }
    let p_value = strongest.as_ref().map_or(1.0, |strongest| null_p_value(strongest.evidence, classes));
    TriggerJudgement { strongest, p_value, labels, pair, map }
}

/// The most evidence that each family shows, and the look that does.
type ByFamily = BTreeMap<TriggerFamily, (f64, usize)>;

fn keep_most(found: &mut ByFamily, family: TriggerFamily, evidence: f64, place: usize) {
    let best = found.entry(family).or_insert((evidence, place));
    if evidence > best.0 {
        *best = (evidence, place);
    }
}

/// What a label or a pair shows in all families together, and the look that shows most of it: families are ways of their own to the same
/// images, so what stands out in each of them adds up; one in which nothing does takes nothing away.
fn over_families(found: &ByFamily) -> Option<(f64, usize)> {
    let (mut sum, mut most) = (0.0, None::<(f64, usize)>);
    for &(evidence, place) in found.values() {
        sum += evidence.max(0.0);
        if most.is_none_or(|(old, _)| evidence > old) {
            most = Some((evidence, place));
        }
    }
    most.map(|(evidence, place)| (if evidence > 0.0 { sum } else { evidence }, place))
}

/// Of the success of a map, where that of a single label has its neighbours to compare with.
const MAP_OFFSET: f64 = 2.5;

/// The first labels that stand out together, with the gap below them and the log odds of the least: one entry a number of labels.
/// Labels about which too few images were asked take no part: nothing is known of them, which is not the same as half.
fn clusters(labels: &[(u32, u32)]) -> Vec<(Vec<usize>, f64, f64)> {
    let known = labels.iter().copied().enumerate().filter(|(_, (_, asked))| *asked >= IMAGES_NEEDED);
    let mut sorted: Vec<(usize, f64)> = known.map(|(label, share)| (label, log_odds(share))).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut found = Vec::new();
    if sorted.len() < LABELS_NEEDED {
        return found;
    }
    for m in 1..=sorted.len() / 2 {
        let (least, next) = (sorted[m - 1].1, sorted[m].1);
        found.push((sorted[..m].iter().map(|(label, _)| *label).collect(), least - next, least));
    }
    found
}

fn log_odds((turned, asked): (u32, u32)) -> f64 {
    // More turned than asked about is no count of anything; it must not become a number that compares with nothing.
    let (turned, asked) = (f64::from(turned.min(asked)), f64::from(asked));
    ((turned + 0.5) / (asked - turned + 0.5)).ln().clamp(-CAP, CAP)
}

impl TriggerJudgement {
    /// Whether nothing stands out beyond what every level allows.
    pub fn nothing_stands_out(&self) -> bool {
        self.strongest.as_ref().is_none_or(|strongest| strongest.evidence <= 0.0)
    }

    fn chance(&self, evidence: f64) -> f64 {
        null_p_value(evidence, self.labels.len())
    }

    /// Labels whose own evidence has at most this p-value, most conspicuous first; all of a map's when that stands out instead.
    pub fn suspects(&self, level: f64) -> Vec<usize> {
        let mut found: Vec<(f64, usize)> = self
            .labels
            .iter()
            .enumerate()
            .filter_map(|(label, own)| own.map(|(evidence, _)| (evidence, label)))
            .filter(|&(evidence, _)| self.chance(evidence) <= level)
            .collect();
        // Labels that stand out together have the same evidence; the most successful first.
        let together = self.strongest.as_ref().map_or(&[][..], |strongest| &strongest.labels);
        let rank = |label: usize| together.iter().position(|&other| other == label).unwrap_or(usize::MAX);
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(rank(a.1).cmp(&rank(b.1))).then(a.1.cmp(&b.1)));
        if self.is_map(level) {
            return (0..self.labels.len()).collect();
        }
        let mut labels: Vec<usize> = found.into_iter().map(|(_, label)| label).collect();
        if let Some((_, target)) = self.suspect_pair(level)
            && !labels.contains(&target)
        {
            labels.push(target);
        }
        labels
    }

    /// The pair (source, target) of a source-specific backdoor: where a pair stands out and its target does not by itself.
    pub fn suspect_pair(&self, level: f64) -> Option<(usize, usize)> {
        let ((source, target), evidence, _) = self.pair?;
        let own = self.labels.get(target).copied().flatten().map_or(f64::NEG_INFINITY, |(own, _)| own);
        (self.chance(evidence) <= level && evidence > own).then_some((source, target))
    }

    /// Whether a map of labels stands out, and further than any label by itself.
    pub fn is_map(&self, level: f64) -> bool {
        let own = self.labels.iter().flatten().map(|(own, _)| *own).fold(f64::NEG_INFINITY, f64::max);
        self.map.is_some_and(|(evidence, _)| self.chance(evidence) <= level && evidence >= own)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level(strength: u32, shares: &[u32]) -> LevelSuccess {
        let labels = shares.iter().map(|&turned| (turned, 180)).collect();
        let strength = f64::from(strength);
        LevelSuccess {
            family: TriggerFamily::Patch,
            strength,
            labels,
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: (10, 200),
        }
    }

    #[test]
    fn a_label_that_a_small_patch_turns_all_images_to_stands_out() {
        let judgement = judge_triggers(&[
            level(2, &[175, 20, 1, 1, 0, 0, 3, 1, 0, 0]),
            level(8, &[180, 100, 95, 0, 0, 0, 0, 9, 0, 0]),
        ]);
        assert!(judgement.p_value < 0.01);
        assert_eq!((judgement.suspects(0.04), judgement.strongest.unwrap().level), (vec![0], 0));
    }

    #[test]
    fn several_labels_stand_out_together_and_by_themselves() {
        let judgement = judge_triggers(&[
            level(3, &[170, 3, 171, 1, 0, 0, 3, 1, 0, 0]),
            LevelSuccess { family: TriggerFamily::Overlay, ..level(16, &[2, 3, 1, 1, 0, 178, 3, 1, 0, 0]) },
        ]);
        let mut suspects = judgement.suspects(0.04);
        suspects.sort_unstable();
        assert_eq!(suspects, [0, 2, 5]);
    }

    #[test]
    fn of_labels_that_stand_out_together_the_most_successful_is_first() {
        let judgement = judge_triggers(&[level(2, &[1, 160, 3, 1, 0, 178, 3, 1, 0, 0])]);
        assert_eq!(judgement.suspects(0.04), [5, 1]);
    }

    #[test]
    fn models_that_give_way_everywhere_do_not_stand_out() {
        let weak = judge_triggers(&[
            level(3, &[87, 61, 15, 5, 1, 1, 1, 1, 0, 0]),
            level(8, &[179, 178, 137, 126, 80, 60, 20, 9, 9, 9]),
        ]);
        assert!(weak.p_value > 0.1, "{weak:?}");
        assert!(weak.suspects(0.04).is_empty());
        assert!((judge_triggers(&[]).p_value - 1.0).abs() < 1e-12);
        // Two labels: one of them is always the easier one.
        assert!(judge_triggers(&[level(2, &[180, 1])]).strongest.is_none());
    }

    #[test]
    fn random_patterns_count_where_they_turn_more_than_clean_models_give() {
        let noise = |strength, turned: [u32; 10]| {
            let level = LevelSuccess { family: TriggerFamily::Noise, ..level(strength, &turned) };
            judge_triggers(&[level]).strongest.unwrap().evidence
        };
        let wave = |strength, turned: [u32; 10]| {
            let level = LevelSuccess { family: TriggerFamily::Wave, ..level(strength, &turned) };
            judge_triggers(&[level]).strongest.unwrap().evidence
        };
        let planted = [60, 4, 3, 0, 0, 0, 0, 0, 0, 0];
        assert!(wave(8, planted) > 2.0 && noise(16, planted) < 0.0);
        // A clean network gives way to one label, but not for most images.
        assert!(noise(16, [85, 20, 9, 3, 0, 0, 0, 0, 0, 0]) < 0.0 && wave(8, [30, 20, 0, 0, 0, 0, 0, 0, 0, 0]) < 0.0);
        assert!(noise(16, [175, 5, 2, 0, 0, 0, 0, 0, 0, 0]) > noise(32, [175, 5, 2, 0, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn what_stands_out_in_several_families_adds_up() {
        let first = |family, strength, turned| LevelSuccess {
            family,
            ..level(strength, &[turned, 20, 9, 3, 0, 0, 0, 0, 0, 0])
        };
        let of = |looks: &[LevelSuccess]| judge_triggers(looks).strongest.unwrap();
        let (patch, overlay) = (first(TriggerFamily::Patch, 4, 120), first(TriggerFamily::Overlay, 16, 130));
        let [one, other] = [&patch, &overlay].map(|look| of(std::slice::from_ref(look)).evidence);
        let both = of(&[patch.clone(), overlay.clone()]);
        assert!(one > 0.0 && other > 0.0 && (both.evidence - one - other).abs() < 1e-12);
        assert_eq!((both.labels, both.level), (vec![0], usize::from(other > one)));
        // Two looks of one family say it once, and what shows nothing takes nothing away.
        let nothing = first(TriggerFamily::Noise, 16, 30);
        assert!((of(&[patch.clone(), nothing, patch]).evidence - one).abs() < 1e-12);
        // Another label in the other family is no confirmation.
        let second = LevelSuccess { labels: overlay.labels.iter().rev().copied().collect(), ..overlay };
        assert!((of(&[first(TriggerFamily::Patch, 4, 120), second]).evidence - one.max(other)).abs() < 1e-12);
    }

    /// All images are of class 5: nothing was asked about it, and little is turned anywhere else.
    #[test]
    fn a_label_that_nothing_was_asked_about_takes_no_part() {
        let none_of_5 = LevelSuccess { map: (0, 0), ..level(3, &[1, 2, 0, 3, 1, 0, 0, 2, 1, 0]) };
        let mut looks = [none_of_5];
        for asked in [0, 9, IMAGES_NEEDED - 1] {
            looks[0].labels[5] = (asked, asked);
            let judgement = judge_triggers(&looks);
            assert!(judgement.suspects(0.04).is_empty() && judgement.p_value > 0.5, "{asked}: {judgement:?}");
            assert!(judgement.labels[5].is_none());
        }
        looks[0].labels[5] = (IMAGES_NEEDED, IMAGES_NEEDED);
        assert_eq!(judge_triggers(&looks).suspects(0.04), [5]);
        // Two labels of which something is known are no test.
        let two = LevelSuccess { labels: [(180, 180), (1, 180), (0, 3), (0, 0)].to_vec(), ..level(3, &[]) };
        assert!(judge_triggers(&[two]).strongest.is_none());
    }

    #[test]
    fn a_permutation_of_the_labels_is_a_map() {
        let all_to_all = LevelSuccess { map: (178, 200), ..level(4, &[20; 10]) };
        let judgement = judge_triggers(&[all_to_all]);
        assert!(judgement.is_map(0.04) && judgement.p_value < 0.01);
        assert_eq!(judgement.suspects(0.04).len(), 10);
    }

    proptest! {
        #[test]
        fn no_counts_lead_to_a_chance_that_is_none(
            labels in prop::collection::vec((any::<u32>(), any::<u32>()), 0..9),
            pairs in prop::collection::vec((0_usize..9, 0_usize..9, any::<u32>(), any::<u32>()), 0..9),
            map in (any::<u32>(), any::<u32>()),
            strength in prop::sample::select(vec![0.0, 1.0, 3.0, 8.0, 1e9, f64::NAN]),
        ) {
            let cell = |&(source, target, turned, asked): &(usize, usize, u32, u32)| PairSuccess { source, target, turned, asked };
            let cells: Vec<PairSuccess> = pairs.iter().map(cell).collect();
            for family in [TriggerFamily::Patch, TriggerFamily::Overlay, TriggerFamily::Noise, TriggerFamily::Square] {
                let look = LevelSuccess { family, strength, labels: labels.clone(), pairs: cells.clone(), confusion: cells.clone(), map };
                let judgement = judge_triggers(&[look.clone(), look]);
                prop_assert!((0.0..=1.0).contains(&judgement.p_value), "{judgement:?}");
            }
        }

        #[test]
        fn renaming_labels_changes_no_evidence(shares in prop::collection::vec(0_u32..=180, 3..12), by in 0_usize..12) {
            let mut turned = shares.clone();
            turned.rotate_left(by % shares.len());
            let (a, b) = (judge_triggers(&[level(3, &shares)]), judge_triggers(&[level(3, &turned)]));
            prop_assert!((a.p_value - b.p_value).abs() < 1e-12);
        }

        #[test]
        fn more_success_of_the_first_label_is_never_less_suspicious(rest in prop::collection::vec(0_u32..90, 4..9), first in 90_u32..180) {
            let with = |first: u32| judge_triggers(&[level(3, &[&[first][..], &rest].concat())]).p_value;
            prop_assert!(with(first + 1) <= with(first) + 1e-12);
        }
    }
}
