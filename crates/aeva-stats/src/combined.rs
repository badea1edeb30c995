//! One verdict from the evidence of all lenses, at a stated rate of false alarms.

use std::sync::Arc;

use crate::trigger::limits;
use crate::{
    Limits, Null, PassTally, PublishedDecision, Reference, ReferenceModel, StatsError, TriggerTest, Verdict,
    test_triggers_against,
};

/// How the rate of false alarms is divided between the lenses, and which clean models a model is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct CombinedRule {
    false_positive_rate: f64,
    /// `None` for the clean models that are built in.
    reference: Option<Arc<Reference>>,
}

// The lenses' shares of the rate of false alarms. Nearly all goes to the trigger lens: of the infected models that the
// other lens shows, it misses none.
const TRIGGER_WEIGHT: f64 = 0.95;
const PERTURBATION_WEIGHT: f64 = 1.0 - TRIGGER_WEIGHT;
const _: () = assert!(TRIGGER_WEIGHT + PERTURBATION_WEIGHT <= 1.0, "a rate can be spent only once");

/// A scan stops early if the evidence would be an alarm even if it were so much smaller.
const STOP_BEYOND: f64 = 1.0;

/// Triggers are refined where at most this share of clean models has as much evidence.
const REFINED: f64 = 0.2;

/// Lowest and highest supported rate of false alarms.
const RATES: std::ops::RangeInclusive<f64> = 0.0001..=0.5;

impl CombinedRule {
    /// One clean model in twenty, compared with the clean models that are built in.
    pub const DEFAULT: Self = Self { false_positive_rate: 0.05, reference: None };

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

    /// The same rule, with these clean models besides those that are built in.
    #[must_use]
    pub fn with_references(self, models: &[ReferenceModel]) -> Self {
        if models.is_empty() { self } else { Self { reference: Some(Arc::new(self.reference().and(models))), ..self } }
    }

    /// The same rule, with these clean models alone.
    #[must_use]
    pub fn against(self, reference: Reference) -> Self {
        Self { reference: Some(Arc::new(reference)), ..self }
    }

    /// The clean models that a model is compared with.
    pub fn reference(&self) -> Reference {
        self.reference.as_deref().cloned().unwrap_or_else(Reference::built_in)
    }

    /// Tests the triggers of a model against these clean models.
    pub fn test(&self, passes: &[PassTally]) -> TriggerTest {
        test_triggers_against(passes, &self.reference())
    }

    /// What a scan cannot tell with `holdout` `[class]` -> hold-out images of the class, and with these clean models.
    ///
    /// A trigger for a label is measured on the hold-out images of all other classes. An alarm requires at least 20 of
    /// these for some label, at least three classes, and enough comparable clean models for the rate of false alarms. A
    /// clean verdict requires 20 images for *every* label, and images of half of the classes.
    ///
    /// With two labels, one is always easier to reach than the other, so only clean models of two labels tell by how much.
    pub fn limits(&self, holdout: &[usize]) -> Limits {
        let null = self.reference().null(holdout.len());
        let is_enough = null.floor() <= self.trigger_alpha(&null);
        limits(holdout, &null, (!is_enough).then(|| self.references_needed()))
    }

    /// The share of clean models that may be called backdoored.
    pub fn false_positive_rate(&self) -> f64 {
        self.false_positive_rate
    }

    /// Number of comparable clean models that this rate requires, those of one origin counted as one.
    pub fn references_needed(&self) -> usize {
        // The division must not make 20 of 19.999...
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 9999")]
        let needed = (1.0 / self.false_positive_rate - 1.0 - ROUNDING).ceil().max(1.0) as usize;
        needed
    }

    /// The largest p-value of the trigger lens that raises an alarm.
    ///
    /// The other lenses get a share of the rate only if there are enough clean models for both: what cannot raise an alarm
    /// needs no part of it.
    pub fn trigger_alpha(&self, null: &Null) -> f64 {
        self.false_positive_rate * Self::trigger_weight(self.false_positive_rate, null) + ROUNDING
    }

    fn trigger_weight(rate: f64, null: &Null) -> f64 {
        if null.floor() <= rate * TRIGGER_WEIGHT + ROUNDING { TRIGGER_WEIGHT } else { 1.0 }
    }

    /// The largest p-value of the anomaly index that raises an alarm.
    pub fn perturbation_alpha(&self) -> f64 {
        self.false_positive_rate * PERTURBATION_WEIGHT
    }

    /// Whether the triggers found so far are so clear an alarm that the search can stop: one that is not just beyond the
    /// clean models.
    pub fn stops_early(&self, triggers: &TriggerTest) -> bool {
        let evidence = triggers.strongest.as_ref().map_or(f64::NEG_INFINITY, |strongest| strongest.standout.evidence);
        let less = evidence - STOP_BEYOND;
        less >= 0.0 && triggers.null.p_value(less) <= self.trigger_alpha(&triggers.null)
    }

    /// Whether the triggers found so far stand out enough to be refined.
    pub fn refines(&self, triggers: &TriggerTest) -> bool {
        triggers.p_value <= REFINED
    }

    /// The evidence of the trigger lens for [`combine`].
    pub fn trigger_evidence(&self, test: &TriggerTest) -> LensEvidence {
        let suspects = test.suspects(self.trigger_alpha(&test.null));
        let weight = Self::trigger_weight(self.false_positive_rate, &test.null);
        LensEvidence { p_value: test.p_value, weight, suspects }
    }

    /// The evidence of the perturbation lens for [`combine`]; `None` if it could not decide, if nothing is known about
    /// clean models with so many labels, or if the trigger lens needs the whole rate.
    pub fn perturbation_evidence(
        &self,
        decision: &PublishedDecision,
        triggers: Option<&TriggerTest>,
    ) -> Option<LensEvidence> {
        let (index, label) = match decision.verdict {
            Verdict::Inconclusive { .. } => None,
            Verdict::Clean | Verdict::Backdoored { .. } => decision.highest(),
        }?;
        if triggers.is_some_and(|test| Self::trigger_weight(self.false_positive_rate, &test.null) > TRIGGER_WEIGHT) {
            return None;
        }
        let p_value = index_p_value(index, decision.labels.len())?;
        let suspects = if p_value <= self.perturbation_alpha() { vec![label] } else { Vec::new() };
        Some(LensEvidence { p_value, weight: PERTURBATION_WEIGHT, suspects })
    }
}

/// Sums of weights such as a third and two thirds are off by a few ulp.
const ROUNDING: f64 = 1e-9;

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

/// Numbers of labels of the clean models in which the anomaly index was measured.
pub const INDEX_LABELS: std::ops::RangeInclusive<usize> = 5..=10;

/// The probability that the highest anomaly index of a clean model with so many labels is at least this: an exponential
/// tail above the median. `None` for other numbers of labels than [`INDEX_LABELS`]: the index is the highest of all
/// labels, so it grows with their number, and nobody has measured how much.
pub fn index_p_value(index: f64, labels: usize) -> Option<f64> {
    let p_value = if index <= INDEX_MEDIAN { 1.0 } else { 0.5 * (-(index - INDEX_MEDIAN) / INDEX_SCALE).exp() };
    INDEX_LABELS.contains(&labels).then_some(p_value)
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
    use crate::{Family, GoalTally, LabelAnomaly, PassTally, Reason, Tally};

    /// Clean models of five labels that nothing stands out of.
    fn reference(count: usize) -> Reference {
        Reference::of(vec![ReferenceModel { origin: None, labels: 5, evidence: 0.0 }; count])
    }

    fn triggers_against(first: u32, reference: &Reference) -> TriggerTest {
        let labels = [first, 5, 1, 0, 2].map(|hits| Tally::new(hits, 100).unwrap().into()).to_vec();
        let pass = PassTally {
            family: Family::Patch,
            strength: 3.0,
            labels,
            pairs: Vec::new(),
            confusion: Vec::new(),
            map: GoalTally::default(),
            effects: Vec::new(),
        };
        test_triggers_against(&[pass], reference)
    }

    fn triggers(first: u32) -> TriggerTest {
        triggers_against(first, &reference(39))
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
            let index = index.and_then(|index| rule.perturbation_evidence(&perturbations(index), None));
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
        assert_eq!(rule.perturbation_evidence(&undecided, None), None);
    }

    #[test]
    fn p_values_stay_probabilities() {
        let at = |first| combine(&[CombinedRule::DEFAULT.trigger_evidence(&triggers(first))]).unwrap();
        assert!(at(99).score > at(10).score && at(10).score < 0.1);
        assert!((at(99).p_value - 1.0 / 40.0 / 0.95).abs() < 1e-12 && (at(10).p_value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_anomaly_index_counts_where_it_was_measured() {
        let of = |labels: usize| {
            let label = |label| LabelAnomaly { label, gap: 0.1, anomaly_index: Some(20.0), missing_pairs: 0 };
            let labels = (0..labels).map(label).collect();
            CombinedRule::DEFAULT.perturbation_evidence(&PublishedDecision { verdict: Verdict::Clean, labels }, None)
        };
        assert_eq!([4, 5, 10, 11, 43].map(|labels| of(labels).is_some()), [false, true, true, false, false]);
        assert_eq!(index_p_value(INDEX_MEDIAN, 10), Some(1.0));
    }

    #[test]
    fn a_scan_stops_early_only_far_beyond_the_clean_models() {
        let rule = CombinedRule::DEFAULT;
        assert!(rule.stops_early(&triggers(97)));
        let near = ReferenceModel {
            origin: None,
            labels: 5,
            evidence: triggers(97).strongest.unwrap().standout.evidence - 0.5,
        };
        let alarm = triggers_against(97, &reference(39).and(&[near]));
        assert!(!rule.stops_early(&alarm) && !rule.trigger_evidence(&alarm).suspects.is_empty());
        // Two models would have to be twenty.
        assert!(!rule.stops_early(&triggers_against(97, &reference(2))));
    }

    /// With 19 clean models the smallest p-value is 1/20: the triggers need the whole rate of 5 %.
    #[test]
    fn nineteen_clean_models_are_enough_for_five_percent() {
        let rule = CombinedRule::DEFAULT;
        assert_eq!(rule.references_needed(), 19);
        let alarm = |count| !rule.trigger_evidence(&triggers_against(97, &reference(count))).suspects.is_empty();
        assert_eq!([18, 19, 20, 21, 40].map(alarm), [false, true, true, true, true]);
        for (count, share) in [(19, 1.0), (21, 0.95)] {
            let test = triggers_against(50, &reference(count));
            let alpha = rule.trigger_alpha(&test.null);
            assert!((alpha - 0.05 * share).abs() < 1e-6, "{count}");
            assert_eq!(rule.perturbation_evidence(&perturbations(20.0), Some(&test)).is_none(), share > 0.99);
        }
        assert_eq!(CombinedRule::at_rate(0.01).unwrap().references_needed(), 99);
        assert_eq!(CombinedRule::at_rate(0.5).unwrap().references_needed(), 1);
    }

    #[test]
    fn the_models_of_a_user_join_those_that_are_built_in() {
        let own = ReferenceModel { origin: None, labels: 2, evidence: 1.0 };
        let built_in = CombinedRule::DEFAULT.reference();
        let rule = CombinedRule::DEFAULT.with_references(&[own; 19]);
        assert_eq!((built_in.null(2).scans(), rule.reference().null(2).scans()), (0, 19));
        assert_eq!(rule.reference().null(10), built_in.null(10));
        assert_eq!(CombinedRule::DEFAULT.with_references(&[]), CombinedRule::DEFAULT);
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        for wrong in [0.0, 0.51, -1.0, f64::NAN] {
            assert!(matches!(CombinedRule::at_rate(wrong), Err(StatsError::Rate { .. })), "{wrong}");
        }
    }
}
