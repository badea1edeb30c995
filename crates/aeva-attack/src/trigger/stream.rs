//! Random choices of the trigger search. Every purpose has its own stream, so that order and threads do not matter.

use rand_core::TryRng;

use crate::noise::{JobId, JobNoise};
use crate::xoshiro::Xoshiro;

/// A stream of random choices.
#[derive(Debug, Clone)]
pub(super) struct RandomStream(Xoshiro);

impl RandomStream {
    /// The stream for a purpose and a label or candidate, under `seed`.
    pub(super) fn new(seed: u64, purpose: u32, item: u32) -> Self {
        // Source equals target here. No boundary search has such a job, so no stream is used twice.
        Self(JobNoise::new(seed, JobId { source: purpose, target: purpose, sample: item }).generator(0, 0))
    }

    fn bits(&mut self) -> u64 {
        match self.0.try_next_u64() {
            Ok(bits) => bits,
            Err(never) => match never {},
        }
    }

    /// A number in `[0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit f32")]
    pub(super) fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 16_777_216.0
    }

    /// A number below `count`; 0 if `count` is 0.
    #[expect(clippy::cast_possible_truncation, reason = "below a usize")]
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Approximately standard normal (Irwin and Hall: the sum of twelve uniform values, minus six).
    pub(super) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }

    /// A colour: either every channel is at an end of the range, or every channel is anywhere in it.
    pub(super) fn colour(&mut self, channels: usize) -> Vec<f32> {
        let extreme = self.chance(0.6);
        (0..channels).map(|_| if extreme { f32::from(u8::from(self.chance(0.5))) } else { self.unit() }).collect()
    }
}
