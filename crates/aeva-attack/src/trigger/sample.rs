//! Random triggers as they come: no search, one look.
//!
//! A backdoor taught by a faint pattern takes more than that pattern for it: much of what resembles it leads to its label too, while
//! what turns a clean model is rare among random patterns, or leads to many labels. So it is not the best pattern that tells, which a
//! search finds for natural weaknesses as well, but a *typical* one: for each label the pattern that a given share of all others is
//! worse than. The same holds for pairs of labels, where the pattern is stronger.
//!
//! What all of them together do, squares above all, says how readily images of one label turn into another in this model.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aeva_artifact::{Aim, Family, Level, Trigger, TriggerFinding, Turned};

use super::aim::{score, takes};
use super::ask::Asker;
use super::climb::Climb;
use super::library::candidate;
use super::search::{Found, TriggerSearch, on_all, sources};
use crate::{Label, ScanError};

/// What is drawn at a level.
struct Sample {
    count: u32,
    /// How many are better than the one that counts.
    better: usize,
    about: About,
}

/// What a level is to tell.
#[derive(Clone, Copy)]
enum About {
    /// Labels that stand out: the images of an exploration do.
    Labels,
    /// Pairs of labels, which takes more images; the typical trigger is proved for so many of them, those that most
    /// images turned along. Triggers so strong say nothing of labels.
    Pairs(usize),
}

/// Sines differ much from each other, noise is much alike.
const WAVES: Sample = Sample { count: 100, better: 5, about: About::Labels };
const NOISE: Sample = Sample { count: 40, better: 10, about: About::Labels };
/// Of an amplitude that turns some images of every model.
const STRONG_NOISE: Sample = Sample { about: About::Pairs(12), ..NOISE };
const SQUARES: Sample = Sample { count: 100, better: 25, about: About::Pairs(0) };
/// Amplitude of strong noise in 255ths, at least.
const STRONG: u32 = 64;

impl TriggerSearch {
    /// Random triggers of a level, by the typical one of every label and of some pairs.
    ///
    /// # Errors
    /// As [`level`](Self::level).
    pub(super) fn sample(&self, level: Level, asker: &mut Asker<'_, '_>) -> Result<Found, ScanError> {
        let Sample { count, better, about: kind } = match level.family {
            Family::Square => SQUARES,
            Family::Noise if level.strength >= STRONG => STRONG_NOISE,
            Family::Noise => NOISE,
            _ => WAVES,
        };
        let (images, pairs) = match kind {
            About::Labels => (self.panel.explore().to_vec(), 0),
            About::Pairs(pairs) => (self.panel.wide(), pairs),
        };
        let shape = asker.shape();
        let pieces: Vec<&[f32]> = images.iter().map(|&(index, _)| asker.image(index)).collect();
        let drawn: Vec<Trigger> =
            (0..count).map(|item| candidate(level, shape, &pieces, &mut self.choices(level, item))).collect();
        let answers = asker.ask(&on_all(&drawn, &images))?;
        let confusion = confusion(&images, &answers);
        let labels = (0..self.panel.classes()).map(Aim::Label);
        let aims = labels.chain(leading(&confusion, pairs));
        let typical = aims.filter_map(|aim| {
            let about: Vec<usize> = (0..images.len()).filter(|&at| takes(aim, images[at].1)).collect();
            let of = |at: usize| about.iter().map(|&image| answers[at][image]).collect::<Vec<Label>>();
            // What a trigger does for an aim is said by the images that the aim is about alone; stable, so that the first of equals counts.
            let truth: Vec<Label> = about.iter().map(|&image| images[image].1).collect();
            let mut ranking: Vec<usize> = (0..drawn.len()).collect();
            ranking.sort_by_cached_key(|&at| Reverse(score(aim, &truth, &of(at))));
            let at = *ranking.get(better)?;
            Climb::new(aim, &sources(&images, aim), vec![(drawn[at].clone(), of(at))], self.climb_choices(level, aim))
        });
        let proved = |climb: &Climb| matches!(kind, About::Labels) || matches!(climb.aim, Aim::Pair { .. });
        let (proved, others): (Vec<Climb>, Vec<Climb>) = typical.partition(proved);
        let mut findings: Vec<TriggerFinding> =
            others.into_iter().map(|climb| climb.finding(false, Vec::new())).collect();
        findings.extend(self.prove(proved.into_iter().map(|climb| (false, climb)).collect(), asker)?);
        Ok(Found { findings, confusion, queries: asker.queries() })
    }
}

/// What became of the images under all triggers together, by label and answer.
fn confusion(images: &[(usize, Label)], answers: &[Vec<Label>]) -> Vec<Turned> {
    let mut cells: BTreeMap<Label, (u32, BTreeMap<Label, u32>)> = BTreeMap::new();
    for (&(_, truth), &answer) in answers.iter().flat_map(|answers| images.iter().zip(answers)) {
        let (asked, row) = cells.entry(truth).or_default();
        *asked += 1;
        *row.entry(answer).or_default() += 1;
    }
    let cell = |(source, (asked, row)): (Label, (u32, BTreeMap<Label, u32>))| {
        row.into_iter().map(move |(target, turned)| Turned { source, target, turned, asked })
    };
    cells.into_iter().flat_map(cell).collect()
}

/// The pairs of labels that the largest share of images turned along, in the order of labels.
fn leading(confusion: &[Turned], count: usize) -> Vec<Aim> {
    let mut pairs: Vec<&Turned> = confusion.iter().filter(|cell| cell.source != cell.target).collect();
    // Shares as fractions: a / b before c / d where a d > c b.
    pairs.sort_by(|a, b| {
        let (left, right) = (u64::from(b.turned) * u64::from(a.asked), u64::from(a.turned) * u64::from(b.asked));
        left.cmp(&right).then((a.source, a.target).cmp(&(b.source, b.target)))
    });
    pairs.truncate(count);
    let mut aims: Vec<Aim> =
        pairs.into_iter().map(|cell| Aim::Pair { source: cell.source, target: cell.target }).collect();
    aims.sort_unstable();
    aims
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_in_one_cell() {
        let images = [(10, 0), (11, 1), (12, 0)];
        let found = confusion(&images, &[vec![0, 2, 2], vec![0, 1, 2]]);
        let cell = |source, target, turned, asked| Turned { source, target, turned, asked };
        assert_eq!(found, [cell(0, 0, 2, 4), cell(0, 2, 2, 4), cell(1, 1, 1, 2), cell(1, 2, 1, 2)]);
        let pair = |source, target| Aim::Pair { source, target };
        assert_eq!(leading(&found, 9), [pair(0, 2), pair(1, 2)]);
    }

    #[test]
    fn of_many_pairs_the_largest_shares_lead() {
        let cell = |source, turned, asked| Turned { source, target: 99, turned, asked };
        let many: Vec<Turned> = (0..40).map(|source| cell(source, source, 50 + source % 3)).collect();
        let found = leading(&many, 12);
        assert_eq!(found.len(), 12);
        assert_eq!(found[0], Aim::Pair { source: 28, target: 99 });
    }
}
