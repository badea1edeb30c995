//! How sharply a perturbation peaks.

use crate::StatsError;

/// Number of heaviest pixels that count as the peak (the published choice).
pub const PEAK_PIXELS: usize = 2;

/// Share of a perturbation's mass on its [`PEAK_PIXELS`] heaviest pixels, in `(0, 1]`.
///
/// `perturbation` has shape `[h, w, channels]`, row-major, in any unit: scaling it does not change the share. A
/// perturbation with fewer pixels than [`PEAK_PIXELS`] has share 1.
///
/// Source: the peak of arXiv 2110.14880, section 4, as computed by the published program.
///
/// # Errors
/// The errors of [`pixel_mass`], and [`StatsError::ZeroMass`] for an all-zero perturbation.
pub fn peak_share<T: Copy + Into<f64>>(perturbation: &[T], channels: usize) -> Result<f64, StatsError> {
    let mass = pixel_mass(perturbation, channels)?;
    let total: f64 = mass.iter().sum();
    if total <= 0.0 {
        return Err(StatsError::ZeroMass);
    }
    let mut peak = [0.0_f64; PEAK_PIXELS];
    for &pixel in &mass {
        // `peak` is kept in descending order; a heavier pixel moves in and pushes the lightest one out.
        let mut candidate = pixel;
        for slot in &mut peak {
            if candidate > *slot {
                std::mem::swap(&mut candidate, slot);
            }
        }
    }
    // If all mass is in the peak, the two sums may differ in the last digit.
    Ok((peak.iter().sum::<f64>() / total).min(1.0))
}

/// Mass of every pixel, `m_p = sum_c |v_{p,c}|`, in the unit of the perturbation; length `h * w`.
///
/// `perturbation` has shape `[h, w, channels]`, row-major.
///
/// # Errors
/// [`StatsError::Empty`], [`StatsError::Channels`] if the length is not a multiple of `channels`,
/// [`StatsError::NotFinite`].
pub fn pixel_mass<T: Copy + Into<f64>>(perturbation: &[T], channels: usize) -> Result<Vec<f64>, StatsError> {
    if perturbation.is_empty() {
        return Err(StatsError::Empty);
    }
    if channels == 0 || !perturbation.len().is_multiple_of(channels) {
        return Err(StatsError::Channels { values: perturbation.len(), channels });
    }
    if let Some(index) = perturbation.iter().position(|&value| !value.into().is_finite()) {
        return Err(StatsError::NotFinite { index });
    }
    Ok(perturbation.chunks_exact(channels).map(|pixel| pixel.iter().map(|&value| value.into().abs()).sum()).collect())
}

/// Score of one ordered pair of labels: the **maximum** peak share over its samples.
///
/// # Errors
/// [`StatsError::Empty`] without samples, [`StatsError::NotFinite`].
pub fn pair_score(peak_shares: &[f64]) -> Result<f64, StatsError> {
    if let Some(index) = peak_shares.iter().position(|share| !share.is_finite()) {
        return Err(StatsError::NotFinite { index });
    }
    peak_shares.iter().copied().reduce(f64::max).ok_or(StatsError::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn channels_are_summed_within_a_pixel() {
        // Pixels (1, -2), (0, 0.5), (-3, 1): masses 3, 0.5, 4.
        let v = [1.0, -2.0, 0.0, 0.5, -3.0, 1.0];
        assert_eq!(pixel_mass(&v, 2), Ok(vec![3.0, 0.5, 4.0]));
        assert_eq!(peak_share(&v, 2), Ok(7.0 / 7.5));
    }

    #[test]
    fn what_has_no_peak_is_an_error() {
        assert_eq!(peak_share(&[0.0_f32; 12], 3), Err(StatsError::ZeroMass));
        assert_eq!(peak_share::<f64>(&[], 3), Err(StatsError::Empty));
        assert_eq!(peak_share(&[1.0; 4], 3), Err(StatsError::Channels { values: 4, channels: 3 }));
        assert_eq!(peak_share(&[1.0; 4], 0), Err(StatsError::Channels { values: 4, channels: 0 }));
        assert_eq!(peak_share(&[1.0, f64::NAN], 1), Err(StatsError::NotFinite { index: 1 }));
        assert_eq!(pair_score(&[]), Err(StatsError::Empty));
        assert_eq!(pair_score(&[0.1, f64::INFINITY]), Err(StatsError::NotFinite { index: 1 }));
    }

    #[test]
    fn pair_score_is_the_maximum() {
        assert_eq!(pair_score(&[0.1, 0.4, 0.2]), Ok(0.4));
    }

    fn images() -> impl Strategy<Value = Vec<f64>> {
        // 2 to 24 pixels of 3 channels, never all zero.
        (2_usize..24)
            .prop_flat_map(|pixels| prop::collection::vec(-1.0..1.0_f64, pixels * 3))
            .prop_filter("all-zero perturbations have no share", |v| v.iter().any(|x| x.abs() > 1e-6))
    }

    proptest! {
        #[test]
        fn share_is_bounded(v in images()) {
            let share = peak_share(&v, 3).unwrap();
            let pixels = v.len() / 3;
            // The two heaviest pixels hold at least an even share, and at most everything.
            prop_assert!(share >= 2.0 / pixels as f64 - 1e-12);
            prop_assert!(share <= 1.0);
        }

        #[test]
        fn share_ignores_scale_sign_and_place(v in images(), scale in 0.001..1000.0_f64, shift in 0_usize..24) {
            let share = peak_share(&v, 3).unwrap();
            let scaled: Vec<f64> = v.iter().map(|x| -x * scale).collect();
            prop_assert!((peak_share(&scaled, 3).unwrap() - share).abs() < 1e-12);
            let mut moved = v.clone();
            moved.rotate_left(3 * (shift % (v.len() / 3)));
            prop_assert!((peak_share(&moved, 3).unwrap() - share).abs() < 1e-12);
        }

        #[test]
        fn share_agrees_with_sorting(v in images()) {
            let mut mass = pixel_mass(&v, 3).unwrap();
            mass.sort_by(|a, b| b.total_cmp(a));
            let expected = (mass[0] + mass[1]) / mass.iter().sum::<f64>();
            prop_assert!((peak_share(&v, 3).unwrap() - expected).abs() < 1e-12);
        }
    }
}
