//! What clean models show: the gap that each level allows them, and how the evidence beyond it is distributed.

use super::TriggerFamily;

/// The null distribution of the evidence: up to this many labels, the share of clean models that show any, and its mean in those
/// (docs/triggers.md, "The null").
const NULLS: [(usize, f64, f64); 3] = [(7, 0.75, 0.9), (20, 0.65, 0.75), (usize::MAX, 0.3, 0.75)];

/// (strength, the gap in log odds that it allows clean models): what is strong turns them too; straight lines between
/// (docs/triggers.md, "Allowances").
const PATCH_ALLOWANCES: [(f64, f64); 4] = [(3.0, 0.0), (4.0, 0.5), (6.0, 1.0), (8.0, 2.0)];
const OVERLAY_ALLOWANCES: [(f64, f64); 3] = [(8.0, 1.0), (16.0, 1.0), (32.0, 1.5)];
const WAVE_ALLOWANCES: [(f64, f64); 1] = [(8.0, 0.0)];
const NOISE_ALLOWANCES: [(f64, f64); 2] = [(16.0, 2.0), (32.0, 3.0)];
/// The same of pairs of labels, and of how far patches turn them beyond what is natural.
const PATCH_PAIR_ALLOWANCES: [(f64, f64); 4] = [(3.0, 1.0), (4.0, 1.5), (6.0, 2.0), (8.0, 3.0)];
const BEYOND_NATURAL_ALLOWANCES: [(f64, f64); 3] = [(4.0, 0.75), (6.0, 1.25), (8.0, 2.0)];
const OVERLAY_PAIR_ALLOWANCES: [(f64, f64); 3] = [(8.0, 2.0), (16.0, 2.0), (32.0, 2.5)];
const NOISE_PAIR_ALLOWANCES: [(f64, f64); 1] = [(64.0, 0.5)];

pub(super) fn allowance(family: TriggerFamily, strength: f64) -> f64 {
    let points: &[(f64, f64)] = match family {
        TriggerFamily::Patch => &PATCH_ALLOWANCES,
        TriggerFamily::Overlay => &OVERLAY_ALLOWANCES,
        TriggerFamily::Wave => &WAVE_ALLOWANCES,
        TriggerFamily::Noise => &NOISE_ALLOWANCES,
        TriggerFamily::Square => &[],
    };
    between(points, strength)
}

/// The gap between pairs of labels that a level allows clean models.
pub(super) fn pair_allowance(family: TriggerFamily, strength: f64) -> f64 {
    let points: &[(f64, f64)] = match family {
        TriggerFamily::Patch => &PATCH_PAIR_ALLOWANCES,
        TriggerFamily::Overlay => &OVERLAY_PAIR_ALLOWANCES,
        TriggerFamily::Noise => &NOISE_PAIR_ALLOWANCES,
        TriggerFamily::Wave | TriggerFamily::Square => &[],
    };
    between(points, strength)
}

/// The same where pairs are compared by how far patches of a strength turn them beyond what is natural.
pub(super) fn beyond_natural_allowance(strength: f64) -> f64 {
    between(&BEYOND_NATURAL_ALLOWANCES, strength)
}

fn between(points: &[(f64, f64)], strength: f64) -> f64 {
    let mut last: Option<(f64, f64)> = None;
    for &(at, allowed) in points {
        if strength <= at {
            return last
                .map_or(allowed, |(before, least)| least + (allowed - least) * (strength - before) / (at - before));
        }
        last = Some((at, allowed));
    }
    last.map_or(0.0, |(_, most)| most)
}

/// Log odds of a success below which nothing stands out, however few images turn into other labels.
pub(super) fn least(family: TriggerFamily) -> f64 {
    let share: f64 = if family == TriggerFamily::Wave { 0.25 } else { 0.5 };
    (share / (1.0 - share)).ln()
}

/// The same of pairs of labels.
pub(super) fn pair_least(family: TriggerFamily) -> f64 {
    // Of noise all of it counts, also what is far from any trigger.
    let share: f64 = if family == TriggerFamily::Noise { 0.25 } else { 0.5 };
    (share / (1.0 - share)).ln()
}

/// Chance that a clean model of so many labels shows this evidence or more: an exponential tail on either side of none.
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

    #[test]
    fn allowances_grow_with_the_strength() {
        let near = |family, strength, expected: f64| (allowance(family, strength) - expected).abs() < 1e-12;
        let patch = |strength, expected| near(TriggerFamily::Patch, strength, expected);
        assert!(patch(1.0, 0.0) && patch(3.5, 0.25) && patch(6.0, 1.0) && patch(99.0, 2.0));
        assert!(near(TriggerFamily::Overlay, 2.0, 1.0) && near(TriggerFamily::Overlay, 20.0, 1.125));
    }
}
