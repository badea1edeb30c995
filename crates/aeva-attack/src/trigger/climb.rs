//! Hill climbing towards one aim: small changes of a trigger, kept when no fewer images do as is meant.

use super::aim::score;
use super::ask::{Asker, Request};
use super::mutate::neighbour;
use super::random::Choices;
use aeva_artifact::{Aim, Trigger, TriggerFinding, Turned};

use crate::{Label, ScanError};

/// How long to climb towards one aim at one level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Changes that are tried.
    steps: u32,
    /// A climb ends after this many changes in a row that gain no image.
    patience: u32,
}

impl Effort {
    pub(super) const FIRST_LOOK: Self = Self { steps: 120, patience: 40 };
    pub(super) const SECOND_LOOK: Self = Self { steps: 240, patience: 80 };
}

/// Parts of the images: a change that is clearly worse on one of them is not asked about on the others.
const PARTS: usize = 3;
/// With fewer images for a pair of labels, all of them are asked about at once.
const PAIR_IN_PARTS: usize = 18;
/// Images that a change may lose on the first part and still be asked about.
const SLACK: usize = 1;

/// One climb under way.
pub(super) struct Climb {
    pub(super) aim: Aim,
    pub(super) trigger: Trigger,
    /// Images that are asked about: indices in the data set.
    images: Vec<usize>,
    pub(super) truth: Vec<Label>,
    pub(super) answers: Vec<Label>,
    choices: Choices,
    since_better: u32,
}

impl Climb {
    /// Begins at the best of some triggers, by the answers to them; the first of equals.
    pub(super) fn new(
        aim: Aim,
        images: &[(usize, Label)],
        starts: Vec<(Trigger, Vec<Label>)>,
        choices: Choices,
    ) -> Option<Self> {
        let (images, truth): (Vec<usize>, Vec<Label>) = images.iter().copied().unzip();
        let mut best: Option<(usize, Trigger, Vec<Label>)> = None;
        for (trigger, answers) in starts {
            let found = score(aim, &truth, &answers);
            if best.as_ref().is_none_or(|(old, ..)| found > *old) {
                best = Some((found, trigger, answers));
            }
        }
        best.map(|(_, trigger, answers)| Self { aim, trigger, images, truth, answers, choices, since_better: 0 })
    }

    /// Images that do as is meant.
    pub(super) fn score(&self) -> usize {
        score(self.aim, &self.truth, &self.answers)
    }

    /// What it found, with what became of images held out.
    pub(super) fn finding(self, climbed: bool, held_out: Vec<Turned>) -> TriggerFinding {
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let search = (small(self.score()), small(self.truth.len()));
        TriggerFinding { aim: self.aim, trigger: self.trigger, climbed, search, held_out }
    }

    fn active(&self, effort: Effort) -> bool {
        self.since_better < effort.patience && self.score() < self.images.len()
    }

    /// Positions of the images that are asked about first: a part with every class in it, as the images come class by class; all
    /// of them for a map, which a part does not show, and for a pair that has few.
    fn first(&self, part: usize) -> Vec<usize> {
        let length = self.images.len();
        match self.aim {
            Aim::Label(_) => (part * length / PARTS..(part + 1) * length / PARTS).collect(),
            Aim::Pair { .. } if length >= PAIR_IN_PARTS => {
                (part * length / PARTS..(part + 1) * length / PARTS).collect()
            }
            Aim::Pair { .. } | Aim::Map => (0..length).collect(),
        }
    }

    fn others(&self, part: usize) -> Vec<usize> {
        let first = self.first(part);
        (0..self.images.len()).filter(|position| !first.contains(position)).collect()
    }

    /// Whether a change is worth asking about on the other images, by the answers on the first.
    fn promising(&self, part: usize, answers: &[Label]) -> bool {
        let first = self.first(part);
        let (truth, before): (Vec<Label>, Vec<Label>) =
            first.iter().map(|&position| (self.truth[position], self.answers[position])).unzip();
        score(self.aim, &truth, answers) + SLACK >= score(self.aim, &truth, &before)
    }
}

/// Climbs with all of them in lockstep, so that every batch holds the changes of many.
pub(super) fn run(
    climbs: &mut [Climb],
    effort: Effort,
    pieces: &[&[f32]],
    asker: &mut Asker<'_, '_>,
) -> Result<(), ScanError> {
    let shape = asker.shape();
    for step in 0..effort.steps {
        let part = step as usize % PARTS;
        let mut tried: Vec<(&mut Climb, Trigger)> = Vec::new();
        for climb in climbs.iter_mut().filter(|climb| climb.active(effort)) {
            let change = neighbour(&climb.trigger, shape, pieces, &mut climb.choices);
            climb.since_better += 1;
            tried.push((climb, change));
        }
        if tried.is_empty() {
            break;
        }
        let first = asker.ask(&requests(&tried, |climb| climb.first(part)))?;
        let going = tried.into_iter().zip(first).filter(|((climb, _), answers)| climb.promising(part, answers));
        let (going, first): (Vec<(&mut Climb, Trigger)>, Vec<Vec<Label>>) = going.unzip();
        let rest = asker.ask(&requests(&going, |climb| climb.others(part)))?;
        for (((climb, change), first), rest) in going.into_iter().zip(first).zip(rest) {
            let mut answers = vec![0; climb.images.len()];
            for (position, answer) in
                climb.first(part).into_iter().zip(first).chain(climb.others(part).into_iter().zip(rest))
            {
                answers[position] = answer;
            }
            let (before, now) = (climb.score(), score(climb.aim, &climb.truth, &answers));
            if now > before {
                climb.since_better = 0;
            }
            if now >= before {
                (climb.trigger, climb.answers) = (change, answers);
            }
        }
    }
    Ok(())
}

fn requests<'a>(tried: &'a [(&mut Climb, Trigger)], positions: impl Fn(&Climb) -> Vec<usize>) -> Vec<Request<'a>> {
    let of = |climb: &Climb| positions(climb).into_iter().map(|position| climb.images[position]).collect();
    tried.iter().map(|(climb, change)| Request { trigger: change, images: of(climb) }).collect()
}
