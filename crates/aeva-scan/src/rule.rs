//! The rule for the verdict.

use aeva_stats::{CombinedRule, NULL_LABELS};

/// The rule for the verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DecisionRule {
    /// Perturbations only: an anomaly index above 4.
    Published,
    /// All evidence, at a stated rate of false alarms.
    Combined {
        /// The rate, and its division between the lenses.
        rule: CombinedRule,
        /// Whether all passes count, or only those of a plain scan.
        exhaustive: bool,
    },
}

impl DecisionRule {
    /// The combined rule at the default rate of false alarms, over the passes of a plain scan.
    pub const DEFAULT: Self = Self::Combined { rule: CombinedRule::DEFAULT, exhaustive: false };

    /// Name in reports: `published` or `combined`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Combined { .. } => "combined",
        }
    }

    /// The rule for testing triggers; under the published rule, triggers are only shown.
    pub fn of_triggers(&self) -> (CombinedRule, bool) {
        match *self {
            Self::Published => (CombinedRule::DEFAULT, false),
            Self::Combined { rule, exhaustive } => (rule, exhaustive),
        }
    }

    /// Why the p-value of a model with `classes` labels is a rough figure: the null distribution was measured in other
    /// circumstances. Empty if it was measured in these.
    pub(crate) fn caveats(&self, classes: u32) -> Vec<String> {
        let Self::Combined { rule, exhaustive } = self else { return Vec::new() };
        let mut caveats = Vec::new();
        if *exhaustive || *rule != CombinedRule::DEFAULT {
            let rate = 100.0 * CombinedRule::DEFAULT.false_positive_rate();
            caveats.push(format!(
                "the p-value is a rough figure: it was calibrated for plain scans at a rate of {rate} %, and other options make other passes"
            ));
        }
        if !NULL_LABELS.contains(&(classes as usize)) {
            let labels = NULL_LABELS.map(|labels| labels.to_string()).join(", ");
            caveats.push(format!(
                "the p-value is a rough figure: it was calibrated on models of {labels} labels, this one has {classes}"
            ));
        }
        caveats
    }

    /// The share of clean models that it may call backdoored; `None` for the published rule.
    pub fn false_positive_rate(&self) -> Option<f64> {
        match self {
            Self::Published => None,
            Self::Combined { rule, .. } => Some(rule.false_positive_rate()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p_value_outside_of_its_calibration_is_a_rough_figure() {
        let combined = |rule, exhaustive| DecisionRule::Combined { rule, exhaustive };
        assert!([5, 10, 43].into_iter().all(|labels| DecisionRule::DEFAULT.caveats(labels).is_empty()));
        assert!(DecisionRule::Published.caveats(17).is_empty(), "it has no p-value");
        let labels = DecisionRule::DEFAULT.caveats(17);
        assert!(labels.len() == 1 && labels[0].ends_with("models of 5, 10, 43 labels, this one has 17"), "{labels:?}");
        let options = combined(CombinedRule::DEFAULT, true).caveats(10);
        assert!(options.len() == 1 && options[0].contains("plain scans at a rate of 5 %"), "{options:?}");
        let Ok(strict) = CombinedRule::at_rate(0.01) else { panic!("a rate that is allowed") };
        assert_eq!(combined(strict, false).caveats(10), options);
        assert_eq!(combined(strict, false).caveats(2).len(), 2);
    }
}
