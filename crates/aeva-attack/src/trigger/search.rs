//! One level of the trigger search: explore for all labels at once, climb for each, prove on images held out.

use std::collections::{BTreeMap, BTreeSet};

use aeva_artifact::{Aim, Level, Trigger, TriggerFinding};
use ndarray::ArrayView4;

use super::aim::{score, takes, targets, turned};
use super::ask::{Asker, Request};
use super::climb::{self, Climb, Effort};
use super::library::candidate;
use super::mutate::strengthened;
use super::panel::Panel;
use super::random::Choices;
use crate::{HardLabelOracle, Label, ScanError, ScanObserver};

/// Version of the search; it grows when the same seed and images would give other triggers.
pub const TRIGGER_SEARCH_VERSION: u32 = 3;
/// Random candidates at each level.
pub(super) const CANDIDATES: u32 = 300;
/// Candidates that a climb may begin at.
const STARTS: usize = 4;
/// Labels that are climbed towards at each level; with more labels, those that the exploration turned most images to.
pub(super) const CLIMBED_LABELS: usize = 12;
/// Pairs of labels that are climbed towards at each level: those that the exploration turned most images of.
const CLIMBED_PAIRS: usize = 24;
/// And those that a weaker trigger turned most images of, besides.
const WARM_PAIRS: usize = 4;
/// Climbs have streams of random choices apart from those of candidates.
const CLIMB: u32 = 1 << 16;
/// Those of pairs apart from those of labels, by place in the matrix of pairs.
const CLIMB_PAIR: u32 = 1 << 18;

/// A candidate, and the answers to it on the images of the exploration.
pub(super) type Explored = (Trigger, Vec<Label>);

/// The trigger search of one model.
#[derive(Debug, Clone)]
pub struct TriggerSearch {
    /// Images to search and to prove with.
    pub panel: Panel,
    /// Seed of all choices.
    pub seed: u64,
    /// Images per batch, at least 1. Changes the speed, not the result.
    pub batch_rows: usize,
}

impl TriggerSearch {
    /// Looks at one level; `weaker` is what the next weaker level of the family found. One finding an aim, the labels in order, some
    /// pairs of labels and then the map, of a level of random patterns the labels alone; and the number of queries. Nothing when the
    /// observer asked to stop.
    ///
    /// # Errors
    /// [`ScanError`] when the model fails or does not fit the images.
    pub fn level(
        &self,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        level: Level,
        weaker: &[TriggerFinding],
        observer: &dyn ScanObserver,
    ) -> Result<Option<(Vec<TriggerFinding>, u64)>, ScanError> {
        if level.family.is_random() {
            return self.sample(oracles, images, level, observer);
        }
        let mut asker = Asker::new(oracles, &images, self.batch_rows, observer)?;
        let pieces: Vec<&[f32]> = self.panel.search().iter().map(|&(index, _)| asker.image(index)).collect();
        let explored = self.explore(level, CANDIDATES, &pieces, &mut asker)?;
        let labels = || (0..self.panel.classes()).map(Aim::Label);
        let mut climbed: Vec<(usize, Aim)> = labels().map(|aim| (self.best(&explored, aim), aim)).collect();
        climbed.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
        climbed.truncate(CLIMBED_LABELS);
        let climbed: Vec<Aim> = climbed.into_iter().map(|(_, aim)| aim).collect();
        let pairs = self.pairs(&explored, weaker);

        let (side, amplitude) = (level.side(asker.shape()), level.amplitude());
        let mut climbs = Vec::new();
        for aim in labels().chain(pairs).chain([Aim::Map]) {
            let chosen = !matches!(aim, Aim::Label(_)) || climbed.contains(&aim);
            let ranking = self.ranking(&explored, aim).into_iter().take(if chosen { STARTS } else { 1 });
            let mut starts: Vec<Trigger> = ranking.map(|(_, at)| explored[at].0.clone()).collect();
            let warm = weaker.iter().find(|finding| finding.aim == aim);
            starts.extend(warm.map(|finding| strengthened(&finding.trigger, side, amplitude, asker.shape())));
            let images = sources(self.panel.search(), aim);
            let answers = asker.ask(&on_all(&starts, &images))?;
            let climb =
                Climb::new(aim, &images, starts.into_iter().zip(answers).collect(), self.climb_choices(level, aim));
            climbs.extend(climb.map(|climb| (chosen, climb)));
        }
        let (chosen, others): (Vec<_>, Vec<_>) = climbs.into_iter().partition(|(chosen, _)| *chosen);
        let mut chosen: Vec<Climb> = chosen.into_iter().map(|(_, climb)| climb).collect();
        climb::run(&mut chosen, Effort::FIRST_LOOK, &pieces, &mut asker)?;
        if asker.stopped() {
            return Ok(None);
        }
        let ended = chosen.into_iter().map(|climb| (true, climb)).chain(others).collect();
        let mut findings = self.prove(ended, &mut asker)?;
        findings.sort_by_key(|finding| finding.aim);
        Ok(Some((findings, asker.queries())))
    }

    /// Random candidates, and the labels that the model gives to the images of the exploration with them.
    pub(super) fn explore(
        &self,
        level: Level,
        count: u32,
        pieces: &[&[f32]],
        asker: &mut Asker<'_, '_>,
    ) -> Result<Vec<Explored>, ScanError> {
        let shape = asker.shape();
        let candidates: Vec<Trigger> =
            (0..count).map(|item| candidate(level, shape, pieces, &mut self.choices(level, item))).collect();
        let answers = asker.ask(&on_all(&candidates, self.panel.explore()))?;
        Ok(candidates.into_iter().zip(answers).collect())
    }

    /// What a candidate does for an aim; an image that the aim is not about says nothing of it.
    fn does(&self, answers: &[Label], aim: Aim) -> usize {
        let about = self.panel.explore().iter().zip(answers).filter(|&(&(_, truth), _)| takes(aim, truth));
        let (truth, answers): (Vec<Label>, Vec<Label>) = about.map(|(&(_, truth), &answer)| (truth, answer)).unzip();
        score(aim, &truth, &answers)
    }

    /// What every candidate does for an aim, best first, and its place.
    pub(super) fn ranking(&self, explored: &[Explored], aim: Aim) -> Vec<(usize, usize)> {
        let mut ranking: Vec<(usize, usize)> =
            explored.iter().map(|(_, answers)| self.does(answers, aim)).zip(0..).collect();
        // Stable: among equals the first candidate, so that the order never depends on anything else.
        ranking.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
        ranking
    }

    fn best(&self, explored: &[Explored], aim: Aim) -> usize {
        explored.iter().map(|(_, answers)| self.does(answers, aim)).max().unwrap_or(0)
    }

    /// Pairs of labels worth a climb: by how many images of the source the best candidate turned, then all of them together.
    fn pairs(&self, explored: &[Explored], weaker: &[TriggerFinding]) -> BTreeSet<Aim> {
        let mut cells: BTreeMap<(Label, Label), (usize, usize)> = BTreeMap::new();
        for (_, answers) in explored {
            let mut here: BTreeMap<(Label, Label), usize> = BTreeMap::new();
            for (&answer, &(_, truth)) in
                answers.iter().zip(self.panel.explore()).filter(|(answer, (_, truth))| *answer != truth)
            {
                *here.entry((truth, answer)).or_default() += 1;
            }
            for (cell, count) in here {
                let (most, sum) = cells.entry(cell).or_default();
                (*most, *sum) = ((*most).max(count), *sum + count);
            }
        }
        let mut order: Vec<((Label, Label), (usize, usize))> = cells.into_iter().collect();
        order.sort_by_key(|&(cell, counts)| (std::cmp::Reverse(counts), cell));
        let explored = order.into_iter().take(CLIMBED_PAIRS).map(|((source, target), _)| Aim::Pair { source, target });
        let mut warm: Vec<&TriggerFinding> =
            weaker.iter().filter(|finding| matches!(finding.aim, Aim::Pair { .. })).collect();
        warm.sort_by_key(|finding| std::cmp::Reverse(finding.search.0));
        explored.chain(warm.into_iter().take(WARM_PAIRS).map(|finding| finding.aim)).collect()
    }

    /// Success on images that no search has seen.
    pub(super) fn prove(
        &self,
        ended: Vec<(bool, Climb)>,
        asker: &mut Asker<'_, '_>,
    ) -> Result<Vec<TriggerFinding>, ScanError> {
        let held_out: Vec<Vec<(usize, Label)>> =
            ended.iter().map(|(_, climb)| sources(self.panel.held_out(), climb.aim)).collect();
        let requests: Vec<Request<'_>> = ended
            .iter()
            .zip(&held_out)
            .map(|((_, climb), images)| Request { trigger: &climb.trigger, images: indices(images) })
            .collect();
        let answers = asker.ask(&requests)?;
        drop(requests);
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let mut findings = Vec::with_capacity(ended.len());
        for (((climbed, climb), images), answers) in ended.into_iter().zip(&held_out).zip(answers) {
            let truth: Vec<Label> = images.iter().map(|&(_, truth)| truth).collect();
            let targets = targets(climb.aim, &climb.truth, &climb.answers);
            let held_out = turned(&targets, &truth, &answers);
            let search = (small(climb.score()), small(climb.truth.len()));
            findings.push(TriggerFinding { aim: climb.aim, trigger: climb.trigger, climbed, search, held_out });
        }
        Ok(findings)
    }

    pub(super) fn climb_choices(&self, level: Level, aim: Aim) -> Choices {
        let classes = self.panel.classes();
        let item = match aim {
            Aim::Label(label) => CLIMB + label,
            Aim::Map => CLIMB + classes,
            Aim::Pair { source, target } => CLIMB_PAIR.wrapping_add(source.wrapping_mul(classes)).wrapping_add(target),
        };
        self.choices(level, item)
    }

    pub(super) fn choices(&self, level: Level, item: u32) -> Choices {
        Choices::new(self.seed, u32::from(level.family as u8) << 16 | level.strength, item)
    }
}

/// The images that an aim is about.
pub(super) fn sources(images: &[(usize, Label)], aim: Aim) -> Vec<(usize, Label)> {
    images.iter().copied().filter(|&(_, truth)| takes(aim, truth)).collect()
}

fn indices(images: &[(usize, Label)]) -> Vec<usize> {
    images.iter().map(|&(index, _)| index).collect()
}

pub(super) fn on_all<'a>(triggers: &'a [Trigger], images: &[(usize, Label)]) -> Vec<Request<'a>> {
    triggers.iter().map(|trigger| Request { trigger, images: indices(images) }).collect()
}
