//! The exploring pass over a setting: random candidates for all labels at once, a hill climb for each label, and a
//! measurement on hold-out images.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aeva_stats::{Tally, TargetMap};

use super::baseline::{Baseline, Outcome};
use super::candidates::candidate;
use super::hill_climb::{self, Effort, HillClimb};
use super::query::{Queries, Request};
use super::score::{confusion, score};
use super::searcher::{Image, Searcher, images_of, indices, on_all};
use super::{PassResult, Setting, Trigger, TriggerFinding, WarmStart};
use crate::{Label, NO_LABEL, ScanError};

/// Random candidates for each setting.
pub(super) const CANDIDATES: u32 = 300;
/// Candidates that a hill climb may start from.
const STARTS: usize = 4;
/// Labels with a hill climb. If there are more labels, those that the most images reached in the exploration are
/// chosen.
pub(super) const CLIMBED_LABELS: usize = 12;
/// Pairs of labels that are screened on more images.
const SCREENED_PAIRS: usize = 240;
/// Candidates used to screen each of these pairs.
const SCREENED_CANDIDATES: usize = 2;
/// Images of one label used to search its pairs, if there are enough.
const PAIR_IMAGES: usize = 6;
/// Pairs of labels with a hill climb.
const CLIMBED_PAIRS: usize = 24;
/// Extra pairs, taken from the best of the next weaker setting.
const WARM_PAIRS: usize = 4;

/// A candidate with its answers on the exploration images.
type Explored = (Trigger, Vec<Label>);

/// Searches the triggers of a setting.
pub(super) fn explore(
    searcher: &Searcher<'_>,
    setting: Setting,
    warm: &WarmStart<'_>,
    queries: &mut Queries<'_, '_>,
) -> Result<PassResult, ScanError> {
    let pass = Exploration { searcher, setting, weaker: warm.weaker, baseline: Baseline::new(warm.baseline) };
    let crops: Vec<&[f32]> = searcher.split.search().iter().map(|&(index, _)| queries.image(index)).collect();
    let explored = pass.candidates(&crops, queries)?;
    let climbed = pass.climbed_labels(&explored);
    let pairs = pass.pairs(&explored, queries)?;

    let shape = queries.shape();
    let mut climbs = Vec::new();
    for goal in searcher.labels().chain(pairs).chain([TargetMap::AllToAll]) {
        let chosen = !goal.is_all_to_one() || climbed.contains(&goal);
        let ranking = pass.ranking(&explored, goal).into_iter().take(if chosen { STARTS } else { 1 });
        let mut starts: Vec<Trigger> = ranking.map(|(_, at)| explored[at].0.clone()).collect();
        let weaker = warm.weaker.iter().find(|finding| finding.goal == goal);
        starts.extend(weaker.map(|finding| finding.trigger.strengthened(setting, shape)));
        let images = pass.images(goal);
        let answers = queries.ask(&on_all(&starts, &images))?;
        let stream = searcher.climb_stream(setting, goal);
        let climb = HillClimb::new(goal, &images, starts.into_iter().zip(answers).collect(), stream);
        climbs.extend(climb.map(|climb| (chosen, climb)));
    }
    let (chosen, others): (Vec<_>, Vec<_>) = climbs.into_iter().partition(|(chosen, _)| *chosen);
    let mut chosen: Vec<HillClimb> = chosen.into_iter().map(|(_, climb)| climb).collect();
    hill_climb::run(&mut chosen, Effort::EXPLORE, &crops, queries)?;
    let ended = chosen.into_iter().map(|climb| (!climb.is_dropped(), climb)).chain(others).collect();
    let mut findings = searcher.measure(ended, queries)?;
    findings.sort_by_key(|finding| finding.goal);
    let attraction = confusion(searcher.split.explore(), explored.iter().map(|(_, answers)| answers.as_slice()));
    Ok(PassResult { findings, confusion: attraction, queries: queries.count(), unlabelled: queries.unlabelled() })
}

struct Exploration<'a> {
    searcher: &'a Searcher<'a>,
    setting: Setting,
    weaker: &'a [TriggerFinding],
    baseline: Baseline,
}

impl Exploration<'_> {
    /// Random candidates, each with the labels that the model gives to the stamped exploration images.
    fn candidates(&self, crops: &[&[f32]], queries: &mut Queries<'_, '_>) -> Result<Vec<Explored>, ScanError> {
        let shape = queries.shape();
        let stream = |item| self.searcher.stream(self.setting, item);
        let candidates: Vec<Trigger> =
            (0..CANDIDATES).map(|item| candidate(self.setting, shape, crops, &mut stream(item))).collect();
        let answers = queries.ask(&on_all(&candidates, self.searcher.split.explore()))?;
        Ok(candidates.into_iter().zip(answers).collect())
    }

    /// The labels that a single candidate reached from the most images; ties are drawn.
    fn climbed_labels(&self, explored: &[Explored]) -> Vec<TargetMap> {
        let best = |goal| explored.iter().map(|(_, answers)| self.score(answers, goal)).max().unwrap_or(0);
        let ranked = |goal| (Reverse(best(goal)), self.tie(goal), goal);
        let mut labels: Vec<(Reverse<usize>, usize, TargetMap)> = self.searcher.labels().map(ranked).collect();
        labels.sort_unstable();
        labels.truncate(CLIMBED_LABELS);
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
        let mut screened = Vec::new();
        for goal in self.screened(explored) {
            let ranking = self.ranking(explored, goal).into_iter().take(SCREENED_CANDIDATES);
            screened.push((goal, ranking.map(|(_, at)| at).collect::<Vec<usize>>(), self.images(goal)));
        }
        let requests = screened.iter().flat_map(|(_, candidates, images)| {
            candidates.iter().map(|&at| Request { trigger: &explored[at].0, images: indices(images) })
        });
        let mut answers = queries.ask(&requests.collect::<Vec<Request<'_>>>())?.into_iter();
        let mut found = Vec::with_capacity(screened.len());
        for (goal, candidates, images) in &screened {
            let tallies = answers
                .by_ref()
                .take(candidates.len())
                .map(|answers| Tally::count(answers.into_iter().map(|answer| Some(answer) == goal.target())));
            let best = tallies.max_by_key(|tally| tally.hits());
            let none = || Tally::ZERO.with_misses(u32::try_from(images.len()).unwrap_or(u32::MAX));
            found.push(Outcome { goal: *goal, tally: best.unwrap_or_else(none) });
        }
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
