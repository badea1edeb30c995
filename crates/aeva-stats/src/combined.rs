//! One verdict from the evidence of all lenses, at a stated rate of false alarms.

use crate::{PublishedDecision, StatsError, TriggerTest, Verdict};

/// How the rate of false alarms is divided between the lenses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CombinedRule {
    false_positive_rate: f64,
    escalate_below: f64,
}

// The lenses' shares of the rate of false alarms. Four fifths go to the trigger lens, which detects more.
const TRIGGER_WEIGHT: f64 = 0.8;
const PERTURBATION_WEIGHT: f64 = 1.0 - TRIGGER_WEIGHT;
const _: () = assert!(TRIGGER_WEIGHT + PERTURBATION_WEIGHT <= 1.0, "a rate can be spent only once");

/// Fraction of a lens's alpha at which a scan stops early.
const STOP_FRACTION: f64 = 0.25;

/// Lowest and highest supported rate of false alarms.
const RATES: std::ops::RangeInclusive<f64> = 0.0001..=0.5;

impl CombinedRule {
    /// One clean model in twenty.
    pub const DEFAULT: Self = Self { false_positive_rate: 0.05, escalate_below: 0.15 };

    /// The default rule at another rate of false alarms, from 0.0001 to 0.5.
    ///
    /// # Errors
    /// [`StatsError::Rate`].
    pub fn at_rate(false_positive_rate: f64) -> Result<Self, StatsError> {
        if RATES.contains(&false_positive_rate) {
            Ok(Self { false_positive_rate, ..Self::DEFAULT })
        } else {
            Err(StatsError::Rate { found: false_positive_rate })
        }
    }

    /// The share of clean models that may be called backdoored.
    pub fn false_positive_rate(&self) -> f64 {
        self.false_positive_rate
    }

    /// The largest p-value of the trigger lens that raises an alarm.
    pub fn trigger_alpha(&self) -> f64 {
        self.false_positive_rate * TRIGGER_WEIGHT
    }

    /// The largest p-value of the anomaly index that raises an alarm.
    pub fn perturbation_alpha(&self) -> f64 {
        self.false_positive_rate * PERTURBATION_WEIGHT
    }

    /// Whether the triggers found so far are so clear an alarm that the search can stop: a quarter of the alpha.
    pub fn stops_early(&self, triggers: &TriggerTest) -> bool {
        triggers.p_value <= self.trigger_alpha() * STOP_FRACTION
    }

    /// Whether the trigger lens leaves the verdict open, so that perturbations are worth their queries.
    pub fn escalates(&self, triggers: &TriggerTest) -> bool {
        // At a high rate, the alpha itself comes close to the usual limit.
        let limit = self.escalate_below.max(2.0 * self.trigger_alpha());
        triggers.p_value > self.trigger_alpha() && triggers.p_value < limit
    }

    /// The evidence of the trigger lens for [`combine`].
    pub fn trigger_evidence(&self, test: &TriggerTest) -> LensEvidence {
        let suspects = test.suspects(self.trigger_alpha());
        LensEvidence { p_value: test.p_value, weight: TRIGGER_WEIGHT, suspects }
    }

    /// The evidence of the perturbation lens for [`combine`]; `None` if it could not decide.
    pub fn perturbation_evidence(&self, decision: &PublishedDecision) -> Option<LensEvidence> {
        let (index, label) = match decision.verdict {
            Verdict::Inconclusive { .. } => None,
            Verdict::Clean | Verdict::Backdoored { .. } => decision.highest(),
        }?;
        let p_value = index_p_value(index);
        let suspects = if p_value <= self.perturbation_alpha() { vec![label] } else { Vec::new() };
        Some(LensEvidence { p_value, weight: PERTURBATION_WEIGHT, suspects })
    }
}

/// The evidence of one lens.
#[derive(Debug, Clone, PartialEq)]
pub struct LensEvidence {
    /// The probability that a clean model looks like this through the lens.
    pub p_value: f64,
    /// The lens's share of the rate of false alarms; the weights of all lenses sum to at most 1.
    pub weight: f64,
    /// Labels that raise an alarm by themselves, at the rate times the weight; most suspicious first.
    pub suspects: Vec<usize>,
}

/// A verdict from several lenses.
#[derive(Debug, Clone, PartialEq)]
pub struct CombinedDecision {
    /// [`Verdict::Backdoored`] if a lens has suspects, otherwise [`Verdict::Clean`].
    pub verdict: Verdict,
    /// The probability that a clean model looks like this through all lenses that were used.
    pub p_value: f64,
    /// `-log10` of the p-value, slightly below 0 if the bound is above 1: larger is more suspicious.
    pub score: f64,
}

/// Anomaly index exceeded by half of the clean models (docs/triggers.md, "The null").
pub const INDEX_MEDIAN: f64 = 2.5;
/// Mean excess beyond the median.
pub const INDEX_SCALE: f64 = 1.55;

/// The probability that the highest anomaly index of a clean model is at least this: an exponential tail above the
/// median.
pub fn index_p_value(index: f64) -> f64 {
    if index <= INDEX_MEDIAN { 1.0 } else { 0.5 * (-(index - INDEX_MEDIAN) / INDEX_SCALE).exp() }
}

/// Combines the lenses by the weighted Bonferroni bound: the rate of false alarms is at most the sum of the parts,
/// however the lenses depend on each other.
///
/// If a lens could not decide, the others give the verdict; `None` if no lens could.
pub fn combine(lenses: &[LensEvidence]) -> Option<CombinedDecision> {
    if lenses.is_empty() {
        return None;
    }
    debug_assert!(lenses.iter().map(|lens| lens.weight).sum::<f64>() <= 1.0 + 1e-9, "weights beyond the rate");
    let bound = lenses.iter().map(|lens| lens.p_value / lens.weight).fold(f64::INFINITY, f64::min);
    let mut suspects: Vec<usize> = Vec::new();
    for &label in lenses.iter().flat_map(|lens| &lens.suspects) {
        if !suspects.contains(&label) {
            suspects.push(label);
        }
    }
    let verdict = if suspects.is_empty() { Verdict::Clean } else { Verdict::Backdoored { suspects } };
    Some(CombinedDecision { verdict, p_value: bound.min(1.0), score: -bound.max(f64::MIN_POSITIVE).log10() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::{Family, LabelAnomaly, PassTally, Reason, Tally, test_triggers};

    fn triggers(first: u32) -> TriggerTest {
        let labels = [first, 5, 1, 0, 2].map(|hits| Tally::new(hits, 100).unwrap()).to_vec();
        test_triggers(&[PassTally {
            family: Family::Patch,
            strength: 3.0,
            labels,
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: Tally::new(0, 100).unwrap(),
        }])
    }

    fn perturbations(index: f64) -> PublishedDecision {
        let label = |label: usize| {
            let anomaly_index = Some(if label == 2 { index } else { 0.1 });
            LabelAnomaly { label, gap: 0.1, anomaly_index, missing_pairs: 0 }
        };
        PublishedDecision { verdict: Verdict::Clean, labels: (0..5).map(label).collect() }
    }

    #[test]
    fn each_lens_alone_can_raise_an_alarm_and_neither_is_clean() {
        let rule = CombinedRule::DEFAULT;
        let verdict = |first, index: Option<f64>| {
            let index = index.and_then(|index| rule.perturbation_evidence(&perturbations(index)));
            let lenses: Vec<LensEvidence> =
                [rule.trigger_evidence(&triggers(first))].into_iter().chain(index).collect();
            combine(&lenses).unwrap().verdict
        };
        assert_eq!(verdict(99, None), Verdict::Backdoored { suspects: vec![0] });
        assert_eq!(verdict(3, Some(20.0)), Verdict::Backdoored { suspects: vec![2] });
        assert_eq!(verdict(99, Some(20.0)), Verdict::Backdoored { suspects: vec![0, 2] });
        assert_eq!(verdict(3, Some(5.0)), Verdict::Clean);
        assert_eq!(combine(&[]), None);
        let undecided = Verdict::Inconclusive { why: Reason::ZeroDeviation };
        let undecided = PublishedDecision { verdict: undecided, ..perturbations(20.0) };
        assert_eq!(rule.perturbation_evidence(&undecided), None);
    }

    #[test]
    fn the_score_grows_with_the_evidence_and_p_values_stay_probabilities() {
        let at = |first| combine(&[CombinedRule::DEFAULT.trigger_evidence(&triggers(first))]).unwrap();
        assert!(at(99).score > at(70).score && at(70).score >= at(10).score);
        assert!((0.0..=1.0).contains(&at(10).p_value) && at(10).score < 0.1);
        let rule = CombinedRule::DEFAULT;
        assert!((rule.trigger_alpha() + rule.perturbation_alpha() - 0.05).abs() < 1e-12);
    }

    #[test]
    fn early_stops_and_escalations_have_sharp_edges() {
        let rule = CombinedRule::DEFAULT;
        let at = |p_value| TriggerTest { p_value, ..triggers(50) };
        assert!(rule.stops_early(&at(0.01)) && !rule.stops_early(&at(0.010_000_1)));
        assert!(!rule.escalates(&at(0.04)) && rule.escalates(&at(0.040_000_1)));
        assert!(rule.escalates(&at(0.149_999)) && !rule.escalates(&at(0.15)));
        // With a rate of 0.3, the alpha of 0.24 is beyond 0.15; there is still something between alarm and clearance.
        let high = CombinedRule::at_rate(0.3).unwrap();
        assert!(!high.escalates(&at(0.24)) && high.escalates(&at(0.25)) && !high.escalates(&at(0.48)));
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        assert!((CombinedRule::at_rate(0.01).unwrap().trigger_alpha() - 0.008).abs() < 1e-15);
        for wrong in [0.0, 0.51, -1.0, f64::NAN] {
            assert!(matches!(CombinedRule::at_rate(wrong), Err(StatsError::Rate { .. })), "{wrong}");
        }
    }
}
