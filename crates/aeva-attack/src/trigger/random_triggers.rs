//! Random triggers measured as drawn, without a search, in one pass.
//!
//! A backdoor trained with a faint pattern reacts to more than that pattern: many similar patterns lead to its label
//! too. In a clean model, random patterns that change the answer are rare, or they lead to many labels. The *best*
//! pattern is no evidence, because a search also finds one for a natural weakness. A *typical* pattern is: for each
//! label, the one at a given rank among all patterns. The same holds for pairs of labels, where the pattern is
//! stronger.
//!
//! All random triggers together, above all the squares, measure the baseline: how readily images of one label become
//! another in this model.

use std::cmp::Reverse;

use aeva_stats::{About, PairTally, RandomSample, TargetMap};

use super::candidates::candidate;
use super::hill_climb::HillClimb;
use super::query::{Queries, images_of, on_all};
use super::score::{confusion, score};
use super::searcher::Searcher;
use super::{PassResult, Setting, Trigger, TriggerFinding};
use crate::{Label, ScanError};

/// Labels whose typical trigger is measured on hold-out images.
pub(super) const MEASURED_LABELS: usize = 4;

/// Measures random triggers of a setting, by the typical one of every label and of some pairs.
pub(super) fn measure(
    searcher: &Searcher<'_>,
    setting: Setting,
    sample: RandomSample,
    queries: &mut Queries<'_, '_>,
) -> Result<PassResult, ScanError> {
    let RandomSample { count, rank, about } = sample;
    let (images, pairs) = match about {
        About::Labels => (searcher.split.explore().to_vec(), 0),
        About::Pairs(pairs) => (searcher.split.baseline(), pairs),
    };
    let shape = queries.shape();
    let crops: Vec<&[f32]> = images.iter().map(|&(index, _)| queries.image(index)).collect();
    let drawn: Vec<Trigger> =
        (0..count).map(|item| candidate(setting, shape, &crops, &mut searcher.stream(setting, item))).collect();
    let answers = queries.ask(&on_all(&drawn, &images))?;
    let confusion = confusion(&images, answers.iter().map(Vec::as_slice));
    let goals = searcher.labels().chain(leading(&confusion, pairs));
    let typical = goals.filter_map(|goal| {
        // Only images that the goal is about are counted.
        let about: Vec<usize> = (0..images.len()).filter(|&at| goal.includes(images[at].1)).collect();
        let of = |at: usize| about.iter().map(|&image| answers[at][image]).collect::<Vec<Label>>();
        let truth: Vec<Label> = about.iter().map(|&image| images[image].1).collect();
        let mut ranking: Vec<usize> = (0..drawn.len()).collect();
        // Stable, so that the first of equals counts.
        ranking.sort_by_cached_key(|&at| Reverse(score(goal, &truth, &of(at))));
        let at = *ranking.get(rank)?;
        let start = vec![(drawn[at].clone(), of(at))];
        HillClimb::new(goal, &images_of(&images, goal), Vec::new(), start, searcher.climb_stream(setting, goal))
    });
    let (labels, pairs): (Vec<HillClimb>, Vec<HillClimb>) = typical.partition(|climb| climb.goal.is_all_to_one());
    let (labels, others) =
        if about == About::Labels { leading_labels(labels, searcher, setting) } else { (Vec::new(), labels) };
    let mut findings: Vec<TriggerFinding> =
        others.into_iter().map(|climb| climb.finding(false, Vec::new(), Vec::new())).collect();
    findings.extend(searcher.measure(labels.into_iter().chain(pairs).collect(), false, queries)?);
    findings.sort_by_key(|finding| finding.goal);
    let found = PassResult { findings, confusion, queries: queries.count(), unlabelled: queries.unlabelled() };
    Ok(found.without_last_labels(|goal| searcher.tie(setting, goal)))
}

/// The labels that the most images reached, and the others: the test needs the best one and those after it. Ties are
/// drawn.
fn leading_labels(
    mut labels: Vec<HillClimb>,
    searcher: &Searcher<'_>,
    setting: Setting,
) -> (Vec<HillClimb>, Vec<HillClimb>) {
    labels.sort_by_cached_key(|climb| (Reverse(climb.score()), searcher.tie(setting, climb.goal)));
    let others = labels.split_off(MEASURED_LABELS.min(labels.len()));
    (labels, others)
}

/// The pairs of labels with the highest rates, in the order of labels.
fn leading(confusion: &[PairTally], count: usize) -> Vec<TargetMap> {
    let mut pairs: Vec<&PairTally> = confusion.iter().filter(|cell| cell.source != cell.target).collect();
    // Rates as fractions: a / b before c / d where a d > c b.
    pairs.sort_by(|a, b| {
        let product =
            |hits: &PairTally, trials: &PairTally| u64::from(hits.tally.hits()) * u64::from(trials.tally.trials());
        product(b, a).cmp(&product(a, b)).then((a.source, a.target).cmp(&(b.source, b.target)))
    });
    pairs.truncate(count);
    let goal = |cell: &PairTally| TargetMap::SourceSpecific { source: cell.source, target: cell.target };
    let mut goals: Vec<TargetMap> = pairs.into_iter().map(goal).collect();
    goals.sort_unstable();
    goals
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use aeva_stats::Tally;

    fn cell(source: u32, target: u32, hits: u32, trials: u32) -> PairTally {
        PairTally { source, target, tally: Tally::new(hits, trials).unwrap() }
    }

    #[test]
    fn of_many_pairs_the_highest_rates_lead() {
        let many: Vec<PairTally> = (0..40).map(|source| cell(source, 99, source, 50 + source % 3)).collect();
        let found = leading(&many, 12);
        assert_eq!(found.len(), 12);
        assert_eq!(found[0], TargetMap::SourceSpecific { source: 28, target: 99 });
    }
}
