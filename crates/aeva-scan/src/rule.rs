//! The rule for the verdict.

use aeva_stats::{CombinedRule, ReferenceModel};

/// The rule for the verdict.
#[derive(Debug, Clone, PartialEq)]
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

    /// The same rule, with these clean models besides those that are built in. The published rule compares with none.
    #[must_use]
    pub fn with_references(self, models: &[ReferenceModel]) -> Self {
        match self {
            Self::Published => Self::Published,
            Self::Combined { rule, exhaustive } => Self::Combined { rule: rule.with_references(models), exhaustive },
        }
    }

    /// Name in reports: `published` or `combined`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Combined { .. } => "combined",
        }
    }

    /// The rule for testing triggers; under the published rule, triggers are only shown.
    pub fn of_triggers(&self) -> (CombinedRule, bool) {
        match self {
            Self::Published => (CombinedRule::DEFAULT, false),
            Self::Combined { rule, exhaustive } => (rule.clone(), *exhaustive),
        }
    }

    /// Why the p-value is a rough figure: the clean models were measured in other circumstances. Empty if they were
    /// measured in these.
    pub(crate) fn caveats(&self) -> Vec<String> {
        let Self::Combined { exhaustive: true, .. } = self else { return Vec::new() };
        vec![
            "the p-value is a rough figure: the clean models that the model is compared with had plain scans, and an exhaustive one makes more passes"
                .to_owned(),
        ]
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
        let combined = |exhaustive| DecisionRule::Combined { rule: CombinedRule::DEFAULT, exhaustive };
        assert!(combined(false).caveats().is_empty() && DecisionRule::Published.caveats().is_empty());
        assert!(combined(true).caveats().iter().all(|caveat| caveat.contains("exhaustive")));
    }
}
