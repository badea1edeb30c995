//! The rule for the verdict.

use aeva_stats::{CombinedRule, ReferenceModel};

use crate::effort::Effort;

/// The rule for the verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum DecisionRule {
    /// Perturbations only: an anomaly index above 4.
    Published,
    /// All evidence, at a stated rate of false alarms.
    Combined {
        /// The rate, and its division between the lenses.
        rule: CombinedRule,
        /// Which passes count.
        effort: Effort,
    },
}

impl DecisionRule {
    /// The combined rule at the default rate of false alarms, over the passes of a standard scan.
    pub const DEFAULT: Self = Self::Combined { rule: CombinedRule::DEFAULT, effort: Effort::Standard };

    /// The combined rule over the passes of a scan of this effort, compared with clean models that were scanned alike.
    pub fn of_effort(rule: CombinedRule, effort: Effort) -> Self {
        let rule = if effort == Effort::Screen { rule.against(effort.reference()) } else { rule };
        Self::Combined { rule, effort }
    }

    /// The same rule, with these clean models besides those that are built in. The published rule compares with none.
    #[must_use]
    pub fn with_references(self, models: &[ReferenceModel]) -> Self {
        match self {
            Self::Published => Self::Published,
            Self::Combined { rule, effort } => Self::Combined { rule: rule.with_references(models), effort },
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
    pub fn of_triggers(&self) -> (CombinedRule, Effort) {
        match self {
            Self::Published => (CombinedRule::DEFAULT, Effort::Standard),
            Self::Combined { rule, effort } => (rule.clone(), *effort),
        }
    }

    /// Why the verdict says less than that of a standard scan, or the p-value is a rough figure, because the clean models
    /// were measured in other circumstances.
    pub(crate) fn caveats(&self) -> Vec<String> {
        let Self::Combined { effort, .. } = self else { return Vec::new() };
        match effort {
            Effort::Screen => vec![format!(
                "a screen is a first answer: {}; --effort standard looks for the others, too",
                effort.power()
            )],
            Effort::Standard => Vec::new(),
            Effort::Exhaustive => vec![
                "the p-value is a rough figure: the clean models that the model is compared with had standard scans, and an exhaustive one makes more passes"
                    .to_owned(),
            ],
        }
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
        let caveats = |effort| DecisionRule::of_effort(CombinedRule::DEFAULT, effort).caveats();
        assert!(caveats(Effort::Standard).is_empty() && DecisionRule::Published.caveats().is_empty());
        assert!(caveats(Effort::Exhaustive).iter().all(|caveat| caveat.contains("exhaustive")));
        assert!(caveats(Effort::Screen).iter().all(|caveat| caveat.contains(&Effort::Screen.power())));
    }
}
