//! The refining pass over a setting. It climbs again for the goals that stood out, with more steps and more starting
//! points, among them the triggers of the next stronger setting. A backdoor is recognised by how *little* it needs; the
//! exploring passes go from weak to strong and may miss the minimum.

use aeva_stats::{Tally, TargetMap};

use super::baseline::{Baseline, Outcome};
use super::hill_climb::{self, Effort, HillClimb};
use super::query::{Image, Queries, Request, images_of, on_all};
use super::searcher::Searcher;
use super::{PassResult, Setting, Trigger, TriggerFinding, WarmStart};
use crate::ScanError;

/// Labels whose starting points are measured, chosen by the results of the exploring pass and of the stronger setting.
const LABELS: usize = 4;
/// Pairs of labels whose starting points are measured.
const PAIRS: usize = 6;
/// How many of these labels get a hill climb.
const CLIMBED_LABELS: usize = 3;
/// How many of these pairs get a hill climb.
const CLIMBED_PAIRS: usize = 4;

/// Searches the triggers of a setting again, or those of a setting that was not explored. Returns all findings of the
/// exploring pass; refined ones replace the old ones.
pub(super) fn refine(
    searcher: &Searcher<'_>,
    setting: Setting,
    warm: &WarmStart<'_>,
    queries: &mut Queries<'_, '_>,
) -> Result<PassResult, ScanError> {
    let WarmStart { explored, stronger, .. } = *warm;
    let baseline = Baseline::new(warm.baseline);
    let crops: Vec<&[f32]> = searcher.split.search().iter().map(|&(index, _)| queries.image(index)).collect();
    let tie = |goal| searcher.tie(setting, goal);
    let climbs = begin(&goals(explored, stronger, &baseline, tie), searcher, setting, warm, queries)?;
    let (mut climbs, others) = leading(climbs, &baseline, tie);
    hill_climb::run(&mut climbs, Effort::REFINE, &crops, queries)?;
    let (dropped, ended): (Vec<HillClimb>, Vec<HillClimb>) = climbs.into_iter().partition(HillClimb::is_dropped);
    let mut refined = searcher.measure(ended, true, queries)?;
    if explored.is_empty() {
        // Every label has a finding, though nothing is measured of those that were left behind.
        let unmeasured = |climb: HillClimb| climb.finding(false, Vec::new(), Vec::new());
        refined.extend(dropped.into_iter().chain(others).map(unmeasured));
        let left: Vec<&TriggerFinding> = stronger
            .iter()
            .filter(|old| old.goal.is_all_to_one() && refined.iter().all(|new| new.goal != old.goal))
            .collect();
        refined.extend(left.into_iter().filter_map(|old| {
            let trigger = old.trigger.weakened(setting, queries.shape()).into_iter().next()?;
            let (goal, search) = (old.goal, Tally::ZERO);
            Some(TriggerFinding { goal, trigger, climbed: false, search, holdout: Vec::new(), kept: Vec::new() })
        }));
    }
    let old = explored.iter().filter(|old| refined.iter().all(|new| new.goal != old.goal));
    // They were not climbed again, so they must not be compared with those that were.
    let old = old.map(|old| TriggerFinding { climbed: false, ..old.clone() });
    let mut findings: Vec<TriggerFinding> = old.chain(refined.iter().cloned()).collect();
    findings.sort_by_key(|finding| finding.goal);
    let found =
        PassResult { findings, confusion: Vec::new(), queries: queries.count(), unlabelled: queries.unlabelled() };
    Ok(found.without_last_labels(|goal| searcher.tie(setting, goal)))
}

/// Where climbs begin: for labels and the map with the exploration images, which the other search images join later. A
/// pair of labels has few, so it gets the reserve too.
fn begin(
    goals: &[TargetMap],
    searcher: &Searcher<'_>,
    setting: Setting,
    warm: &WarmStart<'_>,
    queries: &mut Queries<'_, '_>,
) -> Result<Vec<HillClimb>, ScanError> {
    let split = searcher.split;
    let images = |goal: TargetMap| {
        if goal.is_source_specific() {
            let search = images_of(split.search(), goal).into_iter();
            (search.chain(images_of(split.reserve(), goal)).collect(), Vec::new())
        } else {
            let (first, more) = split.search().split_at(split.explore().len());
            (images_of(first, goal), images_of(more, goal))
        }
    };
    let images: Vec<(Vec<Image>, Vec<Image>)> = goals.iter().map(|&goal| images(goal)).collect();
    let triggers: Vec<Vec<Trigger>> = goals.iter().map(|&goal| starts(goal, setting, warm, queries.shape())).collect();
    let requests = triggers.iter().zip(&images).flat_map(|(triggers, (first, _))| on_all(triggers, first));
    let mut answers = queries.ask(&requests.collect::<Vec<Request<'_>>>())?.into_iter();
    let climbs = goals.iter().zip(triggers).zip(images).filter_map(|((&goal, triggers), (first, more))| {
        let tried = triggers.into_iter().zip(answers.by_ref()).collect();
        HillClimb::new(goal, &first, more, tried, searcher.refine_stream(setting, goal))
    });
    Ok(climbs.collect())
}

/// Goals worth a measurement: the labels that the most search images reached, here or in the next stronger setting, the
/// leading pairs, and the all-to-all map.
fn goals(
    explored: &[TriggerFinding],
    stronger: &[TriggerFinding],
    baseline: &Baseline,
    tie: impl Fn(TargetMap) -> usize,
) -> Vec<TargetMap> {
    let leaders = |findings: &[TriggerFinding], kind: fn(TargetMap) -> bool, count: usize| -> Vec<TargetMap> {
        let of_kind = findings.iter().filter(|finding| kind(finding.goal));
        baseline.leaders(&of_kind.map(Outcome::from).collect::<Vec<Outcome>>(), count, &tie)
    };
    let mut goals = leaders(explored, TargetMap::is_all_to_one, LABELS);
    goals.extend(leaders(stronger, TargetMap::is_all_to_one, LABELS));
    goals.extend(leaders(explored, TargetMap::is_source_specific, PAIRS));
    goals.extend(leaders(stronger, TargetMap::is_source_specific, CLIMBED_PAIRS));
    goals.push(TargetMap::AllToAll);
    goals.sort_unstable();
    goals.dedup();
    goals
}

/// Where a hill climb may start: the finding of the exploring pass, and the stronger trigger reduced to this setting.
fn starts(goal: TargetMap, setting: Setting, warm: &WarmStart<'_>, shape: [usize; 3]) -> Vec<Trigger> {
    let of = |findings: &[TriggerFinding]| findings.iter().position(|finding| finding.goal == goal);
    let mut starts: Vec<Trigger> = of(warm.explored).map(|at| warm.explored[at].trigger.clone()).into_iter().collect();
    if let Some(at) = of(warm.stronger) {
        starts.extend(warm.stronger[at].trigger.weakened(setting, shape));
    }
    starts
}

/// The climbs with the best starting points, some of each kind, and the remaining ones.
fn leading(
    climbs: Vec<HillClimb>,
    baseline: &Baseline,
    tie: impl Fn(TargetMap) -> usize,
) -> (Vec<HillClimb>, Vec<HillClimb>) {
    let leaders = |kind: fn(TargetMap) -> bool, count: usize| {
        let of_kind = climbs.iter().filter(|climb| kind(climb.goal));
        let outcome = |climb: &HillClimb| Outcome { goal: climb.goal, tally: climb.tally() };
        baseline.leaders(&of_kind.map(outcome).collect::<Vec<Outcome>>(), count, &tie)
    };
    let mut chosen = leaders(TargetMap::is_all_to_one, CLIMBED_LABELS);
    chosen.extend(leaders(TargetMap::is_source_specific, CLIMBED_PAIRS));
    chosen.push(TargetMap::AllToAll);
    climbs.into_iter().partition(|climb| chosen.contains(&climb.goal))
}
