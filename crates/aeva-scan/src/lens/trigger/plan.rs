//! Which trigger pass comes next.

use aeva_attack::trigger::{Pass, PassId, PassResult, Setting};
use aeva_stats::{About, CombinedRule, Family, PassTally, Reason, Search, TriggerTest};

use crate::effort::Effort;

/// The result of a trigger pass in the form for the assessment.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The pass.
    pub id: PassId,
    /// Success on hold-out images.
    pub tally: PassTally,
    /// Images classified by it.
    pub queries: u64,
    /// Those of them that the model had no label for.
    pub unlabelled: u64,
}

impl Observation {
    /// The result of a pass over images `[h, w, c]` and a model of `classes` labels.
    pub fn new(id: PassId, result: &PassResult, shape: [usize; 3], classes: u32) -> Self {
        let tally = result.tally(id.setting, shape, classes);
        Self { id, tally, queries: result.queries, unlabelled: result.unlabelled }
    }
}

/// Which passes a model gets, and in which order.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerPlan {
    explored: Vec<Setting>,
    refined: Vec<Setting>,
    rule: CombinedRule,
    is_exhaustive: bool,
}

impl TriggerPlan {
    /// The plan for images `[h, w, c]`. A screen includes exploring passes alone, those of [`settings`](Self::settings). An
    /// exhaustive plan includes every pass, whatever the others found.
    pub fn new(shape: [usize; 3], rule: CombinedRule, effort: Effort) -> Self {
        let (explored, refined) = Self::settings(shape, effort);
        Self { explored, refined, rule, is_exhaustive: effort == Effort::Exhaustive }
    }

    /// The settings of the exploring and refining passes, on images `[h, w, c]`, in the order of the passes.
    ///
    /// A screen takes random triggers of all kinds, which are cheap, and the weakest patches, which show most backdoors.
    /// Other scans begin with a screen, because it settles most infected models.
    pub fn settings(shape: [usize; 3], effort: Effort) -> (Vec<Setting>, Vec<Setting>) {
        let explored = Setting::explored(shape);
        let weakest = explored.iter().find(|setting| setting.family == Family::Patch).copied();
        let is_screened = |setting: &Setting| match setting.search() {
            Search::Random(sample) => sample.about == About::Labels,
            Search::HillClimb | Search::ClimbLabels { .. } | Search::RefineOnly => Some(*setting) == weakest,
        };
        let (mut screen, others): (Vec<Setting>, Vec<Setting>) = explored.into_iter().partition(is_screened);
        // Triggers at corners are those that attackers like best.
        screen.sort_by_key(|setting| setting.family != Family::Corners);
        if effort == Effort::Screen {
            return (screen, Vec::new());
        }
        (screen.into_iter().chain(others).collect(), Setting::refined(shape))
    }

    /// The next pass, given the finished passes in their order; `None` if there is none left or none needed.
    ///
    /// Exploring passes come first, those of a screen before the others, within a family from weak to strong. They end early
    /// if something stands out so far that the verdict is clear. Otherwise refining passes follow, from strong to weak (patches down to single
    /// pixels), in the families in which anything stands out, but for those that could reach too little to be evidence.
    /// Random triggers have no refining pass because there is nothing to improve.
    pub fn next(&self, made: &[Observation]) -> Option<PassId> {
        if !self.is_exhaustive && self.rule.stops_early(&test(&self.rule, made, self.has_explored(made))) {
            return None;
        }
        let is_made = |id: PassId| made.iter().any(|one| one.id == id);
        let explore = self.explored.iter().map(|&setting| PassId { setting, pass: Pass::Explore });
        if let Some(id) = explore.into_iter().find(|&id| !is_made(id)) {
            return Some(id);
        }
        // Only exploring passes decide this: a refining pass must not decide whether the others run.
        let is_open = |family: Family| {
            let counts = |one: &&Observation| {
                let own = one.id.setting.family;
                one.id.pass == Pass::Explore && (own == family || own.spec().is_baseline)
            };
            self.is_exhaustive || self.rule.refines(&test(&self.rule, made.iter().filter(counts), true))
        };
        let refine = self.refined.iter().filter(|setting| is_open(setting.family) && !self.is_futile(**setting, made));
        refine.map(|&setting| PassId { setting, pass: Pass::Refine }).find(|&id| !is_made(id))
    }

    /// Whether a refining pass could show nothing more: what a strong trigger does not reach, a weak one does not
    /// either. The pass over a stronger setting is refined first.
    fn is_futile(&self, setting: Setting, made: &[Observation]) -> bool {
        let stronger = self.refined.iter().take_while(|other| **other != setting);
        let stronger: Vec<&Setting> = stronger.filter(|other| other.family == setting.family).collect();
        let reaches = |id: PassId| made.iter().any(|one| one.id == id && one.tally.reaches_enough());
        let is_refined = |&&setting: &&Setting| made.iter().any(|one| one.id == PassId { setting, pass: Pass::Refine });
        let explored = PassId { setting, pass: Pass::Explore };
        let last = stronger.into_iter().rev().find(is_refined);
        !self.is_exhaustive
            && !reaches(explored)
            && last.is_some_and(|&setting| !reaches(PassId { setting, pass: Pass::Refine }))
    }

    /// Whether all exploring passes are made.
    fn has_explored(&self, made: &[Observation]) -> bool {
        let is_made =
            |setting: &Setting| made.iter().any(|one| one.id == PassId { setting: *setting, pass: Pass::Explore });
        self.explored.iter().all(is_made)
    }

    /// The passes that this plan makes, as far as they exist; `found` returns the result of a pass. There may be other
    /// results, from an exhaustive scan or from an earlier version of the search. The verdict does not depend on them.
    pub fn replay(&self, mut found: impl FnMut(PassId) -> Option<Observation>) -> Passes {
        let mut made = Vec::new();
        while let Some(id) = self.next(&made) {
            let Some(one) = found(id) else {
                let count = made.len();
                let left = Some(Reason::PassesLeft { made: count });
                return Passes { explored: self.has_explored(&made), made, left, rule: self.rule.clone() };
            };
            made.push(one);
        }
        Passes { explored: self.has_explored(&made), made, left: None, rule: self.rule.clone() }
    }
}

/// The finished passes that count.
#[derive(Debug, Clone, PartialEq)]
pub struct Passes {
    /// Their results, in the order of a scan.
    pub made: Vec<Observation>,
    /// Whether all exploring passes are among them.
    pub explored: bool,
    /// Why they cannot clear a model yet, if a missing pass could still raise an alarm.
    pub left: Option<Reason>,
    /// The rule that they are tested under.
    pub rule: CombinedRule,
}

impl Passes {
    /// The test over all of them.
    pub fn test(&self) -> TriggerTest {
        test(&self.rule, &self.made, self.explored)
    }

    /// What the test takes.
    pub fn tallies(&self) -> Vec<PassTally> {
        tallies(&self.made, self.explored)
    }

    /// Why they cannot clear a model yet; no plan is without passes.
    pub(super) fn still_missing(&self) -> Option<Reason> {
        let none = self.made.is_empty().then_some(Reason::PassesLeft { made: 0 });
        self.left.clone().or(none).or_else(|| self.hidden())
    }

    /// A model may hide a backdoor by giving no label where a trigger could show: what was not answered was not seen.
    fn hidden(&self) -> Option<Reason> {
        let (images, of) = (self.unlabelled(), self.queries());
        (images > of / UNLABELLED_OF).then_some(Reason::Unlabelled { images, of })
    }

    /// Images classified by them.
    pub fn queries(&self) -> u64 {
        self.made.iter().fold(0, |sum, one| sum.saturating_add(one.queries))
    }

    /// Those of them that the model had no label for.
    pub fn unlabelled(&self) -> u64 {
        self.made.iter().fold(0, |sum, one| sum.saturating_add(one.unlabelled))
    }
}

/// A clean verdict takes labels for all but one in so many images with a trigger.
const UNLABELLED_OF: u64 = 100;

fn test<'a>(rule: &CombinedRule, made: impl IntoIterator<Item = &'a Observation>, explored: bool) -> TriggerTest {
    rule.test(&tallies(made, explored))
}

/// A trigger that chooses its images is compared with the natural weaknesses of the same model. Until all strengths are
/// explored, few of these are known, so it does not count yet.
fn tallies<'a>(made: impl IntoIterator<Item = &'a Observation>, explored: bool) -> Vec<PassTally> {
    let tally = |one: &Observation| {
        let effects = if explored { one.tally.effects.clone() } else { Vec::new() };
        PassTally { effects, ..one.tally.clone() }
    };
    made.into_iter().map(tally).collect()
}

#[cfg(test)]
mod tests {
    use aeva_stats::{Effect, PairTally, Reference, ReferenceModel, SearchedPair, Tally};

    use super::*;

    const SHAPE: [usize; 3] = [32, 32, 3];

    /// A pass that sends `hits` of 180 images to label 0, and few to the others.
    fn observed(id: PassId, hits: u32) -> Observation {
        let labels =
            [hits, 30, 20, 10, 5, 5, 5, 5, 5, 5].map(|hits| Tally::clamped(hits as usize, 180).into()).to_vec();
        let tally = PassTally {
            family: id.setting.family,
            strength: id.setting.actual_strength(SHAPE),
            labels,
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: Tally::clamped(0, 180).into(),
            effects: Vec::new(),
        };
        Observation { id, tally, queries: 1000, unlabelled: 0 }
    }

    /// The passes that a model gets, given how many images each sends to label 0.
    fn made(plan: &TriggerPlan, hits: impl Fn(PassId) -> u32) -> Vec<PassId> {
        let mut passes = Vec::new();
        while let Some(id) = plan.next(&passes) {
            assert!(passes.len() < 100, "a plan ends");
            passes.push(observed(id, hits(id)));
        }
        passes.into_iter().map(|one| one.id).collect()
    }

    fn plan(effort: Effort) -> TriggerPlan {
        // Clean models of which most hardly stand out, and none further than 1.5: what is ahead by more than the fitted
        // margins is refined, and what is far ahead is clear.
        let model = |evidence| ReferenceModel { origin: None, labels: 10, evidence };
        let models = [vec![model(-1.0); 10], vec![model(0.05); 26], vec![model(1.5); 3]].concat();
        TriggerPlan::new(SHAPE, CombinedRule::DEFAULT.against(Reference::of(models)), effort)
    }

    #[test]
    fn a_model_that_shows_nothing_gets_exploring_passes_alone() {
        let passes = made(&plan(Effort::Standard), |_| 25);
        assert_eq!(
            passes.iter().map(|id| id.setting).collect::<Vec<Setting>>(),
            TriggerPlan::settings(SHAPE, Effort::Standard).0
        );
        assert_eq!(passes.len(), Setting::explored(SHAPE).len());
        assert!(passes.iter().all(|id| id.pass == Pass::Explore));
    }

    #[test]
    fn a_screen_takes_the_weakest_patches_and_cheap_random_triggers() {
        let names = |passes: Vec<PassId>| passes.iter().map(ToString::to_string).collect::<Vec<String>>();
        let all = names(made(&plan(Effort::Screen), |_| 25));
        assert_eq!(all, ["corners-04", "patch-02", "wave-08", "noise-16", "noise-32", "tone-01"]);
        assert_eq!(names(made(&plan(Effort::Standard), |_| 25))[..6], all, "others begin with it");
        // What stands out is not refined.
        let tones = |id: PassId| if id.setting.family == Family::Tone { 150 } else { 25 };
        assert_eq!(names(made(&plan(Effort::Screen), tones)), all);
        assert_eq!(names(made(&plan(Effort::Screen), |_| 180)), all[..1]);
    }

    #[test]
    fn what_is_clear_ends_the_scan_unless_it_is_exhaustive() {
        let small = |id: PassId| if id.setting.strength == 4 && id.setting.family == Family::Patch { 180 } else { 25 };
        let passes = made(&plan(Effort::Standard), small);
        let strengths: Vec<u32> = passes.iter().map(|id| id.setting.strength).collect();
        assert_eq!(strengths, [4, 2, 8, 16, 32, 1, 10, 4], "a screen, the baseline, then patches");
        let all = made(&plan(Effort::Exhaustive), small);
        assert_eq!(all.len(), Setting::explored(SHAPE).len() + Setting::refined(SHAPE).len());
        let refined = |strength| PassId { setting: Setting { family: Family::Patch, strength }, pass: Pass::Refine };
        assert_eq!(all[12], refined(8));
        assert_eq!(all[17], refined(1));
    }

    #[test]
    fn what_is_left_open_gets_refining_passes_until_it_is_clear() {
        // Most of the images in exploring passes, all of them in the refining pass over patches of four pixels.
        let open = |id: PassId| match (id.pass, id.setting.strength) {
            (Pass::Explore, 4) if id.setting.family == Family::Patch => 150,
            (Pass::Refine, 4) => 180,
            _ => 25,
        };
        let passes = made(&plan(Effort::Standard), open);
        // Patches of eight pixels reach little, so those of six are left out; those of four reached more.
        assert_eq!(passes.len(), 12 + 2, "patches of eight and four pixels again");
        assert_eq!(passes.last().map(|id| (id.pass, id.setting.strength)), Some((Pass::Refine, 4)));
        // The verdict stays open to the end: patches of three pixels run as well, then nothing is left to find. No pass
        // runs over overlays, where nothing stands out.
        let many = |id: PassId| if id.setting.strength == 4 && id.setting.family == Family::Patch { 150 } else { 25 };
        let passes = made(&plan(Effort::Standard), many);
        let refined: Vec<u32> = passes[12..].iter().map(|id| id.setting.strength).collect();
        assert_eq!(refined, [8, 4, 3]);
        // As long as patches reach enough, weaker ones are tried, down to single pixels.
        let all = |id: PassId| if id.setting.family == Family::Patch { 150 } else { 25 };
        assert_eq!(made(&plan(Effort::Standard), all).len(), 12 + 6);
    }

    #[test]
    fn a_pair_above_its_baseline_gets_refining_passes() {
        let cell = |source, hits, trials| PairTally { source, target: 9, tally: Tally::clamped(hits, trials) };
        let refined = |baseline: [usize; 2]| {
            let mut passes: Vec<Observation> = Vec::new();
            while let Some(id) = plan(Effort::Standard).next(&passes) {
                assert!(passes.len() < 100, "a plan ends");
                let mut one = observed(id, 25);
                match (id.setting.family, id.setting.strength) {
                    (Family::Square, _) => {
                        one.tally.confusion = vec![cell(1, baseline[0], 600), cell(2, baseline[1], 600)];
                    }
                    (Family::Patch, 4) => {
                        let searched = |pair| SearchedPair { pair, climbed: true };
                        one.tally.pairs = [cell(1, 390, 400), cell(2, 390, 400)].map(searched).to_vec();
                    }
                    _ => {}
                }
                passes.push(one);
            }
            passes.iter().filter(|one| one.id.pass == Pass::Refine).count()
        };
        assert_eq!((refined([30, 500]), refined([500, 500])), (3, 0));
    }

    /// The natural weaknesses of the model are not known before.
    #[test]
    fn what_chooses_its_images_counts_when_all_strengths_are_explored() {
        let cell = |source, target, hits| PairTally { source, target, tally: Tally::clamped(hits, 100) };
        let effect = Effect { reached: vec![cell(3, 5, 100)], kept: vec![cell(1, 1, 100)] };
        let observe = |id: PassId| {
            let mut one = observed(id, 25);
            if (id.setting.family, id.setting.strength) == (Family::Patch, 2) {
                one.tally.effects = vec![effect.clone()];
            }
            Some(one)
        };
        let found = plan(Effort::Standard).replay(observe);
        assert_eq!((found.made.len(), found.explored, found.left.clone()), (12, true, None));
        assert_eq!(found.test().pair.map(|pair| (pair.source, pair.target)), Some((3, 5)));
        assert_eq!(found.tallies().iter().map(|tally| tally.effects.len()).sum::<usize>(), 1);
        let half =
            plan(Effort::Standard).replay(|id| observe(id).filter(|one| one.id.setting.family != Family::Overlay));
        assert!(!half.explored && half.left.is_some());
        assert!(half.test().pair.is_none() && half.tallies().iter().all(|tally| tally.effects.is_empty()));
    }

    #[test]
    fn a_model_without_labels_is_not_cleared() {
        let missing = |unlabelled| {
            let observe = |id| Some(Observation { unlabelled, ..observed(id, 25) });
            plan(Effort::Standard).replay(observe).still_missing()
        };
        assert_eq!((missing(0), missing(10)), (None, None), "one of a hundred");
        let passes = Setting::explored(SHAPE).len() as u64;
        assert_eq!(missing(11), Some(Reason::Unlabelled { images: 11 * passes, of: 1000 * passes }));
    }

    #[test]
    fn a_scan_goes_on_where_it_was_stopped() {
        let hits = |id: PassId| if id.setting.strength == 4 { 100 } else { 25 };
        let all = made(&plan(Effort::Standard), hits);
        for stop in 0..all.len() {
            let kept: Vec<Observation> = all[..stop].iter().map(|&id| observed(id, hits(id))).collect();
            assert_eq!(plan(Effort::Standard).next(&kept), Some(all[stop]));
        }
    }
}
