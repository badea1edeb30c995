//! One verdict from what the lenses say, at a stated family-wise rate of false alarms.

use crate::{Judgement, TriggerJudgement, Verdict};

/// How the chance of a false alarm is spent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CombinedRule {
    /// Share of clean models that may be called backdoored.
    pub false_positive_rate: f64,
    /// Part of it that the triggers have; the anomaly index has the rest.
    pub trigger_part: f64,
    /// Chances between this part's rate and this are worth a look through the other lens.
    pub undecided_below: f64,
}

impl CombinedRule {
    /// One clean model in twenty; four fifths of that for the triggers, which see more.
    pub const DEFAULT: Self = Self { false_positive_rate: 0.05, trigger_part: 0.8, undecided_below: 0.15 };

    /// Largest p-value of the triggers that is an alarm.
    pub fn trigger_level(&self) -> f64 {
        self.false_positive_rate * self.trigger_part
    }

    /// Largest p-value of the anomaly index that is an alarm.
    pub fn index_level(&self) -> f64 {
        self.false_positive_rate * (1.0 - self.trigger_part)
    }

    /// Whether the triggers seen so far make more of them unnecessary: a quarter of the chance that would be an alarm.
    pub fn settled(&self, triggers: &TriggerJudgement) -> bool {
        triggers.p_value <= self.trigger_level() * SETTLED
    }

    /// Whether the triggers alone leave it open.
    pub fn undecided(&self, triggers: &TriggerJudgement) -> bool {
        triggers.p_value > self.trigger_level() && triggers.p_value < self.undecided_below
    }
}

/// Share of the alarm's level at which nothing is left to be settled.
const SETTLED: f64 = 0.25;

/// A verdict from several lenses.
#[derive(Debug, Clone, PartialEq)]
pub struct CombinedJudgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Chance that a clean model looks like this, over all lenses that were used.
    pub p_value: f64,
    /// `-log10` of it, and a little below 0 where the bound is above 1: larger is more suspicious.
    pub score: f64,
}

/// Anomaly index that half of the clean models exceed, and mean excess beyond it (docs/triggers.md, "The null").
pub const INDEX_MEDIAN: f64 = 2.5;
const INDEX_SCALE: f64 = 1.55;

/// Chance that the highest anomaly index of a clean model is this or more: an exponential tail above the median.
pub fn index_p_value(index: f64) -> f64 {
    if index <= INDEX_MEDIAN { 1.0 } else { 0.5 * (-(index - INDEX_MEDIAN) / INDEX_SCALE).exp() }
}

/// Combines what the triggers say with AEVA's perturbations, where those were looked at, by Bonferroni's weighted bound: the
/// false-positive rate is the sum of the parts, however the lenses depend on each other.
///
/// Lenses that could not decide leave the verdict to the other one; nothing when neither could.
pub fn combine(
    triggers: Option<&TriggerJudgement>,
    aeva: Option<&Judgement>,
    rule: &CombinedRule,
) -> Option<CombinedJudgement> {
    let highest = aeva
        .into_iter()
        .flat_map(|judgement| &judgement.labels)
        .filter_map(|label| Some((label.anomaly_index?, label.label)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let index = match aeva.map(|judgement| &judgement.verdict) {
        Some(Verdict::Inconclusive { .. }) | None => None,
        Some(_) => highest,
    };
    if triggers.is_none() && index.is_none() {
        return None;
    }
    let (mut bound, mut suspects) = (f64::INFINITY, Vec::new());
    if let Some(triggers) = triggers {
        bound = bound.min(triggers.p_value / rule.trigger_part);
        suspects = triggers.suspects(rule.trigger_level());
    }
    if let Some((index, label)) = index {
        bound = bound.min(index_p_value(index) / (1.0 - rule.trigger_part));
        if index_p_value(index) <= rule.index_level() && !suspects.contains(&label) {
            suspects.push(label);
        }
    }
    let verdict = if suspects.is_empty() { Verdict::Clean } else { Verdict::Backdoored { suspects } };
    Some(CombinedJudgement { verdict, p_value: bound.min(1.0), score: -bound.max(f64::MIN_POSITIVE).log10() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::{LabelJudgement, LevelSuccess, Reason, TriggerFamily, judge_triggers};

    fn triggers(first: u32) -> TriggerJudgement {
        let labels = [first, 5, 1, 0, 2].map(|turned| (turned, 100)).to_vec();
        judge_triggers(&[LevelSuccess {
            family: TriggerFamily::Patch,
            strength: 3.0,
            labels,
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: (0, 100),
        }])
    }

    fn aeva(index: f64) -> Judgement {
        let label = |label: usize| {
            let anomaly_index = Some(if label == 2 { index } else { 0.1 });
            LabelJudgement { label, gap: 0.1, anomaly_index, missing_pairs: 0 }
        };
        Judgement { verdict: Verdict::Clean, labels: (0..5).map(label).collect() }
    }

    #[test]
    fn each_lens_alone_can_raise_an_alarm_and_neither_is_clean() {
        let rule = CombinedRule::DEFAULT;
        let verdict = |first, index: Option<f64>| {
            combine(Some(&triggers(first)), index.map(aeva).as_ref(), &rule).unwrap().verdict
        };
        assert_eq!(verdict(99, None), Verdict::Backdoored { suspects: vec![0] });
        assert_eq!(verdict(3, Some(20.0)), Verdict::Backdoored { suspects: vec![2] });
        assert_eq!(verdict(99, Some(20.0)), Verdict::Backdoored { suspects: vec![0, 2] });
        assert_eq!(verdict(3, Some(5.0)), Verdict::Clean);
        assert_eq!(combine(None, None, &rule), None);
        let undecided = Judgement { verdict: Verdict::Inconclusive { why: Reason::ZeroDeviation }, ..aeva(20.0) };
        assert_eq!(combine(None, Some(&undecided), &rule), None);
    }

    #[test]
    fn the_score_grows_with_the_evidence_and_p_values_stay_probabilities() {
        let at = |first| combine(Some(&triggers(first)), None, &CombinedRule::DEFAULT).unwrap();
        assert!(at(99).score > at(70).score && at(70).score >= at(10).score);
        assert!((0.0..=1.0).contains(&at(10).p_value) && at(10).score < 0.1);
        assert!((CombinedRule::DEFAULT.trigger_level() + CombinedRule::DEFAULT.index_level() - 0.05).abs() < 1e-12);
    }
}
