//! The generator xoshiro256++ (Blackman and Vigna, 2021), as a value: a step takes a state and returns the next one.
//!
//! The library changes its generator in place. Where a value may also be left to the library (`ziggurat.rs`), that
//! reference keeps the state out of the registers, which costs half of the speed.

use std::convert::Infallible;

use rand_core::TryRng;

/// A state of the generator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Xoshiro([u64; 4]);

impl Xoshiro {
    /// A generator in this state, which must not be all zeros.
    pub(crate) fn new(state: [u64; 4]) -> Self {
        Self(state)
    }

    /// 64 bits, and the next state.
    #[inline]
    pub(crate) fn next(self) -> (u64, Self) {
        let [a, b, c, d] = self.0;
        let bits = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        (bits, Self([a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)]))
    }
}

impl TryRng for Xoshiro {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|bits| (bits >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let bits;
        (bits, *self) = self.next();
        Ok(bits)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    #[test]
    fn steps_are_those_of_the_library() {
        let state = [1_u64, 2, 3, 0xdead_beef_dead_beef];
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(state) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut library = Xoshiro256PlusPlus::from_seed(bytes);
        let mut ours = Xoshiro::new(state);
        for _ in 0..10_000 {
            let bits;
            (bits, ours) = ours.next();
            assert_eq!(bits, library.next_u64());
        }
    }
}
