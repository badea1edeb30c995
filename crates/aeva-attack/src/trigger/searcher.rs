//! What all passes share: the images of a goal, the random streams, and the measurement on hold-out images.

use aeva_stats::TargetMap;

use super::hill_climb::HillClimb;
use super::query::{Image, Queries, Request, images_of, indices};
use super::score::{kept, pairs_of, tallies};
use super::stream::RandomStream;
use super::{ImageSplit, Setting, TriggerFinding};
use crate::{Label, ScanError};

/// Separates the random streams of hill climbs from those of candidates.
const CLIMB: u32 = 1 << 16;
/// Separates the streams of pairs from those of labels. Pairs are numbered by their position in the matrix of pairs.
const CLIMB_PAIR: u32 = 1 << 18;
/// Separates the streams of refining passes from those of exploring ones; strengths are far smaller.
const REFINE: u32 = 1 << 12;
/// Separates the streams that break ties from both.
const TIE: u32 = 1 << 13;

/// In a pass, so many triggers for pairs are tried on the images of all other labels.
const PAIRS_WITH_BYSTANDERS: usize = 6;

/// What a pass works with.
pub(super) struct Searcher<'a> {
    pub(super) split: &'a ImageSplit,
    pub(super) seed: u64,
}

impl Searcher<'_> {
    /// One goal per label.
    pub(super) fn labels(&self) -> impl Iterator<Item = TargetMap> + use<> {
        (0..self.split.classes()).map(|target| TargetMap::AllToOne { target })
    }

    /// The hold-out images that success for a goal is measured on.
    fn holdout(&self, goal: TargetMap) -> Vec<Image> {
        let mut images = images_of(self.split.holdout(), goal);
        if goal.is_source_specific() {
            images.extend(images_of(self.split.pair_holdout(), goal));
        }
        images
    }

    /// Orders goals that are equally promising. Ties are frequent where a label has few images, and always taking the
    /// first label would never search the last ones.
    pub(super) fn tie(&self, setting: Setting, goal: TargetMap) -> usize {
        self.climb_stream(Setting { strength: TIE | setting.strength, ..setting }, goal).below(usize::MAX)
    }

    /// Measures triggers on images that no search has seen: success, and how many other images keep their label.
    /// `climbed` says whether they are the ends of climbs.
    pub(super) fn measure(
        &self,
        ended: Vec<HillClimb>,
        climbed: bool,
        queries: &mut Queries<'_, '_>,
    ) -> Result<Vec<TriggerFinding>, ScanError> {
        let holdout: Vec<Vec<Image>> = ended.iter().map(|climb| self.holdout(climb.goal)).collect();
        let requests = ended.iter().zip(&holdout);
        let requests = requests.map(|(climb, images)| Request { trigger: &climb.trigger, images: indices(images) });
        let answers = queries.ask(&requests.collect::<Vec<Request<'_>>>())?;
        let mut findings = Vec::with_capacity(ended.len());
        for ((climb, images), answers) in ended.into_iter().zip(&holdout).zip(answers) {
            let truth: Vec<Label> = images.iter().map(|&(_, truth)| truth).collect();
            let pairs = pairs_of(climb.goal, &climb.truth, &climb.answers);
            let kept = kept(&truth, &answers);
            findings.push(climb.finding(climbed, tallies(&pairs, &truth, &answers), kept));
        }
        self.measure_bystanders(&mut findings, queries)?;
        Ok(findings)
    }

    /// Measures what the best triggers for pairs of labels do to images of all other labels, which their goals do not
    /// include.
    fn measure_bystanders(
        &self,
        findings: &mut [TriggerFinding],
        queries: &mut Queries<'_, '_>,
    ) -> Result<(), ScanError> {
        let turns_half = |finding: &TriggerFinding| {
            let success = finding.success();
            finding.goal.is_source_specific() && finding.climbed && success.hits() * 2 >= success.trials().max(1)
        };
        let mut best: Vec<&mut TriggerFinding> = findings.iter_mut().filter(|finding| turns_half(finding)).collect();
        // Stable, so that the first of equals counts.
        best.sort_by(|a, b| b.success().rate().total_cmp(&a.success().rate()));
        best.truncate(PAIRS_WITH_BYSTANDERS);
        let bystanders: Vec<Vec<Image>> = best.iter().map(|finding| self.bystanders(finding.goal)).collect();
        let requests: Vec<Request<'_>> = best
            .iter()
            .zip(&bystanders)
            .map(|(finding, images)| Request { trigger: &finding.trigger, images: indices(images) })
            .collect();
        let answers = queries.ask(&requests)?;
        drop(requests);
        for ((finding, images), answers) in best.into_iter().zip(&bystanders).zip(answers) {
            let truth: Vec<Label> = images.iter().map(|&(_, truth)| truth).collect();
            finding.kept.extend(kept(&truth, &answers));
            finding.kept.sort_unstable_by_key(|cell| cell.source);
        }
        Ok(())
    }

    /// The hold-out images of all labels but those of a pair.
    fn bystanders(&self, pair: TargetMap) -> Vec<Image> {
        let others = |&(_, truth): &Image| !pair.includes(truth) && pair.target() != Some(truth);
        self.split.holdout().iter().copied().filter(others).collect()
    }

    /// The random choices of a hill climb in an exploring pass.
    pub(super) fn climb_stream(&self, setting: Setting, goal: TargetMap) -> RandomStream {
        let classes = self.split.classes();
        let item = match goal {
            TargetMap::AllToOne { target } => CLIMB + target,
            TargetMap::AllToAll => CLIMB + classes,
            TargetMap::SourceSpecific { source, target } => {
                CLIMB_PAIR.wrapping_add(source.wrapping_mul(classes)).wrapping_add(target)
            }
        };
        self.stream(setting, item)
    }

    /// The random choices of a hill climb in a refining pass.
    pub(super) fn refine_stream(&self, setting: Setting, goal: TargetMap) -> RandomStream {
        self.climb_stream(Setting { strength: REFINE | setting.strength, ..setting }, goal)
    }

    /// The random choices of a candidate.
    pub(super) fn stream(&self, setting: Setting, item: u32) -> RandomStream {
        RandomStream::new(self.seed, u32::from(setting.family.spec().number) << 16 | setting.strength, item)
    }
}
