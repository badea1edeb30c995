//! Noise as a function of (seed, job, iteration, draw), never of order.

use crate::Label;
use crate::xoshiro::Xoshiro;
use crate::ziggurat::Ziggurat;

/// Identifies one search of a scan. The noise of a job depends on these numbers, not on its position in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    /// Label of the origin.
    pub source: Label,
    /// Label whose boundary is walked.
    pub target: Label,
    /// Sample of the pair, from 0.
    pub sample: u32,
}

/// The source of the directions of a search.
pub trait NoiseSource {
    /// Fills `out` with the standard normal values of direction `draw` (from 0) of `iteration` (from 1).
    fn standard_normal(&self, iteration: u32, draw: u32, out: &mut [f64]);

    /// Fills `out` like [`standard_normal`](Self::standard_normal) and returns the L2 norm of the values.
    fn direction(&self, iteration: u32, draw: u32, out: &mut [f64]) -> f64 {
        self.standard_normal(iteration, draw, out);
        out.iter().map(|value| value * value).sum::<f64>().sqrt()
    }
}

/// The noise of one job: an independent xoshiro256++ stream for every (iteration, draw), shaped by the ziggurat.
#[derive(Debug, Clone, Copy)]
pub struct JobNoise {
    key: [u64; 2],
}

impl JobNoise {
    /// The noise of `job` under `seed`.
    pub fn new(seed: u64, job: JobId) -> Self {
        let pair = u64::from(job.source) << 32 | u64::from(job.target);
        // Two chains with different initial constants give 128 bits of key, so no two jobs of a scan share a stream.
        let chain = |salt: u64| mix(mix(mix(seed ^ salt).wrapping_add(pair)).wrapping_add(u64::from(job.sample)));
        Self { key: [chain(0x9e37_79b9_7f4a_7c15), chain(0xd1b5_4a32_d192_ed03)] }
    }
}

impl NoiseSource for JobNoise {
    fn standard_normal(&self, iteration: u32, draw: u32, out: &mut [f64]) {
        self.direction(iteration, draw, out);
    }

    fn direction(&self, iteration: u32, draw: u32, out: &mut [f64]) -> f64 {
        let mut generator = self.generator(iteration, draw);
        let ziggurat = Ziggurat::get();
        // Summed in the order of the values, like a sum over the finished slice, but while the generator runs.
        let mut squares = 0.0;
        for value in out {
            let normal = ziggurat.sample(&mut generator);
            *value = normal;
            squares += normal * normal;
        }
        squares.sqrt()
    }
}

impl JobNoise {
    pub(crate) fn generator(&self, iteration: u32, draw: u32) -> Xoshiro {
        let place = u64::from(iteration) << 32 | u64::from(draw);
        Xoshiro::new([
            mix(self.key[0] ^ mix(place)),
            mix(self.key[1].wrapping_add(mix(place))),
            mix(self.key[0].wrapping_add(place)),
            mix(self.key[1] ^ place),
        ])
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014) over an odd increment: a bijection that mixes every bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, job: (u32, u32, u32), iteration: u32, draw: u32) -> Vec<f64> {
        let mut out = vec![0.0; 1000];
        let job = JobId { source: job.0, target: job.1, sample: job.2 };
        JobNoise::new(seed, job).standard_normal(iteration, draw, &mut out);
        out
    }

    #[test]
    fn every_coordinate_changes_the_stream() {
        let base = draw(1, (2, 3, 4), 5, 6);
        assert_eq!(base, draw(1, (2, 3, 4), 5, 6));
        let others = [
            draw(2, (2, 3, 4), 5, 6),
            draw(1, (3, 3, 4), 5, 6),
            draw(1, (2, 4, 4), 5, 6),
            draw(1, (2, 3, 5), 5, 6),
            draw(1, (2, 3, 4), 6, 6),
            draw(1, (2, 3, 4), 5, 7),
            draw(1, (3, 2, 4), 5, 6),
            draw(1, (2, 3, 4), 6, 5),
        ];
        for other in &others {
            let correlation = base.iter().zip(other).map(|(a, b)| a * b).sum::<f64>() / 1000.0;
            // Six standard deviations of the mean of 1000 products of independent normals.
            assert!(correlation.abs() < 6.0 / 1000.0_f64.sqrt(), "{correlation}");
        }
    }

    /// The fused loop matches the plain definition bit for bit.
    #[test]
    #[allow(clippy::float_cmp, reason = "bits are compared on purpose")]
    fn the_norm_is_that_of_the_values() {
        for draw in 0..50 {
            let noise = JobNoise::new(3, JobId { source: 1, target: 2, sample: 3 });
            let mut out = vec![0.0; 3072];
            let norm = noise.direction(4, draw, &mut out);
            assert_eq!(norm, out.iter().map(|value| value * value).sum::<f64>().sqrt());
        }
    }

    #[test]
    fn values_are_standard_normal() {
        let values: Vec<f64> = (0..200).flat_map(|k| draw(9, (0, 1, 0), 1, k)).collect();
        let n = values.len() as f64;
        let moment = |power: i32| values.iter().map(|v| v.powi(power)).sum::<f64>() / n;
        // Bounds of six standard errors: variances of x, x^2, x^3, x^4 are 1, 2, 15, 96.
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0_f64)] {
            let error = (moment(power) - expected).abs();
            assert!(error < 6.0 * (variance / n).sqrt(), "moment {power}: off by {error}");
        }
    }

    /// If these values change, every artifact changes: raise `SEARCH_VERSION` as well.
    #[test]
    fn the_stream_is_frozen() {
        let values = draw(2022, (0, 1, 2), 3, 4);
        let frozen = FROZEN;
        for (value, frozen) in values.iter().zip(frozen) {
            assert!((value - frozen).abs() < 1e-14, "{:?}", &values[..4]);
        }
    }

    const FROZEN: [f64; 4] =
        [0.104_212_895_589_814_64, 1.204_183_286_577_592_8, -0.498_808_894_459_081_07, -0.027_714_021_510_514_695];
}
