//! The step along an estimated direction, halved until it stays on the target's side.

use super::Element;

/// A step search in progress.
#[derive(Debug, Clone)]
pub(super) struct StepSearch {
    direction: Vec<f64>,
    /// Size of the step to try next.
    pub(super) size: f64,
    /// Halvings so far.
    pub(super) halvings: u32,
    maximum_halvings: u32,
}

impl StepSearch {
    /// Starts at `eps = dist / sqrt(j)`.
    pub(super) fn new(direction: Vec<f64>, distance: f64, iteration: u32, maximum_halvings: u32) -> Self {
        Self { direction, size: distance / f64::from(iteration).sqrt(), halvings: 0, maximum_halvings }
    }

    /// Writes `clip(z + eps g, 0, 1)`.
    pub(super) fn write<E: Element>(&self, z: &[f64], row: &mut [E]) {
        for ((value, &z), &g) in row.iter_mut().zip(z).zip(&self.direction) {
            *value = E::from_f64(self.value(z, g));
        }
    }

    /// Halves the step after a failure; false if the limit of halvings has been reached.
    pub(super) fn halve(&mut self) -> bool {
        self.size *= 0.5;
        self.halvings += 1;
        self.halvings < self.maximum_halvings
    }

    /// The point after the step.
    pub(super) fn into_point(self, z: &[f64]) -> Vec<f64> {
        z.iter().zip(&self.direction).map(|(&z, &g)| self.value(z, g)).collect()
    }

    fn value(&self, z: f64, g: f64) -> f64 {
        (z + self.size * g).clamp(0.0, 1.0)
    }
}
