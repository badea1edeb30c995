//! Target labels: one or several labels that a trigger reaches far more often than all others.

use super::ahead::Ahead;
use super::attraction::Attraction;
use super::odds::Success;
use super::pass::PassTally;
use super::standout::StandsOut;

/// A label in a pass.
#[derive(Clone, Copy)]
struct Ranked {
    label: usize,
    success: Success,
    climbed: bool,
}

/// The first labels together, one entry for each number of labels up to half of all.
///
/// Labels with too few trials take no part: nothing is known about them, which is not the same as a rate of one half.
/// A label counts only if the search climbed for it, and only if it climbed for another label that is not ahead:
/// otherwise the gap would lie where the search stopped, not where the model stops giving way.
pub(super) fn ahead(pass: &PassTally, attraction: Option<&Attraction<'_>>) -> Vec<Ahead> {
    let sorted = ranked(pass);
    let first = |count: usize| {
        let (first, others) = sorted.split_at(count);
        let (last, next) = (first.last()?, others.first()?);
        let is_fair = first.iter().all(|ranked| ranked.climbed) && others.iter().any(|ranked| ranked.climbed);
        let lowest = |of: &dyn Fn(&Ranked) -> f64| first.iter().map(of).fold(f64::INFINITY, f64::min);
        is_fair.then(|| Ahead {
            what: StandsOut::Labels(first.iter().map(|ranked| ranked.label).collect()),
            gap: last.success.log_odds() - next.success.log_odds(),
            at_least: lowest(&|ranked| ranked.success.at_least()),
            excess: attraction
                .map(|attraction| lowest(&|ranked| ranked.success.log_odds() - attraction.of_label(ranked.label))),
        })
    };
    // Of the other labels, too few may have been measured.
    (1..=pass.labels.len() / 2).take_while(|&count| count < sorted.len()).filter_map(first).collect()
}

/// Every label that the search climbed for, by its success alone, whatever other labels reach. So no other label hides it,
/// such as that of a second backdoor.
pub(super) fn levels(pass: &PassTally, attraction: Option<&Attraction<'_>>) -> Vec<Ahead> {
    let sorted = ranked(pass);
    // Of two labels, one is always easier to reach.
    let enough = pass.labels.len() > 2;
    let level = |ranked: &Ranked| Ahead {
        what: StandsOut::Labels(vec![ranked.label]),
        gap: ranked.success.log_odds(),
        at_least: ranked.success.at_least(),
        excess: attraction.map(|attraction| ranked.success.log_odds() - attraction.of_label(ranked.label)),
    };
    sorted.iter().filter(|ranked| enough && ranked.climbed).map(level).collect()
}

/// The labels with enough trials, highest success first.
fn ranked(pass: &PassTally) -> Vec<Ranked> {
    let is_random = pass.is_random();
    let known = pass.labels.iter().enumerate().filter_map(|(label, goal)| {
        let success = Success::of_goal(goal)?;
        Some(Ranked { label, success, climbed: goal.climbed || is_random })
    });
    let mut sorted: Vec<Ranked> = known.collect();
    sorted.sort_by(|a, b| b.success.log_odds().total_cmp(&a.success.log_odds()).then(a.label.cmp(&b.label)));
    sorted
}

#[cfg(test)]
mod tests {
    use super::super::examples::pass;
    use super::*;
    use crate::GoalTally;

    #[test]
    fn labels_are_compared_with_those_that_were_measured() {
        let numbers = |measured: usize| {
            let mut few = pass(3, &[178, 175, 9, 8, 7, 6, 5, 4, 3, 2]);
            few.labels[measured..].fill(GoalTally::default());
            ahead(&few, None).into_iter().map(|ahead| ahead.what).collect::<Vec<StandsOut>>()
        };
        let first = |count: usize| StandsOut::Labels((0..count).collect());
        assert_eq!(numbers(10), [first(1), first(2), first(3), first(4), first(5)], "up to half of all");
        assert_eq!(numbers(3), [first(1), first(2)]);
        assert_eq!(numbers(2), [first(1)]);
        assert_eq!(numbers(1), [], "there is none to compare it with");
    }
}
