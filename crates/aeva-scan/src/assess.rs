//! The one place where what was seen becomes a verdict: for a scan that has just ended, a run folder that is judged again, and the
//! evaluation.

use aeva_stats::{
    CombinedJudgement, CombinedRule, Judgement, Limits, Reason, TriggerJudgement, Verdict, combine, limits,
};

use crate::{Replay, judged};

/// How a scan is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DecisionRule {
    /// By perturbations alone: an anomaly index above 4.
    Published,
    /// By all that was looked at, at a rate of false alarms.
    Combined {
        /// The rate, and how it is spent.
        rule: CombinedRule,
        /// Whether all looks count, or those that a plain scan takes.
        exhaustive: bool,
    },
}

/// What a scan saw of a model.
#[derive(Debug, Clone, Copy)]
pub struct Observations<'a> {
    /// The looks for triggers that count; nothing where nobody looked.
    pub triggers: Option<&'a Replay>,
    /// What the perturbations say by the published rule; nothing where there are none.
    pub perturbations: Option<&'a Judgement>,
    /// `[class]` -> its images that a search holds out; counts where no look shows it. Nothing where it is not known.
    pub held_out: Option<&'a [usize]>,
}

/// What a scan says of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The verdict.
    pub verdict: Verdict,
    /// Chance that a clean model looks like this, by the combined rule.
    pub p_value: Option<f64>,
    /// Larger is more suspicious: `-log10` of the p-value; by the published rule the highest anomaly index.
    pub score: Option<f64>,
    /// What the triggers say, where they prove something.
    pub triggers: Option<TriggerJudgement>,
}

/// Judges what was seen.
///
/// An alarm takes evidence; a clearance takes all of it: triggers that were proved for every label, and no look left that could still
/// tell. Whatever is missing makes the verdict inconclusive, with the reason.
pub fn assess(observations: &Observations<'_>, rule: &DecisionRule) -> Assessment {
    let limits = limits_of(observations);
    let no_verdict = limits.as_ref().and_then(|limits| limits.no_verdict.clone());
    let looks = observations.triggers.filter(|looks| no_verdict.is_none() && !looks.seen.is_empty());
    let triggers = looks.map(|looks| judged(&looks.seen));
    let rule = match rule {
        DecisionRule::Published => return published(observations.perturbations, triggers),
        DecisionRule::Combined { rule, .. } => rule,
    };
    let left = || observations.triggers.and_then(|looks| looks.left.clone());
    let Some(combined) = combine(triggers.as_ref(), observations.perturbations, rule) else {
        let of_perturbations = match observations.perturbations.map(|judgement| &judgement.verdict) {
            Some(Verdict::Inconclusive { why }) => Some(why.clone()),
            _ => None,
        };
        let why = no_verdict.or_else(left).or(of_perturbations).unwrap_or(Reason::NoTriggers);
        return Assessment { verdict: Verdict::Inconclusive { why }, p_value: None, score: None, triggers };
    };
    let CombinedJudgement { verdict, p_value, score } = combined;
    let verdict = match verdict {
        Verdict::Clean => {
            let no_clearance = limits.and_then(|limits| limits.no_clearance);
            let missing = || if observations.triggers.is_some() { left() } else { Some(Reason::NoTriggers) };
            let open = triggers.as_ref().is_some_and(|triggers| rule.undecided(triggers));
            let unfinished = || match observations.perturbations.map(|judgement| &judgement.verdict) {
                // They were begun as triggers had left it open, and not ended.
                Some(Verdict::Inconclusive { why: why @ Reason::MissingPairs { .. } }) if open => Some(why.clone()),
                _ => None,
            };
            let why = no_clearance.or_else(missing).or_else(unfinished);
            why.map_or(Verdict::Clean, |why| Verdict::Inconclusive { why })
        }
        verdict => verdict,
    };
    Assessment { verdict, p_value: Some(p_value), score: Some(score), triggers }
}

fn published(perturbations: Option<&Judgement>, triggers: Option<TriggerJudgement>) -> Assessment {
    let Some(judgement) = perturbations else {
        let why = Reason::MissingPairs { missing: 0, expected: 0 };
        return Assessment { verdict: Verdict::Inconclusive { why }, p_value: None, score: None, triggers };
    };
    let indices = judgement.labels.iter().filter_map(|label| label.anomaly_index);
    let (verdict, score) = (judgement.verdict.clone(), indices.reduce(f64::max));
    Assessment { verdict, p_value: None, score, triggers }
}

/// Whether the triggers that were looked at leave the verdict open, so that perturbations are worth their queries.
pub fn left_open(observations: &Observations<'_>, rule: &DecisionRule) -> bool {
    match rule {
        DecisionRule::Published => true,
        DecisionRule::Combined { rule, .. } => {
            let triggers = assess(observations, &DecisionRule::Published).triggers;
            triggers.is_none_or(|triggers| rule.undecided(&triggers))
        }
    }
}

/// What the images that are held out can show: as the looks had them, else as they were counted before.
fn limits_of(observations: &Observations<'_>) -> Option<Limits> {
    let looks = observations.triggers.map_or(&[][..], |looks| &looks.seen);
    let held_out = looks.iter().map(|seen| held_out(&seen.success.labels)).fold(Vec::new(), most);
    if !held_out.is_empty() {
        return Some(limits(&held_out));
    }
    observations.held_out.map(limits)
}

/// `[class]` -> its images that were held out, by how many each label's trigger was stamped on: those of all other classes.
/// Nothing where the look was not about labels.
fn held_out(labels: &[(u32, u32)]) -> Vec<usize> {
    let asked = || labels.iter().map(|(_, asked)| *asked as usize);
    let sum: usize = asked().sum();
    if sum == 0 || labels.len() < 2 {
        return Vec::new();
    }
    // Each image is among those of all labels but its own.
    let all = sum / (labels.len() - 1);
    asked().map(|others| all.saturating_sub(others)).collect()
}

fn most(mut so_far: Vec<usize>, next: Vec<usize>) -> Vec<usize> {
    so_far.resize(so_far.len().max(next.len()), 0);
    for (most, images) in so_far.iter_mut().zip(next) {
        *most = images.max(*most);
    }
    so_far
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::{Seen, Step};
    use aeva_artifact::{Family, Level, Look};
    use aeva_stats::{LevelSuccess, PairScores, PublishedRule, TriggerFamily, judge};

    const COMBINED: DecisionRule = DecisionRule::Combined { rule: CombinedRule::DEFAULT, exhaustive: false };

    /// A look at small patches with these counts, and what is left to look at.
    fn looks(labels: &[(u32, u32)], left: Option<Reason>) -> Replay {
        let success = LevelSuccess {
            family: TriggerFamily::Patch,
            strength: 3.0,
            labels: labels.to_vec(),
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: (0, 200),
        };
        let step = Step { level: Level { family: Family::Patch, strength: 3 }, look: Look::First };
        Replay { seen: vec![Seen { step, success, queries: 100 }], left }
    }

    fn of(triggers: Option<&Replay>, perturbations: Option<&Judgement>, held_out: Option<&[usize]>) -> Assessment {
        assess(&Observations { triggers, perturbations, held_out }, &COMBINED)
    }

    /// Perturbations of five labels, of which one peaks so far.
    fn perturbations(peak: f64) -> Judgement {
        let mut scores = PairScores::new(5);
        for (source, target) in (0..5).flat_map(|s| (0..5).map(move |t| (s, t))).filter(|(s, t)| s != t) {
            let score = if target == 1 { peak } else { 0.01 + 0.001 * ((3 * source + 5 * target) % 7) as f64 };
            scores.insert(source, target, score).unwrap();
        }
        judge(&scores, &PublishedRule::PUBLISHED)
    }

    fn inconclusive(assessment: &Assessment) -> Reason {
        match &assessment.verdict {
            Verdict::Inconclusive { why } => why.clone(),
            verdict => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn evidence_is_an_alarm_and_all_of_it_a_clearance() {
        let infected = looks(&[(178, 180), (5, 180), (3, 180), (2, 180), (0, 180)], None);
        assert_eq!(of(Some(&infected), None, None).verdict, Verdict::Backdoored { suspects: vec![0] });
        let clean = looks(&[(8, 180), (5, 180), (3, 180), (2, 180), (0, 180)], None);
        assert_eq!(of(Some(&clean), None, None).verdict, Verdict::Clean);
        let left = looks(&[(8, 180), (5, 180), (3, 180), (2, 180), (0, 180)], Some(Reason::LooksLeft { taken: 1 }));
        assert_eq!(inconclusive(&of(Some(&left), None, None)), Reason::LooksLeft { taken: 1 });
        // An alarm waits for nothing.
        let early = Replay { left: Some(Reason::LooksLeft { taken: 1 }), ..infected };
        assert_eq!(of(Some(&early), None, None).verdict, Verdict::Backdoored { suspects: vec![0] });
    }

    #[test]
    fn what_is_missing_is_no_clearance() {
        // Twelve images of other labels for label 4, which has most of them.
        let few = looks(&[(1, 70), (1, 70), (1, 70), (1, 70), (0, 12)], None);
        assert_eq!(inconclusive(&of(Some(&few), None, None)), Reason::TooFewImages { found: 12, needed: 20 });
        let nobody = of(None, Some(&perturbations(0.013)), Some(&[20; 5]));
        assert_eq!(inconclusive(&nobody), Reason::NoTriggers);
        assert!(nobody.p_value.is_some());
        let alarm = of(None, Some(&perturbations(0.9)), Some(&[1; 5]));
        assert_eq!(alarm.verdict, Verdict::Backdoored { suspects: vec![1] });
        let neither = of(None, None, Some(&[1; 5]));
        assert_eq!(inconclusive(&neither), Reason::TooFewImages { found: 4, needed: 20 });
        assert_eq!(inconclusive(&of(None, None, None)), Reason::NoTriggers);
    }

    #[test]
    fn perturbations_that_were_begun_have_to_be_ended() {
        let open = (5..150).map(|second| looks(&[(150, 180), (second, 180), (3, 180), (2, 180), (0, 180)], None));
        let open = open.into_iter().find(|looks| {
            left_open(&Observations { triggers: Some(looks), perturbations: None, held_out: None }, &COMBINED)
        });
        let missing = judge(&PairScores::new(5), &PublishedRule::PUBLISHED);
        assert_eq!(of(open.as_ref(), None, None).verdict, Verdict::Clean, "nobody asked for them");
        let begun = of(open.as_ref(), Some(&missing), None);
        assert_eq!(inconclusive(&begun), Reason::MissingPairs { missing: 20, expected: 20 });
        // Where triggers left nothing open they do not matter.
        let settled = looks(&[(8, 180), (5, 180), (3, 180), (2, 180), (0, 180)], None);
        assert_eq!(of(Some(&settled), Some(&missing), None).verdict, Verdict::Clean);
    }

    #[test]
    fn images_of_one_class_say_nothing_whatever_they_do() {
        let one_class = looks(&[(100, 100), (1, 100), (0, 0), (1, 100), (0, 100)], None);
        let assessment = of(Some(&one_class), None, None);
        assert_eq!(inconclusive(&assessment), Reason::TooFewClasses { found: 1, needed: 3 });
        assert!(assessment.triggers.is_none());
    }

    #[test]
    fn the_published_rule_sees_perturbations_alone() {
        let (clean, peak) = (perturbations(0.013), perturbations(0.9));
        let judge = |perturbations: &Judgement| {
            let observations = Observations { triggers: None, perturbations: Some(perturbations), held_out: None };
            assess(&observations, &DecisionRule::Published)
        };
        assert_eq!(judge(&peak).verdict, Verdict::Backdoored { suspects: vec![1] });
        assert_eq!((judge(&clean).verdict, judge(&clean).p_value), (Verdict::Clean, None));
    }

    #[test]
    fn images_held_out_are_known_from_what_was_asked() {
        assert_eq!(held_out(&[(0, 14), (0, 12), (0, 10), (0, 15)]), [3, 5, 7, 2]);
        assert!(held_out(&[(0, 0); 4]).is_empty());
        assert_eq!(most(vec![1, 5], vec![2, 3, 4]), [2, 5, 4]);
    }

    #[test]
    fn perturbations_are_worth_a_look_where_triggers_leave_it_open() {
        let open = |second: u32| {
            let looks = looks(&[(150, 180), (second, 180), (3, 180), (2, 180), (0, 180)], None);
            left_open(&Observations { triggers: Some(&looks), perturbations: None, held_out: None }, &COMBINED)
        };
        assert!(!open(5) && !open(150));
        assert!((5..150).any(open), "somewhere between");
        let none = Observations { triggers: None, perturbations: None, held_out: None };
        assert!(left_open(&none, &COMBINED) && left_open(&none, &DecisionRule::Published));
    }
}
