//! What to look at next.

use aeva_artifact::{Family, Level, Look};
use aeva_stats::{CombinedRule, LevelSuccess, Reason, TriggerJudgement, judge_triggers};

/// Images that perturbations may be expected to take where triggers leave the verdict open, if the user does not say.
pub const PERTURBATION_BUDGET: u64 = 2_000_000;

/// One look at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The level.
    pub level: Level,
    /// Which look at it.
    pub look: Look,
}

/// What a look saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The look.
    pub step: Step,
    /// Success on images held out.
    pub success: LevelSuccess,
    /// Images classified for it.
    pub queries: u64,
}

/// Which looks a model gets, and in which order.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerPlan {
    levels: Vec<Level>,
    finest: Option<Level>,
    rule: CombinedRule,
    exhaustive: bool,
}

impl TriggerPlan {
    /// The plan for images `[h, w, c]`. An exhaustive one takes every look whatever the others saw.
    pub fn new(shape: [usize; 3], rule: CombinedRule, exhaustive: bool) -> Self {
        Self { levels: Level::all(shape), finest: Level::finest(shape), rule, exhaustive }
    }

    /// The next look, given those that were taken, in their order; nothing when there is none left, or none needed.
    ///
    /// First looks go from cheap to dear, then from weak to strong: random patterns, patches, overlays, until something stands out so
    /// far that the verdict is settled.
    /// Where they end without that, second looks go from strong to weak, patches down to single pixels, in the families in which
    /// something stands out at all. Random patterns have no second look: there is nothing to improve.
    pub fn next(&self, seen: &[Seen]) -> Option<Step> {
        if !self.exhaustive && self.rule.settled(&judged(seen)) {
            return None;
        }
        let taken = |step: Step| seen.iter().any(|one| one.step == step);
        let first = self.levels.iter().map(|&level| Step { level, look: Look::First });
        if let Some(step) = first.into_iter().find(|&step| !taken(step)) {
            return Some(step);
        }
        // Judged by first looks alone: a second look must not decide whether the others happen.
        let open = |family: Family| {
            // Squares are not judged: they say what is natural for the patches.
            let of = |one: &Seen| [family, Family::Square].contains(&one.step.level.family);
            let first = |one: &&Seen| one.step.look == Look::First && of(one);
            self.exhaustive || !judged(seen.iter().filter(first)).nothing_stands_out()
        };
        let of = |family: Family| self.levels.iter().rev().filter(move |level| level.family == family);
        let levels = of(Family::Patch).chain(&self.finest).chain(of(Family::Overlay));
        let second = levels.filter(|level| open(level.family)).map(|&level| Step { level, look: Look::Second });
        second.into_iter().find(|&step| !taken(step))
    }
}

/// The looks that count, of those that were taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// What they saw, in the order in which a scan takes them.
    pub seen: Vec<Seen>,
    /// Why they do not clear a model yet, if a look is missing that could still tell.
    pub left: Option<Reason>,
}

impl TriggerPlan {
    /// The looks that this plan takes, as far as they are there; `look` gives what one of them saw. There may be more, of a scan that
    /// was asked for more, or of an earlier version of the search: what a verdict rests on does not depend on that.
    pub fn replay(&self, mut look: impl FnMut(Step) -> Option<Seen>) -> Replay {
        let mut seen = Vec::new();
        while let Some(step) = self.next(&seen) {
            let Some(one) = look(step) else {
                let taken = seen.len();
                return Replay { seen, left: Some(Reason::LooksLeft { taken }) };
            };
            seen.push(one);
        }
        Replay { seen, left: None }
    }
}

/// What all that was seen says together.
pub fn judged<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> TriggerJudgement {
    judge_triggers(&seen.into_iter().map(|one| one.success.clone()).collect::<Vec<LevelSuccess>>())
}

#[cfg(test)]
mod tests {
    use aeva_stats::PairSuccess;

    use super::*;
    use crate::success::family;

    const SHAPE: [usize; 3] = [32, 32, 3];

    /// What a look sees that turns so many of 180 images into label 0, and few into the others.
    fn seen(step: Step, turned: u32) -> Seen {
        let labels = [turned, 30, 20, 10, 5, 5, 5, 5, 5, 5].map(|turned| (turned, 180)).to_vec();
        let strength = step.level.actual_strength(SHAPE);
        let success = LevelSuccess {
            family: family(step.level.family),
            strength,
            labels,
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: (0, 180),
        };
        Seen { step, success, queries: 1000 }
    }

    /// The looks that a model gets, given how many images each turns.
    fn taken(plan: &TriggerPlan, turned: impl Fn(Step) -> u32) -> Vec<Step> {
        let mut looks = Vec::new();
        while let Some(step) = plan.next(&looks) {
            assert!(looks.len() < 100, "a plan ends");
            looks.push(seen(step, turned(step)));
        }
        looks.into_iter().map(|one| one.step).collect()
    }

    fn plan(exhaustive: bool) -> TriggerPlan {
        TriggerPlan::new(SHAPE, CombinedRule::DEFAULT, exhaustive)
    }

    #[test]
    fn a_model_that_shows_nothing_gets_first_looks_alone() {
        let looks = taken(&plan(false), |_| 25);
        assert_eq!(looks.iter().map(|step| step.level).collect::<Vec<Level>>(), Level::all(SHAPE));
        assert!(looks.iter().all(|step| step.look == Look::First));
    }

    #[test]
    fn what_is_settled_ends_the_scan_unless_it_is_exhaustive() {
        let small = |step: Step| if step.level.strength == 3 { 179 } else { 25 };
        let looks = taken(&plan(false), small);
        let strengths: Vec<u32> = looks.iter().map(|step| step.level.strength).collect();
        assert_eq!(strengths, [8, 16, 32, 64, 10, 2, 3], "random patterns, then patches");
        let all = taken(&plan(true), small);
        // Random patterns are looked at once, single pixels at the second look alone.
        assert_eq!(all.len(), 2 * Level::all(SHAPE).len() - 5 + 1);
        assert_eq!(all[13], Step { level: Level { family: Family::Patch, strength: 8 }, look: Look::Second });
        assert_eq!(all[18], Step { level: Level { family: Family::Patch, strength: 1 }, look: Look::Second });
    }

    #[test]
    fn what_is_left_open_gets_second_looks_until_it_is_settled() {
        // Half of the images at the first look, all of them when looked at again with patches of four pixels.
        let open = |step: Step| match (step.look, step.level.strength) {
            (Look::First, 4) => 100,
            (Look::Second, 4) => 180,
            _ => 25,
        };
        let looks = taken(&plan(false), open);
        assert_eq!(looks.len(), 13 + 3, "patches of eight, six and four pixels again");
        assert_eq!(looks.last().map(|step| (step.look, step.level.strength)), Some((Look::Second, 4)));
        // Left open to the end: every look at patches, and none at patterns, of which none stood out.
        assert_eq!(taken(&plan(false), |step| if step.level.strength == 4 { 100 } else { 25 }).len(), 13 + 6);
    }

    #[test]
    fn a_pair_beyond_what_is_natural_for_it_gets_second_looks() {
        let cell = |source, turned, asked| PairSuccess { source, target: 9, turned, asked };
        let second_looks = |natural: [u32; 2]| {
            let mut looks: Vec<Seen> = Vec::new();
            while let Some(step) = plan(false).next(&looks) {
                assert!(looks.len() < 100, "a plan ends");
                let mut one = seen(step, 25);
                match (step.level.family, step.level.strength) {
                    (Family::Square, _) => {
                        one.success.confusion = vec![cell(1, natural[0], 600), cell(2, natural[1], 600)];
                    }
                    (Family::Patch, 3) => one.success.pairs = vec![cell(1, 14, 20), cell(2, 12, 20)],
                    _ => {}
                }
                looks.push(one);
            }
            looks.iter().filter(|one| one.step.look == Look::Second).count()
        };
        assert_eq!((second_looks([30, 60]), second_looks([60, 60])), (6, 0));
    }

    #[test]
    fn a_scan_goes_on_where_it_was_stopped() {
        let turned = |step: Step| if step.level.strength == 4 { 100 } else { 25 };
        let all = taken(&plan(false), turned);
        for stop in 0..all.len() {
            let kept: Vec<Seen> = all[..stop].iter().map(|&step| seen(step, turned(step))).collect();
            assert_eq!(plan(false).next(&kept), Some(all[stop]));
        }
    }
}
