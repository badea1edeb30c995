//! Where the perturbations towards one label agree.

use crate::{StatsError, pixel_mass};

/// The mean of the normalised pixel mass over several perturbations: a map `[h, w]` that sums to 1.
///
/// One perturbation may peak by chance. A trigger is where the perturbations of many sources and samples peak together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsensusMap {
    sum: Vec<f64>,
    count: u32,
}

impl ConsensusMap {
    /// Adds a perturbation `[h, w, channels]` row-major.
    ///
    /// # Errors
    /// The errors of [`pixel_mass`], [`StatsError::ZeroMass`], and [`StatsError::Size`] if it has a different size from
    /// the first one.
    pub fn add<T: Copy + Into<f64>>(&mut self, perturbation: &[T], channels: usize) -> Result<(), StatsError> {
        let mass = pixel_mass(perturbation, channels)?;
        let total: f64 = mass.iter().sum();
        if total <= 0.0 {
            return Err(StatsError::ZeroMass);
        }
        if self.count == 0 {
            self.sum = vec![0.0; mass.len()];
        } else if self.sum.len() != mass.len() {
            return Err(StatsError::Size { found: mass.len(), expected: self.sum.len() });
        }
        for (sum, mass) in self.sum.iter_mut().zip(&mass) {
            *sum += mass / total;
        }
        self.count += 1;
        Ok(())
    }

    /// The map, pixel by pixel; `None` without perturbations.
    pub fn map(&self) -> Option<Vec<f64>> {
        (self.count > 0).then(|| self.sum.iter().map(|sum| sum / f64::from(self.count)).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn a_shared_peak_stands_out() {
        let mut map = ConsensusMap::default();
        assert_eq!(map.map(), None);
        // Pixel 2 of four has half of the mass in each; the rest is elsewhere each time. The scale does not matter.
        for (other, scale) in [(0, 1.0), (1, -7.0), (3, 0.01)] {
            let mut v = [0.0_f64; 4];
            (v[2], v[other]) = (scale, scale);
            map.add(&v, 1).unwrap();
        }
        let found = map.map().unwrap();
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((found[2] - 0.5).abs() < 1e-12 && (found[0] - 1.0 / 6.0).abs() < 1e-12);
        assert_eq!(map.add(&[0.0; 4], 1), Err(StatsError::ZeroMass));
        assert_eq!(map.add(&[1.0; 6], 1), Err(StatsError::Size { found: 6, expected: 4 }));
    }
}
