//! The refining pass over a setting. It climbs again for the goals that stood out, with more steps and more starting
//! points, among them the triggers of the next stronger setting. A backdoor is recognised by how *little* it needs; the
//! exploring passes go from weak to strong and may miss the minimum.

use aeva_stats::TargetMap;

use super::baseline::{Baseline, Outcome};
use super::hill_climb::{self, Effort, HillClimb};
use super::query::Queries;
use super::searcher::{Image, Searcher, images_of, on_all};
use super::{PassResult, Setting, Trigger, TriggerFinding, WarmStart};
use crate::ScanError;

/// Labels whose starting points are measured, chosen by the results of the exploring pass and of the stronger setting.
const LABELS: usize = 6;
/// Pairs of labels whose starting points are measured.
const PAIRS: usize = 12;
/// How many of these labels get a hill climb.
const CLIMBED_LABELS: usize = 3;
/// How many of these pairs get a hill climb.
const CLIMBED_PAIRS: usize = 6;

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
    let mut climbs = Vec::new();
    let tie = |goal| searcher.tie(setting, goal);
    for goal in goals(explored, stronger, &baseline, tie) {
        let images = images(searcher, goal);
        let starts = starts(goal, setting, warm, queries.shape());
        let answers = queries.ask(&on_all(&starts, &images))?;
        let stream = searcher.refine_stream(setting, goal);
        climbs.extend(HillClimb::new(goal, &images, starts.into_iter().zip(answers).collect(), stream));
    }
    let (mut climbs, others) = leading(climbs, &baseline, tie);
    hill_climb::run(&mut climbs, Effort::REFINE, &crops, queries)?;
    let mut ended: Vec<(bool, HillClimb)> = climbs.into_iter().map(|climb| (!climb.is_dropped(), climb)).collect();
    if explored.is_empty() {
        let labels = others.into_iter().filter(|climb| climb.goal.is_all_to_one());
        ended.extend(labels.map(|climb| (false, climb)));
    }
    let refined = searcher.measure(ended, queries)?;
    let old = explored.iter().filter(|old| refined.iter().all(|new| new.goal != old.goal));
    // They were not climbed again, so they must not be compared with those that were.
    let old = old.map(|old| TriggerFinding { climbed: false, ..old.clone() });
    let mut findings: Vec<TriggerFinding> = old.chain(refined.iter().cloned()).collect();
    findings.sort_by_key(|finding| finding.goal);
    Ok(PassResult { findings, confusion: Vec::new(), queries: queries.count(), unlabelled: queries.unlabelled() })
}

/// The images of a goal. A pair of labels has few of them, so it gets the reserve too.
fn images(searcher: &Searcher<'_>, goal: TargetMap) -> Vec<Image> {
    let mut images = images_of(searcher.split.search(), goal);
    if goal.is_source_specific() {
        images.extend(images_of(searcher.split.reserve(), goal));
    }
    images
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
        let of_kind = findings.iter().filter(|finding| kind(finding.goal) && finding.search.hits() > 0);
        baseline.leaders(&of_kind.map(Outcome::from).collect::<Vec<Outcome>>(), count, &tie)
    };
    let mut goals = leaders(explored, TargetMap::is_all_to_one, LABELS);
    goals.extend(leaders(stronger, TargetMap::is_all_to_one, CLIMBED_LABELS));
    if explored.is_empty() {
        goals.extend(stronger.iter().map(|finding| finding.goal).filter(|goal| goal.is_all_to_one()));
    }
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
