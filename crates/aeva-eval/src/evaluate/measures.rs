//! Measures of a detector, from plain numbers.

use aeva_attack::{JobId, JobNoise, NoiseSource};

/// Resamples of a bootstrap interval.
const RESAMPLES: u32 = 1000;

/// Area under the ROC curve: the chance that an infected model scores above a clean one; ties count half (Mann and Whitney, 1947).
/// `None` without models of both kinds.
pub(crate) fn auc(infected: &[f64], clean: &[f64]) -> Option<f64> {
    if infected.is_empty() || clean.is_empty() {
        return None;
    }
    let mut wins = 0.0;
    for i in infected {
        for c in clean {
            wins += if i > c {
                1.0
            } else if i < c {
                0.0
            } else {
                0.5
            };
        }
    }
    Some(wins / (infected.len() * clean.len()) as f64)
}

/// 95 % percentile interval of the AUC over resampled models (Efron, 1979); infected and clean models are resampled separately. If
/// their scores do not overlap, all resamples agree, which says nothing: then it is Wilson's interval for the size of the smaller
/// group.
pub(super) fn auc_interval(infected: &[f64], clean: &[f64], seed: u64) -> Option<[f64; 2]> {
    let found_here = auc(infected, clean)?;
    let noise = JobNoise::new(seed, JobId { source: 0, target: 0, sample: 0 });
    let mut found: Vec<f64> = (0..RESAMPLES)
        .filter_map(|draw| auc(&resampled(infected, &noise, 0, draw), &resampled(clean, &noise, 1, draw)))
        .collect();
    found.sort_by(f64::total_cmp);
    let [low, high] = [found[found.len() / 40], found[found.len() - 1 - found.len() / 40]];
    if high - low < 1e-12 {
        return Some(share_interval(found_here, infected.len().min(clean.len())));
    }
    Some([low, high])
}

fn resampled(values: &[f64], noise: &JobNoise, group: u32, draw: u32) -> Vec<f64> {
    let mut normal = vec![0.0; 2 * values.len()];
    noise.standard_normal(group, draw, &mut normal);
    // The angle of two independent normal values is uniform.
    let pick = |pair: &[f64]| {
        let share = (pair[0].atan2(pair[1]) / std::f64::consts::TAU).rem_euclid(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
        let index = (share * values.len() as f64) as usize;
        values[index.min(values.len() - 1)]
    };
    normal.chunks_exact(2).map(pick).collect()
}

/// The lowest threshold that at most this share of the clean scores exceeds.
pub(super) fn threshold_at(clean: &[f64], share: f64) -> f64 {
    let mut sorted = clean.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small count")]
    let allowed = (share * sorted.len() as f64) as usize;
    sorted.get(allowed).copied().unwrap_or(f64::NEG_INFINITY)
}

/// Share of the values for which `holds` is true; `None` without values.
pub(super) fn share<T>(values: &[T], holds: impl Fn(&T) -> bool) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().filter(|value| holds(value)).count() as f64 / values.len() as f64)
}

/// 95 % interval of a share (Wilson, 1927).
pub(crate) fn share_interval(share: f64, count: usize) -> [f64; 2] {
    let (n, z) = (count as f64, 1.96);
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// Probability of infection as a logistic function of the score, `1 / (1 + exp(-(a + b score)))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Logistic {
    pub(super) a: f64,
    pub(super) b: f64,
}

impl Logistic {
    /// Fits the function to scores and truths by Newton's method. A slight pull towards 0 gives separable data a solution.
    pub(super) fn fit(data: &[(f64, bool)]) -> Self {
        const PULL: f64 = 0.01;
        let (mut a, mut b) = (0.0_f64, 0.0_f64);
        for _ in 0..50 {
            let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (PULL * a, PULL * b, PULL, 0.0, PULL);
            for &(score, truth) in data {
                let p = Self { a, b }.probability(score);
                let (error, weight) = (p - f64::from(u8::from(truth)), p * (1.0 - p));
                ga += error;
                gb += error * score;
                haa += weight;
                hab += weight * score;
                hbb += weight * score * score;
            }
            let determinant = haa * hbb - hab * hab;
            if determinant.abs() < 1e-12 {
                break;
            }
            a -= (hbb * ga - hab * gb) / determinant;
            b -= (haa * gb - hab * ga) / determinant;
            // Beyond these limits the exponential overflows, and the next step does not recover.
            (a, b) = (a.clamp(-50.0, 50.0), b.clamp(-20.0, 20.0));
        }
        Self { a, b }
    }

    pub(super) fn probability(self, score: f64) -> f64 {
        1.0 / (1.0 + (-(self.a + self.b * score)).exp())
    }
}

/// Mean cross-entropy in nats of probabilities of infection. To abstain is to say 0.5, which costs ln 2.
pub(super) fn cross_entropy(data: &[(f64, bool)]) -> Option<f64> {
    let loss = |&(p, truth): &(f64, bool)| -(if truth { p } else { 1.0 - p }).clamp(1e-6, 1.0).ln();
    (!data.is_empty()).then(|| data.iter().map(loss).sum::<f64>() / data.len() as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn auc_of_known_cases() {
        assert_eq!(auc(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(auc(&[1.0, 2.0], &[3.0, 4.0]), Some(0.0));
        assert_eq!(auc(&[1.0, 3.0], &[2.0]), Some(0.5));
        assert_eq!(auc(&[1.0], &[1.0]), Some(0.5));
        assert_eq!(auc(&[], &[1.0]), None);
    }

    #[test]
    fn the_interval_holds_the_value_and_shrinks_with_more_models() {
        let values = |count: u32, shift: f64| (0..count).map(|i| shift + f64::from(i * 7 % 13)).collect::<Vec<f64>>();
        let width = |count| {
            let (infected, clean) = (values(count, 3.0), values(count, 0.0));
            let [low, high] = auc_interval(&infected, &clean, 1).unwrap();
            let value = auc(&infected, &clean).unwrap();
            assert!(low <= value && value <= high, "{low} {value} {high}");
            high - low
        };
        assert!(width(200) < 0.6 * width(26));
        // Perfect separation of a few models does not make a perfect rule.
        let [low, high] = auc_interval(&[5.0, 6.0, 7.0, 8.0], &[1.0; 26], 1).unwrap();
        assert!((0.5..0.52).contains(&low) && high > 0.999);
    }

    #[test]
    fn thresholds_allow_their_share_of_false_alarms() {
        let clean: Vec<f64> = (0..40).map(f64::from).collect();
        let threshold = threshold_at(&clean, 0.05);
        assert_eq!(clean.iter().filter(|&&score| score > threshold).count(), 2);
        assert_eq!(threshold_at(&[1.0, 2.0], 0.05), 2.0);
    }

    #[test]
    fn wilson_intervals_are_the_textbooks() {
        let [low, high] = share_interval(0.5, 10);
        assert!((low - 0.2366).abs() < 1e-4 && (high - 0.7634).abs() < 1e-4);
        assert_eq!(share_interval(0.0, 20)[0], 0.0);
    }

    #[test]
    fn logistic_fit_finds_the_middle() {
        let data: Vec<(f64, bool)> = (0..100).map(|i| (f64::from(i) / 10.0, i >= 50 || i % 7 == 0)).collect();
        let fit = Logistic::fit(&data);
        assert!(fit.b > 0.0 && fit.probability(9.0) > 0.9 && fit.probability(0.0) < 0.4);
        // The mean of the fitted probabilities is the share of true cases.
        let mean = data.iter().map(|&(score, _)| fit.probability(score)).sum::<f64>() / 100.0;
        assert!((mean - data.iter().filter(|(_, truth)| *truth).count() as f64 / 100.0).abs() < 0.01);
        let separable = Logistic::fit(&[(0.0, false), (1.0, true)]);
        assert!(separable.a.is_finite() && separable.b.is_finite());
    }

    #[test]
    fn abstaining_costs_ln_2() {
        assert!((cross_entropy(&[(0.5, true), (0.5, false)]).unwrap() - 2.0_f64.ln()).abs() < 1e-12);
        assert!(cross_entropy(&[(1.0, false)]).unwrap() > 10.0);
    }
}
