//! Hill climbing towards one goal: a small change to a trigger is kept if at least as many images reach their target
//! label.

use std::ops::Range;

use aeva_stats::{PairTally, Tally, TargetMap};

use super::answered::Answered;
use super::query::{Image, Queries, Request, indices};
use super::score::score;
use super::stream::RandomStream;
use super::{Trigger, TriggerFinding};
use crate::{Label, ScanError};

/// How long to climb: leg by leg, with fewer climbs in each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// The legs; after each, the climbs that are behind are dropped. The test needs the best ones and the next one after
    /// them, and compares none of the dropped ones.
    legs: &'static [Leg],
    /// A climb ends after this many consecutive changes without improvement.
    patience: u32,
}

/// A part of all climbs.
#[derive(Debug, Clone, Copy)]
struct Leg {
    /// Changes to try.
    steps: u32,
    /// Labels that go on after it, besides those that reach every image already.
    labels: usize,
    /// Pairs that go on after it.
    pairs: usize,
}

const fn leg(steps: u32, labels: usize, pairs: usize) -> Leg {
    Leg { steps, labels, pairs }
}

impl Effort {
    pub(super) const EXPLORE: Self = Self { legs: &[leg(8, 4, 10), leg(15, 3, 6), leg(35, 3, 6)], patience: 20 };
    /// For triggers that are far from all candidates.
    pub(super) const PATIENT: Self = Self { legs: &[leg(8, 4, 10), leg(16, 2, 6), leg(40, 2, 6)], patience: 25 };
    pub(super) const REFINE: Self = Self { legs: &[leg(20, 3, 4), leg(140, 3, 4)], patience: 50 };
}

/// A map goes on after a leg if it reaches this share of its images.
const MAP_GOES_ON: f64 = 0.3;

/// The images are split into this many parts. A change that is clearly worse on one part is not tried on the others.
const PARTS: usize = 3;
/// With fewer images of a pair of labels, all images are tried at once.
const PAIR_IN_PARTS: usize = 18;
/// A change is tried on the other parts if it loses at most this many images on the first part.
const SLACK: usize = 1;

/// One climb in progress.
pub(super) struct HillClimb {
    pub(super) goal: TargetMap,
    pub(super) trigger: Trigger,
    /// Data set indices of its images.
    images: Vec<usize>,
    /// Images that it is tried on as well after the first leg.
    more: Vec<Image>,
    pub(super) truth: Vec<Label>,
    pub(super) answers: Vec<Label>,
    stream: RandomStream,
    since_better: u32,
    is_dropped: bool,
}

impl HillClimb {
    /// Starts from the trigger with the best answers on `images`; ties go to the first one. `more` are images that join
    /// after the first leg.
    pub(super) fn new(
        goal: TargetMap,
        images: &[Image],
        more: Vec<Image>,
        starts: Vec<(Trigger, Vec<Label>)>,
        stream: RandomStream,
    ) -> Option<Self> {
        let (images, truth): (Vec<usize>, Vec<Label>) = images.iter().copied().unzip();
        let mut best: Option<(usize, Trigger, Vec<Label>)> = None;
        for (trigger, answers) in starts {
            let found = score(goal, &truth, &answers);
            if best.as_ref().is_none_or(|(old, ..)| found > *old) {
                best = Some((found, trigger, answers));
            }
        }
        best.map(|(_, trigger, answers)| Self {
            goal,
            trigger,
            images,
            more,
            truth,
            answers,
            stream,
            since_better: 0,
            is_dropped: false,
        })
    }

    /// Images that reach their target label.
    pub(super) fn score(&self) -> usize {
        score(self.goal, &self.truth, &self.answers)
    }

    /// The success rate on the search images.
    pub(super) fn tally(&self) -> Tally {
        Tally::clamped(self.score(), self.truth.len())
    }

    /// Whether it ended early because others were further.
    pub(super) fn is_dropped(&self) -> bool {
        self.is_dropped
    }

    /// The result of the climb, with its success on hold-out images and how many of them keep their label.
    pub(super) fn finding(self, climbed: bool, holdout: Vec<PairTally>, kept: Vec<PairTally>) -> TriggerFinding {
        let search = self.tally();
        TriggerFinding { goal: self.goal, trigger: self.trigger, climbed, search, holdout, kept }
    }

    fn active(&self, effort: Effort) -> bool {
        !self.is_dropped && self.since_better < effort.patience && self.score() < self.images.len()
    }

    /// Positions of the images that are tried first. Classes take turns in the list of images, so a part contains every
    /// class. All images are returned for an all-to-all map, which one part cannot show, and for a pair with few
    /// images.
    fn first(&self, part: usize) -> Vec<usize> {
        let length = self.images.len();
        let in_parts = match self.goal {
            TargetMap::AllToOne { .. } => self.more.is_empty(),
            TargetMap::SourceSpecific { .. } => length >= PAIR_IN_PARTS,
            TargetMap::AllToAll => false,
        };
        if in_parts { (part * length / PARTS..(part + 1) * length / PARTS).collect() } else { (0..length).collect() }
    }

    fn others(&self, part: usize) -> Vec<usize> {
        let first = self.first(part);
        (0..self.images.len()).filter(|position| !first.contains(position)).collect()
    }

    /// Whether the answers on the first images make a change worth trying on the others.
    fn promising(&self, part: usize, answers: &[Label]) -> bool {
        let first = self.first(part);
        let (truth, before): (Vec<Label>, Vec<Label>) =
            first.iter().map(|&position| (self.truth[position], self.answers[position])).unzip();
        score(self.goal, &truth, answers) + SLACK >= score(self.goal, &truth, &before)
    }
}

/// Runs all climbs in lockstep, so that every batch contains changes of many climbs.
pub(super) fn run(
    climbs: &mut [HillClimb],
    effort: Effort,
    crops: &[&[f32]],
    queries: &mut Queries<'_, '_>,
) -> Result<(), ScanError> {
    let mut step = 0;
    for (place, leg) in effort.legs.iter().enumerate() {
        step = climb(climbs, effort, step..step + leg.steps, crops, queries)?;
        if place + 1 < effort.legs.len() {
            drop_last(climbs, effort, TargetMap::is_all_to_one, leg.labels);
            drop_last(climbs, effort, TargetMap::is_source_specific, leg.pairs);
            drop_map(climbs);
            widen(climbs, queries)?;
            drop_map(climbs);
        }
    }
    Ok(())
}

/// Tries changes until the last step, or until all climbs have ended. Returns the last step.
fn climb(
    climbs: &mut [HillClimb],
    effort: Effort,
    steps: Range<u32>,
    crops: &[&[f32]],
    queries: &mut Queries<'_, '_>,
) -> Result<u32, ScanError> {
    let shape = queries.shape();
    let end = steps.end;
    for step in steps {
        let part = step as usize % PARTS;
        let mut tried: Vec<(&mut HillClimb, Trigger)> = Vec::new();
        for climb in climbs.iter_mut().filter(|climb| climb.active(effort)) {
            let change = climb.trigger.neighbour(shape, crops, &mut climb.stream);
            climb.since_better += 1;
            tried.push((climb, change));
        }
        if tried.is_empty() {
            break;
        }
        let first = queries.ask(&requests(&tried, |climb| climb.first(part)))?;
        let going = tried.into_iter().zip(first).filter(|((climb, _), answers)| climb.promising(part, answers));
        let (going, first): (Vec<(&mut HillClimb, Trigger)>, Vec<Vec<Label>>) = going.unzip();
        let rest = queries.ask(&requests(&going, |climb| climb.others(part)))?;
        let mut shared = Vec::with_capacity(going.len());
        for (((climb, change), first), rest) in going.into_iter().zip(first).zip(rest) {
            let mut answers = vec![0; climb.images.len()];
            for (position, answer) in
                climb.first(part).into_iter().zip(first).chain(climb.others(part).into_iter().zip(rest))
            {
                answers[position] = answer;
            }
            shared.push(Answered::new(change.clone(), &climb.images, &answers));
            let (before, now) = (climb.score(), score(climb.goal, &climb.truth, &answers));
            if now > before {
                climb.since_better = 0;
            }
            if now >= before {
                (climb.trigger, climb.answers) = (change, answers);
            }
        }
        let active = climbs.iter_mut().filter(|climb| climb.active(effort)).collect();
        adopt(active, &shared, queries)?;
    }
    Ok(end)
}

/// Lets every climb take over what was tried for another goal, if that reaches more of its images than its own trigger, counting
/// those that nobody asked about as misses.
fn adopt(climbs: Vec<&mut HillClimb>, tried: &[Answered], queries: &mut Queries<'_, '_>) -> Result<(), ScanError> {
    let mut taken: Vec<(&mut HillClimb, &Answered)> = Vec::new();
    for climb in climbs {
        let hits = |one: &Answered| one.hits(climb.goal, &climb.images);
        // The first of equals.
        let best = tried.iter().rev().max_by_key(|one| hits(one)).filter(|one| hits(one) > climb.score());
        if let Some(best) = best {
            taken.push((climb, best));
        }
    }
    let missing = |climb: &HillClimb, one: &Answered| -> Vec<usize> {
        climb.images.iter().copied().filter(|&image| one.label(image).is_none()).collect()
    };
    let requests: Vec<Request<'_>> =
        taken.iter().map(|(climb, one)| Request { trigger: &one.trigger, images: missing(climb, one) }).collect();
    let answers = queries.ask(&requests)?;
    drop(requests);
    for ((climb, one), answers) in taken.into_iter().zip(answers) {
        let mut answers = answers.into_iter();
        let labels: Option<Vec<Label>> =
            climb.images.iter().map(|&image| one.label(image).or_else(|| answers.next())).collect();
        if let Some(labels) = labels {
            (climb.trigger, climb.answers) = (one.trigger.clone(), labels);
            climb.since_better = 0;
        }
    }
    Ok(())
}

/// Tries the climbs that go on with the images that have waited.
fn widen(climbs: &mut [HillClimb], queries: &mut Queries<'_, '_>) -> Result<(), ScanError> {
    let mut going: Vec<&mut HillClimb> =
        climbs.iter_mut().filter(|climb| !climb.is_dropped && !climb.more.is_empty()).collect();
    let requests = going.iter().map(|climb| Request { trigger: &climb.trigger, images: indices(&climb.more) });
    let answers = queries.ask(&requests.collect::<Vec<Request<'_>>>())?;
    for (climb, answers) in going.iter_mut().zip(answers) {
        let (images, truth): (Vec<usize>, Vec<Label>) = std::mem::take(&mut climb.more).into_iter().unzip();
        climb.images.extend(images);
        climb.truth.extend(truth);
        climb.answers.extend(answers);
        climb.since_better = 0;
    }
    Ok(())
}

/// Drops the climbs of a kind that are behind the best `kept` ones. Climbs that reach all of their images have ended.
fn drop_last(climbs: &mut [HillClimb], effort: Effort, kind: fn(TargetMap) -> bool, kept: usize) {
    let mut going: Vec<&mut HillClimb> =
        climbs.iter_mut().filter(|climb| kind(climb.goal) && climb.active(effort)).collect();
    going.sort_by(|a, b| b.tally().rate().total_cmp(&a.tally().rate()));
    for climb in going.into_iter().skip(kept) {
        climb.is_dropped = true;
    }
}

/// Drops the climb of a map that reaches too few of the images seen so far. Some assignment of labels fits a few images anyway.
fn drop_map(climbs: &mut [HillClimb]) {
    for map in climbs.iter_mut().filter(|climb| climb.goal == TargetMap::AllToAll) {
        map.is_dropped |= map.tally().rate() < MAP_GOES_ON;
    }
}

fn requests<'a>(
    tried: &'a [(&mut HillClimb, Trigger)],
    positions: impl Fn(&HillClimb) -> Vec<usize>,
) -> Vec<Request<'a>> {
    let of = |climb: &HillClimb| positions(climb).into_iter().map(|position| climb.images[position]).collect();
    tried.iter().map(|(climb, change)| Request { trigger: change, images: of(climb) }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use aeva_stats::Shape;
    use ndarray::{Array4, ArrayView4};

    use super::super::Parts;
    use super::*;
    use crate::{HardLabelOracle, InputSpec, OracleError};

    /// Two labels by the last pixel, and a bright first pixel leads to a third one.
    struct Corner(InputSpec);

    impl HardLabelOracle for Corner {
        fn spec(&self) -> &InputSpec {
            &self.0
        }

        fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
            labels.clear();
            let label = |image: ndarray::ArrayView3<'_, f32>| match [image[[0, 0, 0]], image[[1, 1, 0]]] {
                [first, _] if first > 0.9 => 2,
                [_, last] => Label::from(last > 0.5),
            };
            labels.extend(batch.outer_iter().map(label));
            Ok(())
        }
    }

    /// One pixel of this value at this row of the first column.
    fn pixel(row: usize, value: f32) -> Trigger {
        Trigger::from_parts(Shape::Patch, Parts { numbers: vec![row, 0, 1], reals: Vec::new(), values: vec![value] })
            .unwrap()
    }

    #[test]
    fn what_one_goal_tries_helps_another() {
        let truth = |index: usize| u32::from(index % 2 == 1);
        let images = Array4::from_shape_fn((6, 2, 2, 1), |(index, row, column, _)| {
            if row + column == 2 { truth(index) as f32 } else { 0.2 + 0.01 * index as f32 }
        });
        let listed: Vec<Image> = (0..6).map(|index| (index, truth(index))).collect();
        let (view, mut answers) = (images.view(), Vec::new());
        let spec = InputSpec { height: 2, width: 2, channels: 1, classes: 3 };
        let mut boxes: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(Corner(spec))];
        let mut queries = Queries::new(&mut boxes, &view, listed.iter().copied(), 8, &mut answers, &()).unwrap();
        let own: Vec<Label> = listed.iter().map(|&(_, truth)| truth).collect();
        let start = vec![(pixel(1, 0.0), own.clone())];
        let goal = TargetMap::AllToOne { target: 2 };
        let mut climb = HillClimb::new(goal, &listed, Vec::new(), start, RandomStream::new(0, 1, 2)).unwrap();
        climb.since_better = 5;

        let idle = Answered::new(pixel(1, 0.1), &[0, 1, 2, 3, 4, 5], &own);
        adopt(vec![&mut climb], std::slice::from_ref(&idle), &mut queries).unwrap();
        assert_eq!((climb.score(), climb.since_better, queries.count()), (0, 5, 0), "no more images than its own");

        // Four of the six images were asked about for another goal.
        let other = Answered::new(pixel(0, 1.0), &[0, 1, 2, 4], &[2; 4]);
        adopt(vec![&mut climb], &[idle, other], &mut queries).unwrap();
        assert_eq!((climb.score(), climb.since_better, queries.count()), (6, 0, 2), "the other two are asked about");
        assert_eq!(climb.trigger, pixel(0, 1.0));

        // An image that was not asked about is a miss, and a map has no single target.
        let pair = TargetMap::SourceSpecific { source: 0, target: 2 };
        assert_eq!(Answered::new(pixel(0, 1.0), &[0, 1], &[2, 2]).hits(pair, &[0, 2]), 1);
        assert_eq!(Answered::new(pixel(0, 1.0), &[0, 1], &[2, 2]).hits(TargetMap::AllToAll, &[0, 1]), 0);
    }

    #[test]
    fn a_map_that_fits_few_images_ends() {
        let (truth, images): (Vec<Label>, Vec<Image>) = (0..4).map(|index| (index, (index as usize, index))).unzip();
        let climb = |answers| {
            let start = vec![(pixel(0, 0.0), answers)];
            HillClimb::new(TargetMap::AllToAll, &images, Vec::new(), start, RandomStream::new(0, 1, 2)).unwrap()
        };
        let mut climbs = [climb(truth), climb(vec![1, 0, 2, 3])];
        drop_map(&mut climbs);
        assert_eq!(climbs.map(|climb| climb.is_dropped), [true, false], "none and half of the images");
    }
}
