//! One level of the trigger search: explore for all labels at once, climb for each, prove on images held out.

use std::collections::{BTreeMap, BTreeSet};

use aeva_artifact::{Aim, Level, Trigger, TriggerFinding, Turned};
use ndarray::ArrayView4;

use super::aim::{score, takes, targets, turned};
use super::ask::{Asker, Request};
use super::climb::{self, Climb, Effort};
use super::library::candidate;
use super::mutate::strengthened;
use super::natural::{Natural, Outcome};
use super::panel::Panel;
use super::random::Choices;
use crate::{HardLabelOracle, Label, ScanError, ScanObserver};

/// Version of the search; it grows when the same seed and images would give other triggers.
pub const TRIGGER_SEARCH_VERSION: u32 = 4;
/// Random candidates at each level.
pub(super) const CANDIDATES: u32 = 300;
/// Candidates that a climb may begin at.
const STARTS: usize = 4;
/// Labels that are climbed towards at each level; with more labels, those that the exploration turned most images to.
pub(super) const CLIMBED_LABELS: usize = 12;
/// Pairs of labels that are asked about on more images at each level, and candidates for each of them.
const SCREENED_PAIRS: usize = 240;
const SCREENED_CANDIDATES: usize = 2;
/// Images of one label that its pairs are looked at with, if there are so many.
const PAIR_IMAGES: usize = 6;
/// Pairs of labels that are climbed towards at each level.
const CLIMBED_PAIRS: usize = 24;
/// And those that a weaker trigger did most for, besides.
const WARM_PAIRS: usize = 4;
/// Climbs have streams of random choices apart from those of candidates.
const CLIMB: u32 = 1 << 16;
/// Those of pairs apart from those of labels, by place in the matrix of pairs.
const CLIMB_PAIR: u32 = 1 << 18;

/// A candidate, and the answers to it on the images of the exploration.
type Explored = (Trigger, Vec<Label>);

/// What was found before a look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Earlier<'a> {
    /// At the first look at the same level, before a second one.
    pub first: &'a [TriggerFinding],
    /// At the next weaker level, before a first look; before a second one by the second look at the next stronger level.
    pub beside: &'a [TriggerFinding],
    /// What random squares did: cells as of an artifact.
    pub squares: &'a [Turned],
}

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// One finding an aim: the labels in order, some pairs of labels, then the map; none for it where triggers are random.
    pub findings: Vec<TriggerFinding>,
    /// What became of the images under all random triggers together, by label and answer; empty for a search.
    pub confusion: Vec<Turned>,
    /// Images classified.
    pub queries: u64,
}

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
    /// Looks at one level for the first time.
    ///
    /// `answers` begins with what an earlier attempt at the same look was answered, and ends with all answers that there are: a look
    /// that failed or was stopped goes on from there.
    ///
    /// # Errors
    /// [`ScanError::Stopped`] when the observer asked to stop; others when the model fails or does not fit the images.
    pub fn level(
        &self,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        level: Level,
        earlier: Earlier<'_>,
        answers: &mut Vec<Label>,
        observer: &dyn ScanObserver,
    ) -> Result<Found, ScanError> {
        let mut asker = Asker::new(oracles, &images, self.batch_rows, answers, observer)?;
        if level.family.is_random() {
            return self.sample(level, &mut asker);
        }
        let (weaker, natural) = (earlier.beside, Natural::new(earlier.squares));
        let pieces: Vec<&[f32]> = self.panel.search().iter().map(|&(index, _)| asker.image(index)).collect();
        let explored = self.explore(level, &pieces, &mut asker)?;
        let labels = || (0..self.panel.classes()).map(Aim::Label);
        let mut climbed: Vec<(usize, Aim)> = labels().map(|aim| (self.best(&explored, aim), aim)).collect();
        climbed.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
        climbed.truncate(CLIMBED_LABELS);
        let climbed: Vec<Aim> = climbed.into_iter().map(|(_, aim)| aim).collect();
        let pairs = self.pairs(&explored, weaker, &natural, &mut asker)?;

        let (side, amplitude) = (level.side(asker.shape()), level.amplitude());
        let mut climbs = Vec::new();
        for aim in labels().chain(pairs).chain([Aim::Map]) {
            let chosen = !matches!(aim, Aim::Label(_)) || climbed.contains(&aim);
            let ranking = self.ranking(&explored, aim).into_iter().take(if chosen { STARTS } else { 1 });
            let mut starts: Vec<Trigger> = ranking.map(|(_, at)| explored[at].0.clone()).collect();
            let warm = weaker.iter().find(|finding| finding.aim == aim);
            starts.extend(warm.map(|finding| strengthened(&finding.trigger, side, amplitude, asker.shape())));
            let images = self.first_look_images(aim);
            let answers = asker.ask(&on_all(&starts, &images))?;
            let climb =
                Climb::new(aim, &images, starts.into_iter().zip(answers).collect(), self.climb_choices(level, aim));
            climbs.extend(climb.map(|climb| (chosen, climb)));
        }
        let (chosen, others): (Vec<_>, Vec<_>) = climbs.into_iter().partition(|(chosen, _)| *chosen);
        let mut chosen: Vec<Climb> = chosen.into_iter().map(|(_, climb)| climb).collect();
        climb::run(&mut chosen, Effort::FIRST_LOOK, &pieces, &mut asker)?;
        let ended = chosen.into_iter().map(|climb| (true, climb)).chain(others).collect();
        let mut findings = self.prove(ended, &mut asker)?;
        findings.sort_by_key(|finding| finding.aim);
        Ok(Found { findings, confusion: Vec::new(), queries: asker.queries() })
    }

    /// Random candidates, and the labels that the model gives to the images of the exploration with them.
    fn explore(&self, level: Level, pieces: &[&[f32]], asker: &mut Asker<'_, '_>) -> Result<Vec<Explored>, ScanError> {
        let shape = asker.shape();
        let candidates: Vec<Trigger> =
            (0..CANDIDATES).map(|item| candidate(level, shape, pieces, &mut self.choices(level, item))).collect();
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
    fn ranking(&self, explored: &[Explored], aim: Aim) -> Vec<(usize, usize)> {
        let mut ranking: Vec<(usize, usize)> =
            explored.iter().map(|(_, answers)| self.does(answers, aim)).zip(0..).collect();
        // Stable: among equals the first candidate, so that the order never depends on anything else.
        ranking.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
        ranking
    }

    fn best(&self, explored: &[Explored], aim: Aim) -> usize {
        explored.iter().map(|(_, answers)| self.does(answers, aim)).max().unwrap_or(0)
    }

    /// Pairs of labels worth a climb: those that some candidate turns images of the source along, asked about on more of them, and the
    /// best of the weaker level. With few images of a label chance and natural weakness would fill the list otherwise.
    fn pairs(
        &self,
        explored: &[Explored],
        weaker: &[TriggerFinding],
        natural: &Natural,
        asker: &mut Asker<'_, '_>,
    ) -> Result<BTreeSet<Aim>, ScanError> {
        let mut screened = Vec::new();
        for aim in self.screened(explored, natural) {
            let ranking = self.ranking(explored, aim).into_iter().take(SCREENED_CANDIDATES);
            screened.push((aim, ranking.map(|(_, at)| at).collect::<Vec<usize>>(), self.first_look_images(aim)));
        }
        let requests = screened.iter().flat_map(|(_, candidates, images)| {
            candidates.iter().map(|&at| Request { trigger: &explored[at].0, images: indices(images) })
        });
        let mut answers = asker.ask(&requests.collect::<Vec<Request<'_>>>())?.into_iter();
        let mut found = Vec::with_capacity(screened.len());
        for (aim, candidates, images) in &screened {
            let most = answers.by_ref().take(candidates.len()).map(|answers| score(*aim, &[], &answers)).max();
            found.push(Outcome { aim: *aim, turned: most.unwrap_or(0), asked: images.len() });
        }
        let pairs = weaker.iter().filter(|finding| matches!(finding.aim, Aim::Pair { .. }));
        let warm: Vec<Outcome> = pairs.map(Outcome::from).collect();
        let leaders = natural.leaders(&found, CLIMBED_PAIRS).into_iter();
        Ok(leaders.chain(natural.leaders(&warm, WARM_PAIRS)).collect())
    }

    /// Pairs that some candidate turned an image of the exploration along, most images first, then the least natural.
    fn screened(&self, explored: &[Explored], natural: &Natural) -> Vec<Aim> {
        let mut cells: BTreeMap<Aim, usize> = BTreeMap::new();
        for (_, answers) in explored {
            let mut here: BTreeMap<Aim, usize> = BTreeMap::new();
            let turned = answers.iter().zip(self.panel.explore()).filter(|&(answer, (_, truth))| answer != truth);
            for (&target, &(_, source)) in turned {
                *here.entry(Aim::Pair { source, target }).or_default() += 1;
            }
            for (aim, count) in here {
                let most = cells.entry(aim).or_default();
                *most = (*most).max(count);
            }
        }
        let mut order: Vec<(usize, f64, Aim)> =
            cells.into_iter().map(|(aim, most)| (most, natural.beyond(aim, 0, 1), aim)).collect();
        order.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
        order.into_iter().take(SCREENED_PAIRS).map(|(.., aim)| aim).collect()
    }

    /// The images of a first look; a pair of labels has some spare ones where there are many labels.
    fn first_look_images(&self, aim: Aim) -> Vec<(usize, Label)> {
        let mut images = sources(self.panel.search(), aim);
        if let Aim::Pair { .. } = aim {
            let missing = PAIR_IMAGES.saturating_sub(images.len());
            images.extend(sources(self.panel.spare(), aim).into_iter().take(missing));
        }
        images
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
        let mut findings = Vec::with_capacity(ended.len());
        for (((climbed, climb), images), answers) in ended.into_iter().zip(&held_out).zip(answers) {
            let truth: Vec<Label> = images.iter().map(|&(_, truth)| truth).collect();
            let targets = targets(climb.aim, &climb.truth, &climb.answers);
            findings.push(climb.finding(climbed, turned(&targets, &truth, &answers)));
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
