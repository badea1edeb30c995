//! Standard normal values from rand_distr's ziggurat, with the common case in our own loop.
//!
//! Nearly 99 % of all values take one table look-up and one multiplication (Marsaglia and Tsang, 2000; Doornik, 2005).
//! The library's function is not inlined, and calling it for each value costs about twice as much. All other cases are
//! left to the library, so values and their order match the library bit for bit.

use std::convert::Infallible;
use std::sync::LazyLock;

use rand_core::TryRng;
use rand_distr::{Distribution, StandardNormal};

use crate::xoshiro::Xoshiro;

const LAYERS: usize = 256;

/// Edges of the layers, widest first, as in the library.
pub(crate) struct Ziggurat {
    /// Right edge of each layer.
    edges: [f64; LAYERS],
    /// Right edge of the next layer, or 0 for the last layer. Every value below it is accepted.
    inner: [f64; LAYERS],
}

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(|| {
    // The library's table is private, but with the right input bits the library returns half of each edge.
    let edges: [f64; LAYERS] = std::array::from_fn(|layer| {
        let half: f64 = StandardNormal.sample(&mut Constant(HALF | layer as u64));
        2.0 * half
    });
    Ziggurat { edges, inner: std::array::from_fn(|layer| edges.get(layer + 1).copied().unwrap_or(0.0)) }
});

impl Ziggurat {
    /// The table, computed once.
    pub(crate) fn get() -> &'static Self {
        &ZIGGURAT
    }

    /// The next value, as `StandardNormal.sample` would give it.
    #[inline]
    pub(crate) fn sample(&self, generator: &mut Xoshiro) -> f64 {
        let (bits, after) = generator.next();
        let layer = (bits & 0xff) as usize;
        // The upper 52 bits become the mantissa of a number in [2, 4), which is moved to [-1, 1).
        let uniform = f64::from_bits(bits >> 12 | 0x4000_0000_0000_0000) - 3.0;
        let value = uniform * self.edges[layer];
        if value.abs() < self.inner[layer] {
            *generator = after;
            return value;
        }
        // The library gets a copy, so that the state of the common case can stay in registers.
        let mut copy = *generator;
        let value = Self::rest(&mut copy);
        *generator = copy;
        value
    }

    #[cold]
    #[inline(never)]
    fn rest(generator: &mut Xoshiro) -> f64 {
        StandardNormal.sample(generator)
    }
}

/// Bits whose uniform number is 0.5, with room for a layer. The number is inside the inner edge of every layer but the
/// last, where the library accepts it in its second test.
const HALF: u64 = 0xc000_0000_0000_0000;

/// A generator that always returns one number.
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
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    /// A change of the library's table or method would change every artifact. This test detects it.
    #[test]
    fn values_are_the_librarys() {
        for seed in 0..20_u8 {
            let bytes = [seed + 1; 32];
            let mut library = Xoshiro256PlusPlus::from_seed(bytes);
            let mut ours = Xoshiro::new([u64::from_le_bytes([seed + 1; 8]); 4]);
            for _ in 0..50_000 {
                let expected: f64 = StandardNormal.sample(&mut library);
                assert_eq!(Ziggurat::get().sample(&mut ours), expected);
            }
        }
    }

    #[test]
    fn edges_fall_from_layer_to_layer() {
        let edges = &Ziggurat::get().edges;
        assert!(edges.windows(2).all(|pair| pair[0] > pair[1] && pair[1] > 0.0));
    }
}
