//! Bisection between the origin and a point on the target's side.

use super::{Element, distance};

/// `high - low` is exact in f64 down to 2^-52. A smaller threshold is never reached, so the bisection must not wait for
/// it.
pub(super) const MAXIMUM_HALVINGS: u32 = 52;

/// A bisection between `x` (alpha 0) and `far` (alpha 1); `high` is always on the target's side.
#[derive(Debug, Clone)]
pub(super) struct Bisection {
    far: Vec<f64>,
    /// `||far - x||_2`: the published `post`.
    pub(super) far_distance: f64,
    low: f64,
    high: f64,
    theta: f64,
    halvings: u32,
}

impl Bisection {
    pub(super) fn new(far: Vec<f64>, origin: &[f64], theta: f64) -> Self {
        let far_distance = distance(&far, origin);
        Self { far, far_distance, low: 0.0, high: 1.0, theta, halvings: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.high - self.low <= self.theta || self.halvings >= MAXIMUM_HALVINGS
    }

    /// Writes the point to decide on next.
    pub(super) fn write<E: Element>(&self, origin: &[f64], row: &mut [E]) {
        let middle = self.middle();
        for ((value, &x), &far) in row.iter_mut().zip(origin).zip(&self.far) {
            *value = E::from_f64(blend(x, far, middle).clamp(0.0, 1.0));
        }
    }

    pub(super) fn tell(&mut self, adversarial: bool) {
        let middle = self.middle();
        if adversarial {
            self.high = middle;
        } else {
            self.low = middle;
        }
        self.halvings += 1;
    }

    /// The point at `high`.
    pub(super) fn into_point(self, origin: &[f64]) -> Vec<f64> {
        let mut point = self.far;
        for (far, &x) in point.iter_mut().zip(origin) {
            *far = blend(x, *far, self.high);
        }
        point
    }

    fn middle(&self) -> f64 {
        f64::midpoint(self.high, self.low)
    }
}

fn blend(x: f64, far: f64, alpha: f64) -> f64 {
    (1.0 - alpha) * x + alpha * far
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ends_within_theta_above_the_boundary(boundary in 0.001..0.999_f64, theta in 1e-6..0.1_f64) {
            let mut bisection = Bisection::new(vec![1.0], &[0.0], theta);
            let mut row = [0.0_f64];
            while !bisection.is_done() {
                bisection.write(&[0.0], &mut row);
                bisection.tell(row[0] >= boundary);
            }
            let point = bisection.into_point(&[0.0])[0];
            prop_assert!(point >= boundary && point - boundary <= theta);
        }

        #[test]
        fn never_waits_for_an_unreachable_threshold(answers in any::<u64>()) {
            let mut bisection = Bisection::new(vec![1.0], &[0.0], 1e-300);
            let mut count = 0;
            while !bisection.is_done() {
                bisection.tell(answers >> (count % 64) & 1 == 1);
                count += 1;
            }
            prop_assert_eq!(count, MAXIMUM_HALVINGS);
        }
    }
}
