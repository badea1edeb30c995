//! The null distribution: the evidence in clean models.

/// The null distribution of the evidence. Each row has the largest number of labels it is for, the share of clean
/// models with any evidence, and the mean evidence in those models (docs/triggers.md, "The null"). Set by hand from
/// clean models that are used for nothing else.
pub const NULLS: [(usize, f64, f64); 3] = [(7, 0.75, 0.9), (20, 0.65, 0.75), (usize::MAX, 0.3, 0.75)];

/// The numbers of labels of the clean models that the null distribution was measured on.
pub const NULL_LABELS: [usize; 3] = [5, 10, 43];

/// The probability that a clean model with `classes` labels shows this evidence or more: an exponential tail on both
/// sides of 0.
pub(super) fn null_p_value(evidence: f64, classes: usize) -> f64 {
    let (_, share, scale) = NULLS.into_iter().find(|(most, ..)| classes <= *most).unwrap_or(NULLS[NULLS.len() - 1]);
    let tail = (-evidence.abs() / scale).exp();
    if evidence > 0.0 { share * tail } else { 1.0 - (1.0 - share) * tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_is_a_distribution_and_stricter_for_few_labels() {
        for classes in [3, 10, 43] {
            let p = |evidence| null_p_value(evidence, classes);
            assert!(p(-9.0) <= 1.0 && p(9.0) > 0.0 && (p(1e-9) - p(-1e-9)).abs() < 1e-6);
            assert!((-90..90).all(|step| p(0.1 * f64::from(step)) > p(0.1 * f64::from(step + 1))));
        }
        assert!(null_p_value(1.0, 5) > null_p_value(1.0, 10) && null_p_value(1.0, 10) > null_p_value(1.0, 43));
    }

    /// Figures of docs/triggers.md, computed by hand: 0.65 exp(-3 / 0.75) and 1 - 0.7 exp(-1.5 / 0.75).
    #[test]
    fn the_constants_match_the_documentation() {
        assert!((null_p_value(3.0, 10) - 0.65 * (-4.0_f64).exp()).abs() < 1e-15);
        assert!((null_p_value(-1.5, 43) - (1.0 - 0.7 * (-2.0_f64).exp())).abs() < 1e-15);
        assert!((null_p_value(0.9, 7) - 0.75 * (-1.0_f64).exp()).abs() < 1e-15);
    }
}
