//! One level of the trigger search: explore for all labels at once, climb for each, prove on images held out.

use aeva_artifact::{Aim, Level, Trigger, TriggerFinding};
use ndarray::ArrayView4;

use super::aim::{score, takes, targets, turned};
use super::ask::{Asker, Request};
use super::climb::{self, Climb};
use super::library::candidate;
use super::mutate::strengthened;
use super::panel::Panel;
use super::random::Choices;
use crate::{HardLabelOracle, Label, ScanError, ScanObserver};

/// Version of the search; it grows when the same seed and images would give other triggers.
pub const TRIGGER_SEARCH_VERSION: u32 = 1;
/// Random candidates at each level.
pub(super) const CANDIDATES: u32 = 300;
/// Candidates that a climb may begin at.
const STARTS: usize = 4;
/// Labels that are climbed towards at each level; with more labels, those that the exploration turned most images to.
pub(super) const CLIMBED_LABELS: usize = 12;
/// Climbs have streams of random choices apart from those of candidates.
const CLIMB: u32 = 1 << 16;

/// For each aim what every candidate does, best first: (images that do as is meant, candidate).
type Ranking = Vec<(usize, usize)>;

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
    /// Searches at one level; `weaker` is what the next weaker level of the family found. One finding an aim, the labels in order
    /// and then the map, and the number of queries; nothing when the observer asked to stop.
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
        let mut asker = Asker::new(oracles, &images, self.batch_rows, observer)?;
        let pieces: Vec<&[f32]> = self.panel.search().iter().map(|&(index, _)| asker.image(index)).collect();
        let aims: Vec<Aim> = (0..self.panel.classes()).map(Aim::Label).chain([Aim::Map]).collect();
        let (candidates, rankings) = self.explore(level, &aims, &pieces, &mut asker)?;

        let best = |place: usize| rankings[place].first().map_or(0, |&(score, _)| score);
        let mut order: Vec<usize> = (0..aims.len() - 1).collect();
        order.sort_by_key(|&place| std::cmp::Reverse(best(place)));
        order.truncate(CLIMBED_LABELS);
        order.push(aims.len() - 1);

        let (side, amplitude) = (level.side(asker.shape()), level.amplitude());
        let mut climbs = Vec::new();
        for (place, (&aim, ranking)) in aims.iter().zip(&rankings).enumerate() {
            let starts = if order.contains(&place) { STARTS } else { 1 };
            let mut starts: Vec<Trigger> = ranking.iter().take(starts).map(|&(_, at)| candidates[at].clone()).collect();
            let warm = weaker.iter().find(|finding| finding.aim == aim);
            starts.extend(warm.map(|finding| strengthened(&finding.trigger, side, amplitude, asker.shape())));
            let images = sources(self.panel.search(), aim);
            let answers = asker.ask(&on_all(&starts, &images))?;
            let choices = self.choices(level, CLIMB + u32::try_from(place).unwrap_or(u32::MAX));
            let climb = Climb::new(aim, &images, starts.into_iter().zip(answers).collect(), choices);
            climbs.extend(climb.map(|climb| (order.contains(&place), climb)));
        }
        let (chosen, others): (Vec<_>, Vec<_>) = climbs.into_iter().partition(|(chosen, _)| *chosen);
        let mut chosen: Vec<Climb> = chosen.into_iter().map(|(_, climb)| climb).collect();
        climb::run(&mut chosen, &pieces, &mut asker)?;
        if asker.stopped() {
            return Ok(None);
        }
        let ended = chosen.into_iter().map(|climb| (true, climb)).chain(others).collect();
        let mut findings = self.prove(ended, &mut asker)?;
        findings.sort_by_key(|finding| finding.aim);
        Ok(Some((findings, asker.queries())))
    }

    /// Random candidates, and what they do for each aim.
    fn explore(
        &self,
        level: Level,
        aims: &[Aim],
        pieces: &[&[f32]],
        asker: &mut Asker<'_, '_>,
    ) -> Result<(Vec<Trigger>, Vec<Ranking>), ScanError> {
        let shape = asker.shape();
        let candidates: Vec<Trigger> =
            (0..CANDIDATES).map(|item| candidate(level, shape, pieces, &mut self.choices(level, item))).collect();
        let explore = self.panel.explore();
        let truth: Vec<Label> = explore.iter().map(|&(_, truth)| truth).collect();
        let answers = asker.ask(&on_all(&candidates, explore))?;
        let mut rankings = Vec::with_capacity(aims.len());
        for aim in aims {
            // An image of the label itself says nothing of what turns into it.
            let done = |answers: &Vec<Label>| match aim {
                Aim::Map => score(*aim, &truth, answers),
                Aim::Label(label) => {
                    answers.iter().zip(&truth).filter(|&(found, truth)| found == label && truth != label).count()
                }
            };
            let mut ranking: Ranking = answers.iter().map(done).zip(0..).collect();
            // Stable: among equals the first candidate, so that the order never depends on anything else.
            ranking.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
            rankings.push(ranking);
        }
        Ok((candidates, rankings))
    }

    /// Success on images that no search has seen.
    fn prove(&self, ended: Vec<(bool, Climb)>, asker: &mut Asker<'_, '_>) -> Result<Vec<TriggerFinding>, ScanError> {
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

    fn choices(&self, level: Level, item: u32) -> Choices {
        Choices::new(self.seed, u32::from(level.family as u8) << 16 | level.strength, item)
    }
}

/// The images that an aim is about.
fn sources(images: &[(usize, Label)], aim: Aim) -> Vec<(usize, Label)> {
    images.iter().copied().filter(|&(_, truth)| takes(aim, truth)).collect()
}

fn indices(images: &[(usize, Label)]) -> Vec<usize> {
    images.iter().map(|&(index, _)| index).collect()
}

fn on_all<'a>(triggers: &'a [Trigger], images: &[(usize, Label)]) -> Vec<Request<'a>> {
    triggers.iter().map(|trigger| Request { trigger, images: indices(images) }).collect()
}
