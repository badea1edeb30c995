//! The exploring pass over a setting: random candidates for all labels at once, a hill climb for each label, and a
//! measurement on hold-out images.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aeva_stats::{Search, Tally, TargetMap};

use super::baseline::{Baseline, Outcome};
use super::candidates::candidate;
use super::hill_climb::{self, Effort, HillClimb};
use super::query::{Image, Queries, Request, images_of, indices, on_all};
use super::score::{confusion, score};
use super::searcher::Searcher;
use super::{PassResult, Setting, Trigger, TriggerFinding, WarmStart};
use crate::{Label, NO_LABEL, ScanError};

/// What an exploring pass searches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// Random candidates.
    pub(super) candidates: u32,
    /// Whether pairs of labels and the all-to-all map are searched besides target labels.
    beyond_labels: bool,
    /// How long it climbs.
    effort: Effort,
}

impl Scope {
    /// That of a search.
    pub(super) fn of(search: Search) -> Self {
        match search {
            Search::ClimbLabels { candidates, is_patient } => {
                let effort = if is_patient { Effort::PATIENT } else { Effort::EXPLORE };
                Self { candidates, beyond_labels: false, effort }
            }
            Search::HillClimb | Search::RefineOnly | Search::Random(_) => {
                Self { candidates: CANDIDATES, beyond_labels: true, effort: Effort::EXPLORE }
            }
        }
    }
}

/// Random candidates of a setting where pairs are searched as well, which few of them show.
const CANDIDATES: u32 = 300;
/// Candidates that the climb for a pair may start from.
const PAIR_STARTS: usize = 2;
/// Labels with a hill climb. If there are more labels, those that the most images reached in the exploration are
/// chosen.
pub(super) const CLIMBED_LABELS: usize = 12;
/// A dot is climbed from if it turns one of so many images.
const DOT_SHOWS: usize = 4;
/// Pairs of labels that are screened on more images.
const SCREENED_PAIRS: usize = 240;
/// Images of one label used to search its pairs, if there are enough.
const PAIR_IMAGES: usize = 6;
/// Pairs of labels with a hill climb.
const CLIMBED_PAIRS: usize = 24;
/// Extra pairs, taken from the best of the next weaker setting.
const WARM_PAIRS: usize = 4;

/// A candidate with its answers on the exploration images. One that changed none of those that it was tried on first is taken to
/// change none of the others.
type Explored = (Trigger, Vec<Label>);

/// Searches the triggers of a setting.
pub(super) fn explore(
    searcher: &Searcher<'_>,
    setting: Setting,
    scope: Scope,
    warm: &WarmStart<'_>,
    queries: &mut Queries<'_, '_>,
) -> Result<PassResult, ScanError> {
    let pass = Exploration { searcher, setting, scope, weaker: warm.weaker, baseline: Baseline::new(warm.baseline) };
    let crops: Vec<&[f32]> = searcher.split.search().iter().map(|&(index, _)| queries.image(index)).collect();
    let mut explored = pass.candidates(&crops, queries)?;
    pass.complete(&mut explored, queries)?;
    let climbed = pass.climbed_labels(&explored);
    let pairs = if scope.beyond_labels { pass.pairs(&explored, queries)? } else { BTreeSet::new() };
    let map = scope.beyond_labels.then_some(TargetMap::AllToAll);

    let mut climbs = pass.starts(&explored, climbed.iter().copied().chain(pairs).chain(map), queries)?;
    hill_climb::run(&mut climbs, scope.effort, &crops, queries)?;
    let (dropped, ended): (Vec<HillClimb>, Vec<HillClimb>) = climbs.into_iter().partition(HillClimb::is_dropped);
    let left = searcher.labels().filter(|goal| !climbed.contains(goal));
    let left: Vec<HillClimb> = left.filter_map(|goal| pass.best(&explored, goal)).collect();
    let mut findings = searcher.measure(ended, true, queries)?;
    findings.extend(dropped.into_iter().chain(left).map(|climb| climb.finding(false, Vec::new(), Vec::new())));
    findings.sort_by_key(|finding| finding.goal);
    let attraction = confusion(searcher.split.explore(), explored.iter().map(|(_, answers)| answers.as_slice()));
    let found =
        PassResult { findings, confusion: attraction, queries: queries.count(), unlabelled: queries.unlabelled() };
    Ok(found.without_last_labels(|goal| searcher.tie(setting, goal)))
}

/// Whether the images, the first ones that a candidate was tried on, keep their labels.
fn changes_none((_, answers): &Explored, images: &[Image]) -> bool {
    answers.iter().zip(images).all(|(answer, (_, own))| answer == own)
}

/// Tries candidates on more images.
fn extend(explored: Vec<&mut Explored>, images: &[Image], queries: &mut Queries<'_, '_>) -> Result<(), ScanError> {
    let requests = explored.iter().map(|(trigger, _)| Request { trigger, images: indices(images) });
    let answers = queries.ask(&requests.collect::<Vec<Request<'_>>>())?;
    for ((_, known), answers) in explored.into_iter().zip(answers) {
        known.extend(answers);
    }
    Ok(())
}

struct Exploration<'a> {
    searcher: &'a Searcher<'a>,
    setting: Setting,
    scope: Scope,
    weaker: &'a [TriggerFinding],
    baseline: Baseline,
}

impl Exploration<'_> {
    /// Random candidates, each with the labels that the model gives to the stamped exploration images. One that changes none of
    /// the first ones, which are of all classes, is not tried on the others.
    fn candidates(&self, crops: &[&[f32]], queries: &mut Queries<'_, '_>) -> Result<Vec<Explored>, ScanError> {
        let shape = queries.shape();
        let stream = |item| self.searcher.stream(self.setting, item);
        let candidates: Vec<Trigger> =
            (0..self.scope.candidates).map(|item| candidate(self.setting, shape, crops, &mut stream(item))).collect();
        let (first, others) = self.searcher.split.explore().split_at(self.searcher.split.first_look());
        let answers = queries.ask(&on_all(&candidates, first))?;
        let mut explored: Vec<Explored> = candidates.into_iter().zip(answers).collect();
        let (idle, going): (Vec<&mut Explored>, Vec<&mut Explored>) =
            explored.iter_mut().partition(|one| changes_none(one, first));
        extend(going, others, queries)?;
        for (_, answers) in idle {
            answers.extend(others.iter().map(|&(_, own)| own));
        }
        Ok(explored)
    }

    /// Tries what climbs may begin at on all exploration images. What is best with answers that are missing stays so with them,
    /// because they can only add to it.
    fn complete(&self, explored: &mut [Explored], queries: &mut Queries<'_, '_>) -> Result<(), ScanError> {
        let (first, others) = self.searcher.split.explore().split_at(self.searcher.split.first_look());
        let goals = self.searcher.labels().chain([TargetMap::AllToAll]);
        let best: BTreeSet<usize> = goals.filter_map(|goal| Some(self.ranking(explored, goal).first()?.1)).collect();
        let mut open: Vec<&mut Explored> = Vec::new();
        for (at, one) in explored.iter_mut().enumerate() {
            if best.contains(&at) && changes_none(one, first) {
                one.1.truncate(first.len());
                open.push(one);
            }
        }
        extend(open, others, queries)
    }

    /// Where climbs begin: for a label and for the map at the candidate with the most hits among the exploration images,
    /// for a pair at the best of some; or at what the weaker setting found.
    fn starts(
        &self,
        explored: &[Explored],
        goals: impl Iterator<Item = TargetMap>,
        queries: &mut Queries<'_, '_>,
    ) -> Result<Vec<HillClimb>, ScanError> {
        let shape = queries.shape();
        let begin = |goal: TargetMap| {
            let weaker = self.weaker.iter().find(|finding| finding.goal == goal);
            let mut starts: Vec<Trigger> =
                weaker.map(|finding| finding.trigger.strengthened(self.setting, shape)).into_iter().collect();
            let is_pair = goal.is_source_specific();
            if is_pair {
                let best = self.ranking(explored, goal).into_iter().take(PAIR_STARTS);
                starts.extend(best.map(|(_, at)| explored[at].0.clone()));
            }
            let images = if is_pair { self.images(goal) } else { self.explored_images(goal) };
            (goal, starts, images)
        };
        let starts: Vec<(TargetMap, Vec<Trigger>, Vec<Image>)> = goals.map(begin).collect();
        let requests = starts.iter().flat_map(|(_, triggers, images)| on_all(triggers, images));
        let mut answers = queries.ask(&requests.collect::<Vec<Request<'_>>>())?.into_iter();
        let mut climbs = Vec::with_capacity(starts.len());
        for (goal, triggers, images) in starts {
            let stream = self.searcher.climb_stream(self.setting, goal);
            let mut tried: Vec<Explored> = triggers.into_iter().zip(answers.by_ref()).collect();
            let mut more = Vec::new();
            if !goal.is_source_specific() {
                tried.splice(0..0, self.best_candidate(explored, goal));
                more = images_of(&self.searcher.split.search()[self.searcher.split.explore().len()..], goal);
            }
            climbs.extend(HillClimb::new(goal, &images, more, tried, stream));
        }
        Ok(climbs)
    }

    /// The best candidate for a goal as a climb that goes nowhere.
    fn best(&self, explored: &[Explored], goal: TargetMap) -> Option<HillClimb> {
        let start = self.best_candidate(explored, goal).into_iter().collect();
        let stream = self.searcher.climb_stream(self.setting, goal);
        HillClimb::new(goal, &self.explored_images(goal), Vec::new(), start, stream)
    }

    /// The candidate with the most hits, with its answers on the exploration images that the goal applies to.
    fn best_candidate(&self, explored: &[Explored], goal: TargetMap) -> Option<Explored> {
        let (_, at) = self.ranking(explored, goal).into_iter().next()?;
        let (trigger, answers) = &explored[at];
        let own = self.searcher.split.explore().iter().zip(answers).filter(|&(&(_, truth), _)| goal.includes(truth));
        Some((trigger.clone(), own.map(|(_, &answer)| answer).collect()))
    }

    fn explored_images(&self, goal: TargetMap) -> Vec<Image> {
        images_of(self.searcher.split.explore(), goal)
    }

    /// The labels that a single candidate reached from the most images; ties are drawn.
    fn climbed_labels(&self, explored: &[Explored]) -> Vec<TargetMap> {
        let best = |goal| explored.iter().map(|(_, answers)| self.score(answers, goal)).max().unwrap_or(0);
        let ranked = |goal| (Reverse(best(goal)), self.tie(goal), goal);
        let mut labels: Vec<(Reverse<usize>, usize, TargetMap)> = self.searcher.labels().map(ranked).collect();
        labels.sort_unstable();
        labels.truncate(CLIMBED_LABELS);
        if self.setting.family.spec().is_absolute {
            // A dot of about the right colour shows itself at once; from one that does nothing, no step leads there.
            let enough = self.searcher.split.explore().len().div_ceil(DOT_SHOWS);
            labels.retain(|(Reverse(best), ..)| *best >= enough);
        }
        labels.into_iter().map(|(.., goal)| goal).collect()
    }

    fn tie(&self, goal: TargetMap) -> usize {
        self.searcher.tie(self.setting, goal)
    }

    /// Success of a candidate for a goal. Only images that the goal applies to are counted.
    fn score(&self, answers: &[Label], goal: TargetMap) -> usize {
        let about = self.searcher.split.explore().iter().zip(answers).filter(|&(&(_, truth), _)| goal.includes(truth));
        let (truth, answers): (Vec<Label>, Vec<Label>) = about.map(|(&(_, truth), &answer)| (truth, answer)).unzip();
        score(goal, &truth, &answers)
    }

    /// Score and index of every candidate for a goal, best first.
    fn ranking(&self, explored: &[Explored], goal: TargetMap) -> Vec<(usize, usize)> {
        let mut ranking: Vec<(usize, usize)> =
            explored.iter().map(|(_, answers)| self.score(answers, goal)).zip(0..).collect();
        // The sort is stable, so ties keep the order of the candidates.
        ranking.sort_by_key(|&(score, _)| Reverse(score));
        ranking
    }

    /// Pairs of labels worth a hill climb. These are the best of the pairs that some candidate sent an image along,
    /// after a screening on more images of the source, and the best pairs of the weaker setting. Without the screening,
    /// chance and natural weakness would fill the list.
    fn pairs(&self, explored: &[Explored], queries: &mut Queries<'_, '_>) -> Result<BTreeSet<TargetMap>, ScanError> {
        let best = |goal: TargetMap| Some((goal, self.ranking(explored, goal).first()?.1, self.images(goal)));
        let screened: Vec<(TargetMap, usize, Vec<Image>)> =
            self.screened(explored).into_iter().filter_map(best).collect();
        let requests =
            screened.iter().map(|(_, at, images)| Request { trigger: &explored[*at].0, images: indices(images) });
        let answers = queries.ask(&requests.collect::<Vec<Request<'_>>>())?;
        let outcome = |(&(goal, ..), answers): (&(TargetMap, usize, Vec<Image>), Vec<Label>)| Outcome {
            goal,
            tally: Tally::count(answers.into_iter().map(|answer| Some(answer) == goal.target())),
        };
        let found: Vec<Outcome> = screened.iter().zip(answers).map(outcome).collect();
        let pairs = self.weaker.iter().filter(|finding| finding.goal.is_source_specific());
        let warm: Vec<Outcome> = pairs.map(Outcome::from).collect();
        let tie = |goal| self.tie(goal);
        let leaders = self.baseline.leaders(&found, CLIMBED_PAIRS, tie).into_iter();
        Ok(leaders.chain(self.baseline.leaders(&warm, WARM_PAIRS, tie)).collect())
    }

    /// Pairs that some candidate sent an exploration image along: most images first, then the lowest baseline; ties are
    /// drawn.
    fn screened(&self, explored: &[Explored]) -> Vec<TargetMap> {
        let mut cells: BTreeMap<TargetMap, usize> = BTreeMap::new();
        for (_, answers) in explored {
            let mut here: BTreeMap<TargetMap, usize> = BTreeMap::new();
            let sent = answers
                .iter()
                .zip(self.searcher.split.explore())
                .filter(|&(answer, (_, truth))| answer != truth && *answer != NO_LABEL);
            for (&target, &(_, source)) in sent {
                *here.entry(TargetMap::SourceSpecific { source, target }).or_default() += 1;
            }
            for (goal, count) in here {
                let most = cells.entry(goal).or_default();
                *most = (*most).max(count);
            }
        }
        let one_miss = Tally::ZERO.with_misses(1);
        let mut order: Vec<(usize, f64, TargetMap)> =
            cells.into_iter().map(|(goal, most)| (most, self.baseline.odds_ratio(goal, one_miss), goal)).collect();
        let tie = |goal| (self.tie(goal), goal);
        order.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then_with(|| tie(a.2).cmp(&tie(b.2))));
        order.into_iter().take(SCREENED_PAIRS).map(|(.., goal)| goal).collect()
    }

    /// The images of a goal. A pair with too few search images gets some of the reserve.
    fn images(&self, goal: TargetMap) -> Vec<Image> {
        let split = self.searcher.split;
        let mut images = images_of(split.search(), goal);
        if goal.is_source_specific() {
            let missing = PAIR_IMAGES.saturating_sub(images.len());
            images.extend(images_of(split.reserve(), goal).into_iter().take(missing));
        }
        images
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use aeva_stats::Family;
    use ndarray::Array4;

    use super::super::ImageSplit;
    use super::*;
    use crate::synthetic::NearestCentre;
    use crate::{CorrectImages, HardLabelOracle, InputSpec};

    #[test]
    fn a_candidate_that_changes_nothing_is_tried_on_half_of_the_images() {
        // Five labels by brightness, further apart than a pattern of 16/255 reaches; no two images are the same.
        let spec = InputSpec { height: 8, width: 8, channels: 1, classes: 5 };
        let brightness = |label: usize| 0.1 + 0.2 * label as f32;
        let centres = (0..5).map(|label| vec![f64::from(brightness(label)); spec.values()]).collect();
        let images = Array4::from_shape_fn((300, 8, 8, 1), |(index, row, column, _)| {
            brightness(index % 5) + 1e-4 * ((index * 64 + row * 8 + column) % 97) as f32
        });
        let truth: Vec<Label> = (0..300).map(|index| index % 5).collect();
        let split = ImageSplit::new(&CorrectImages::new(&truth, &truth, 5).unwrap(), 0);
        let (view, mut answers) = (images.view(), Vec::new());
        let mut boxes: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(NearestCentre::new(spec, centres))];
        let mut queries = Queries::new(&mut boxes, &view, split.images(), 64, &mut answers, &()).unwrap();
        let searcher = Searcher { split: &split, seed: 0 };
        let setting = Setting { family: Family::Overlay, strength: 16 };
        let scope = Scope::of(Search::HillClimb);
        let pass = Exploration { searcher: &searcher, setting, scope, weaker: &[], baseline: Baseline::default() };

        let mut explored = pass.candidates(&[], &mut queries).unwrap();
        let own: Vec<Label> = split.explore().iter().map(|&(_, truth)| truth).collect();
        assert_eq!((own.len(), explored.len()), (20, CANDIDATES as usize));
        assert!(explored.iter().all(|(_, answers)| *answers == own), "what was not asked about counts as unchanged");
        let (count, all) = (queries.count(), u64::from(CANDIDATES) * 10);
        assert!((all * 7 / 10..=all).contains(&count), "{count} of {all} on ten images; some candidates are the same");

        // Nothing is best; the first candidate stands for every goal, and is tried on the other images.
        pass.complete(&mut explored, &mut queries).unwrap();
        assert_eq!(queries.count(), count + 10);
        assert!(explored.iter().all(|(_, answers)| *answers == own));
    }
}
