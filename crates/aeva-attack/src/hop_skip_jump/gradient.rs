//! Monte Carlo estimate of the direction in which the boundary recedes.

use super::{Element, norm};
use crate::NoiseSource;

/// An estimate in progress. Rows are still in the batch when their labels arrive, so no directions are stored: two sums
/// are enough, since `sum (f - mean f) r = sum f r - mean f * sum r`.
#[derive(Debug, Clone)]
pub(super) struct GradientEstimate {
    iteration: u32,
    /// Evaluations `B` of this estimate.
    pub(super) evaluations: u32,
    /// Length of a probe.
    pub(super) delta: f64,
    done: u32,
    adversarial: u32,
    /// Sum of `clipped - z` over all probes; the published `r` is this divided by `delta`, which cancels in the direction.
    sum: Vec<f64>,
    /// The same sum over the probes on the target's side.
    adversarial_sum: Vec<f64>,
}

impl GradientEstimate {
    pub(super) fn new(iteration: u32, evaluations: u32, delta: f64, values: usize) -> Self {
        Self {
            iteration,
            evaluations,
            delta,
            done: 0,
            adversarial: 0,
            sum: vec![0.0; values],
            adversarial_sum: vec![0.0; values],
        }
    }

    pub(super) fn remaining(&self) -> u32 {
        self.evaluations - self.done
    }

    /// Writes the probes `clip(z + delta u_b, 0, 1)` after the next `skip` ones, as many as `rows` holds.
    pub(super) fn write<E: Element>(&self, z: &[f64], noise: &impl NoiseSource, skip: usize, rows: &mut [E]) {
        let mut direction = vec![0.0; z.len()];
        let draws = (self.done..self.evaluations).skip(skip);
        for (row, draw) in rows.chunks_exact_mut(z.len()).zip(draws) {
            // A direction of length zero has probability zero; it would probe z itself.
            let length = noise.direction(self.iteration, draw, &mut direction).max(f64::MIN_POSITIVE);
            for ((value, &z), &u) in row.iter_mut().zip(z).zip(&direction) {
                *value = E::from_f64((z + self.delta * (u / length)).clamp(0.0, 1.0));
            }
        }
    }

    /// Takes the answer to the next probe.
    pub(super) fn tell<E: Element>(&mut self, z: &[f64], row: &[E], adversarial: bool) {
        self.done += 1;
        if adversarial {
            self.adversarial += 1;
            for (((sum, adversarial), &value), &z) in self.sum.iter_mut().zip(&mut self.adversarial_sum).zip(row).zip(z)
            {
                let effective = value.into() - z;
                *sum += effective;
                *adversarial += effective;
            }
        } else {
            for ((sum, &value), &z) in self.sum.iter_mut().zip(row).zip(z) {
                *sum += value.into() - z;
            }
        }
    }

    /// The unit direction towards the target's side; `None` if the estimate is zero or not finite.
    pub(super) fn into_direction(self) -> Option<Vec<f64>> {
        let (all, adversarial) = (f64::from(self.evaluations), f64::from(self.adversarial));
        let mut gradient = self.sum;
        if self.adversarial == 0 {
            for g in &mut gradient {
                *g = -*g;
            }
        } else if self.adversarial < self.evaluations {
            // f = +1 on the target's side, -1 elsewhere: sum f r = 2 * adversarial_sum - sum.
            let mean = 2.0 * adversarial / all - 1.0;
            for (g, on_target) in gradient.iter_mut().zip(&self.adversarial_sum) {
                *g = 2.0 * on_target - *g - mean * *g;
            }
        }
        let length = norm(&gradient);
        if !(length.is_finite() && length > 0.0) {
            return None;
        }
        for g in &mut gradient {
            *g /= length;
        }
        Some(gradient)
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::float_cmp, clippy::type_complexity, reason = "small known values")]
mod tests {
    use super::*;

    /// Direction from probes `r` (of unit delta around 0.5) and their answers.
    fn direction(probes: &[[f64; 2]], answers: &[bool]) -> Option<Vec<f64>> {
        let z = [0.5, 0.5];
        let mut estimate = GradientEstimate::new(1, probes.len() as u32, 1.0, 2);
        for (probe, &answer) in probes.iter().zip(answers) {
            estimate.tell(&z, &[z[0] + probe[0], z[1] + probe[1]], answer);
        }
        assert_eq!(estimate.remaining(), 0);
        estimate.into_direction()
    }

    fn assert_close(found: Option<Vec<f64>>, expected: [f64; 2]) {
        let found = found.unwrap();
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12), "{found:?} {expected:?}");
    }

    #[test]
    fn follows_the_formula_by_hand() {
        // f = +1, +1, -1, mean f = 1/3: sum (f - mean f) r = 2/3 (0.3, 0) + 2/3 (0, 0.3) - 4/3 (-0.3, 0) = (0.6, 0.2).
        let expected = [0.6 / 0.4_f64.sqrt(), 0.2 / 0.4_f64.sqrt()];
        assert_close(direction(&[[0.3, 0.0], [0.0, 0.3], [-0.3, 0.0]], &[true, true, false]), expected);
    }

    #[test]
    fn one_sided_answers_take_the_plain_mean() {
        let s = 0.5_f64.sqrt();
        assert_close(direction(&[[0.3, 0.0], [0.0, 0.3]], &[true, true]), [s, s]);
        assert_close(direction(&[[0.3, 0.0], [0.0, 0.3]], &[false, false]), [-s, -s]);
    }

    #[test]
    fn no_direction_is_said() {
        assert_eq!(direction(&[[0.0, 0.0], [0.0, 0.0]], &[true, false]), None);
    }
}
