//! Standard normal values through rand_distr's ziggurat, with its common case in our own loop.
//!
//! Nearly 99 % of all values are one table look-up and one multiplication (Marsaglia and Tsang, 2000; Doornik, 2005). The
//! library's function for them is not inlined, and called for each value it costs about twice as much. What falls outside of the common
//! case is left to the library, so values and their order are the library's, bit for bit.

use std::convert::Infallible;
use std::sync::LazyLock;

use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, TryRng};

const LAYERS: usize = 256;

/// Edges of the layers, widest first; those of the library.
pub(crate) struct Ziggurat {
    /// Right edge of each layer.
    edges: [f64; LAYERS],
    /// Right edge of the next layer, up to which every value of this one is taken; 0 for the last one.
    inner: [f64; LAYERS],
}

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(|| {
    // The library keeps its table to itself, but half of each edge is what it makes of the right bits.
    let edges: [f64; LAYERS] = std::array::from_fn(|layer| {
        let half: f64 = StandardNormal.sample(&mut Constant(HALF | layer as u64));
        2.0 * half
    });
    Ziggurat { edges, inner: std::array::from_fn(|layer| edges.get(layer + 1).copied().unwrap_or(0.0)) }
});

impl Ziggurat {
    /// The table, made once.
    pub(crate) fn get() -> &'static Self {
        &ZIGGURAT
    }

    /// The next value, and the generator after it, as `StandardNormal.sample` would have them.
    ///
    /// The generator goes in and out by value, so that its state can stay in registers.
    #[inline(always)]
    pub(crate) fn sample(&self, generator: Xoshiro256PlusPlus) -> (f64, Xoshiro256PlusPlus) {
        let mut after = generator.clone();
        let bits = after.next_u64();
        let layer = (bits & 0xff) as usize;
        // The upper 52 bits as the mantissa of a number in [2, 4), moved to [-1, 1).
        let uniform = f64::from_bits(bits >> 12 | 0x4000_0000_0000_0000) - 3.0;
        let value = uniform * self.edges[layer];
        if value.abs() < self.inner[layer] { (value, after) } else { Self::rest(generator) }
    }

    #[cold]
    #[inline(never)]
    fn rest(mut generator: Xoshiro256PlusPlus) -> (f64, Xoshiro256PlusPlus) {
        (StandardNormal.sample(&mut generator), generator)
    }
}

/// Bits whose uniform number is 0.5, with room for a layer: inside of every layer's inner edge but the last one's, where the
/// library accepts it by its second test.
const HALF: u64 = 0xc000_0000_0000_0000;

/// A generator of one number.
struct Constant(u64);

impl TryRng for Constant {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0 >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for (byte, value) in bytes.iter_mut().zip(self.0.to_le_bytes().into_iter().cycle()) {
            *byte = value;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "bits are compared on purpose")]
mod tests {
    use super::*;
    use rand_xoshiro::rand_core::SeedableRng;

    /// A change of the library's table or method would change every artifact; it shows here.
    #[test]
    fn values_and_state_are_the_librarys() {
        for seed in 0..20 {
            let mut library = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut ours = library.clone();
            for _ in 0..50_000 {
                let expected: f64 = StandardNormal.sample(&mut library);
                let (value, after) = Ziggurat::get().sample(ours);
                assert_eq!(value, expected);
                ours = after;
            }
            assert_eq!(ours, library);
        }
    }

    #[test]
    fn edges_fall_from_layer_to_layer() {
        let edges = &Ziggurat::get().edges;
        assert!(edges.windows(2).all(|pair| pair[0] > pair[1] && pair[1] > 0.0));
    }
}
