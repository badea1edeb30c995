//! The one place that turns evidence into a verdict: for a scan, for a run folder that is judged again, and for the
//! evaluation.

use aeva_stats::{CombinedDecision, CombinedRule, Limits, PublishedDecision, Reason, TriggerTest, Verdict, combine};

use crate::lens::{Evidence, Judging, Observations, Passes};
use crate::rule::DecisionRule;

/// The assessment of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The verdict.
    pub verdict: Verdict,
    /// The probability that a clean model looks like this, under the combined rule.
    pub p_value: Option<f64>,
    /// Larger is more suspicious: `-log10` of the p-value, or the highest anomaly index under the published rule.
    pub score: Option<f64>,
    /// The trigger test, if it takes part.
    pub triggers: Option<TriggerTest>,
}

impl Observations {
    /// The verdict.
    pub fn assess(&self, rule: &DecisionRule) -> Assessment {
        assess(&self.evidence(rule), rule)
    }
}

/// Assesses the evidence.
///
/// One piece of evidence is enough for an alarm. A clean verdict requires all of it: triggers measured for every label,
/// and no pass left that could still raise an alarm. If anything is missing, the verdict is inconclusive, with the
/// reason.
pub fn assess(evidence: &Evidence<'_>, rule: &DecisionRule) -> Assessment {
    let limits = limits_of(evidence, &rule.of_triggers().0);
    let no_verdict = limits.as_ref().and_then(|limits| limits.no_verdict.clone());
    let triggers = tested(evidence, no_verdict.as_ref());
    let rule = match rule {
        DecisionRule::Published => return published(evidence.perturbations, triggers),
        DecisionRule::Combined { rule, .. } => rule,
    };
    let judging = Judging { rule, triggers: triggers.as_ref() };
    let Some(CombinedDecision { verdict, p_value, score }) = combine(&evidence.weigh(&judging)) else {
        let why = no_verdict.or_else(|| evidence.undecided()).unwrap_or(Reason::NoTriggers);
        return Assessment { verdict: Verdict::Inconclusive { why }, p_value: None, score: None, triggers };
    };
    let verdict = match verdict {
        Verdict::Clean => {
            let no_clearance = limits.and_then(|limits| limits.no_clearance);
            let why = no_clearance.or_else(|| evidence.missing(&judging));
            why.map_or(Verdict::Clean, |why| Verdict::Inconclusive { why })
        }
        verdict => verdict,
    };
    Assessment { verdict, p_value: Some(p_value), score: Some(score), triggers }
}

fn published(perturbations: Option<&PublishedDecision>, triggers: Option<TriggerTest>) -> Assessment {
    let Some(decision) = perturbations else {
        let why = Reason::MissingPairs { missing: 0, expected: 0 };
        return Assessment { verdict: Verdict::Inconclusive { why }, p_value: None, score: None, triggers };
    };
    let (verdict, score) = (decision.verdict.clone(), decision.highest().map(|(index, _)| index));
    Assessment { verdict, p_value: None, score, triggers }
}

/// The test of the triggers, if they can be tested.
fn tested(evidence: &Evidence<'_>, no_verdict: Option<&Reason>) -> Option<TriggerTest> {
    let passes = evidence.triggers.filter(|passes| no_verdict.is_none() && !passes.made.is_empty());
    passes.map(Passes::test)
}

/// What the hold-out images can show: those that are known, or else those that triggers were measured on.
fn limits_of(evidence: &Evidence<'_>, rule: &CombinedRule) -> Option<Limits> {
    evidence.holdout.map(|known| rule.limits(known)).or_else(|| {
        let labels = evidence.triggers?.made.iter().flat_map(|one| &one.tally.labels);
        let measured = labels.max_by_key(|label| label.pooled().trials())?;
        let labels = evidence.triggers?.made.iter().map(|one| one.tally.labels.len()).max()?;
        // Images of its own label are not among them, so there may be a few more.
        let mut holdout: Vec<usize> = measured.by_source.iter().map(|own| own.trials() as usize).collect();
        holdout.resize(labels, 0);
        (measured.pooled().trials() > 0).then(|| rule.limits(&holdout))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::Observation;
    use aeva_attack::trigger::{Pass, PassId, Setting};
    use aeva_stats::{Family, GoalTally, PairScores, PassTally, PublishedRule, Tally};

    const COMBINED: DecisionRule = DecisionRule::DEFAULT;

    /// The labels of a pass with these hits and trials.
    fn tallies(labels: &[(usize, usize)]) -> Vec<GoalTally> {
        labels.iter().map(|&(hits, trials)| Tally::clamped(hits, trials).into()).collect()
    }

    fn passes(labels: &[(usize, usize)], left: Option<Reason>) -> Passes {
        let tally = PassTally {
            family: Family::Patch,
            strength: 3.0,
            labels: tallies(labels),
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: Tally::clamped(0, 200).into(),
            effects: Vec::new(),
        };
        let id = PassId { setting: Setting { family: Family::Patch, strength: 3 }, pass: Pass::Explore };
        Passes {
            made: vec![Observation { id, tally, queries: 100, unlabelled: 0 }],
            explored: true,
            left,
            rule: CombinedRule::DEFAULT,
        }
    }

    fn of(
        triggers: Option<&Passes>,
        perturbations: Option<&PublishedDecision>,
        holdout: Option<&[usize]>,
    ) -> Assessment {
        assess(&Evidence { triggers, perturbations, holdout }, &COMBINED)
    }

    /// Perturbations of five labels, one of which has this peak.
    fn perturbations(peak: f64) -> PublishedDecision {
        let mut scores = PairScores::new(5);
        for (source, target) in (0..5).flat_map(|s| (0..5).map(move |t| (s, t))).filter(|(s, t)| s != t) {
            let score = if target == 1 { peak } else { 0.01 + 0.001 * ((3 * source + 5 * target) % 7) as f64 };
            scores.insert(source, target, score).unwrap();
        }
        PublishedRule::PUBLISHED.decide(&scores)
    }

    fn inconclusive(assessment: &Assessment) -> Reason {
        match &assessment.verdict {
            Verdict::Inconclusive { why } => why.clone(),
            verdict => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn evidence_is_an_alarm_and_all_of_it_a_clearance() {
        let infected = passes(&[(178, 180), (5, 180), (3, 180), (2, 180), (0, 180)], None);
        assert_eq!(of(Some(&infected), None, Some(&[20; 5])).verdict, Verdict::Backdoored { suspects: vec![0] });
        let clean = passes(&[(8, 180), (5, 180), (3, 180), (2, 180), (0, 180)], None);
        assert_eq!(of(Some(&clean), None, Some(&[20; 5])).verdict, Verdict::Clean);
        let left = passes(&[(8, 180), (5, 180), (3, 180), (2, 180), (0, 180)], Some(Reason::PassesLeft { made: 1 }));
        assert_eq!(inconclusive(&of(Some(&left), None, Some(&[20; 5]))), Reason::PassesLeft { made: 1 });
        // An alarm does not wait for missing passes.
        let early = Passes { left: Some(Reason::PassesLeft { made: 1 }), ..infected };
        assert_eq!(of(Some(&early), None, Some(&[20; 5])).verdict, Verdict::Backdoored { suspects: vec![0] });
    }

    #[test]
    fn what_is_missing_is_no_clearance() {
        // Label 4 has most of the images, so only twelve images are left for a trigger for it.
        let few = passes(&[(1, 70), (1, 70), (1, 70), (1, 70), (0, 12)], None);
        assert_eq!(
            inconclusive(&of(Some(&few), None, Some(&[3, 3, 3, 3, 61]))),
            Reason::TooFewImages { found: 12, needed: 20 }
        );
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
    fn perturbations_that_are_not_complete_do_not_count() {
        let missing = PublishedRule::PUBLISHED.decide(&PairScores::new(5));
        let clear = passes(&[(8, 180), (5, 180), (3, 180), (2, 180), (0, 180)], None);
        assert_eq!(of(Some(&clear), Some(&missing), Some(&[20; 5])).verdict, Verdict::Clean);
        assert_eq!(inconclusive(&of(None, Some(&missing), None)), Reason::MissingPairs { missing: 20, expected: 20 });
    }

    #[test]
    fn images_of_one_class_say_nothing_whatever_they_do() {
        let one_class = passes(&[(100, 100), (1, 100), (0, 0), (1, 100), (0, 100)], None);
        let assessment = of(Some(&one_class), None, Some(&[0, 0, 100, 0, 0]));
        assert_eq!(inconclusive(&assessment), Reason::TooFewClasses { found: 1, needed: 3 });
        assert!(assessment.triggers.is_none());
    }

    #[test]
    fn unknown_hold_out_images_are_counted_where_triggers_were_measured() {
        let reason = |labels: Vec<GoalTally>| {
            let mut passes = passes(&[(8, 180), (5, 180), (3, 180), (2, 180), (0, 180)], None);
            passes.made[0].tally.labels = labels;
            of(Some(&passes), None, None).verdict.reason().cloned()
        };
        let label = |each| GoalTally { by_source: vec![Tally::clamped(1, each); 4], climbed: true };
        let left = GoalTally::default;
        assert_eq!(reason(vec![left(), label(20), label(20), left(), left()]), None);
        assert_eq!(
            reason(vec![left(), label(4), left(), left(), left()]),
            Some(Reason::TooFewImages { found: 16, needed: 20 })
        );
    }

    #[test]
    fn the_published_rule_sees_perturbations_alone() {
        let (clean, peak) = (perturbations(0.013), perturbations(0.9));
        let judge = |perturbations: &PublishedDecision| {
            let evidence = Evidence { perturbations: Some(perturbations), ..Evidence::default() };
            assess(&evidence, &DecisionRule::Published)
        };
        assert_eq!(judge(&peak).verdict, Verdict::Backdoored { suspects: vec![1] });
        assert_eq!((judge(&clean).verdict, judge(&clean).p_value), (Verdict::Clean, None));
    }
}
