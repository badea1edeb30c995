//! A small seeded generator (splitmix64): all random choices are a function of the seed.

/// Numbers determined by a seed and a name.
pub(crate) struct Random(u64);

impl Random {
    /// With one seed, different names give different sequences.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % (end.max(1) as u64)).unwrap_or(0)
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.number() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[7]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// One of the items; there must be at least one.
    pub(crate) fn pick<'items, T>(&mut self, items: &'items [T]) -> &'items T {
        &items[self.below(items.len())]
    }

    /// The bytes with some of the first `within` set to random values.
    pub(crate) fn changed(&mut self, bytes: &[u8], count: usize, within: usize) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..count {
            let at = self.below(within.min(bytes.len()));
            let value = self.byte();
            if let Some(byte) = changed.get_mut(at) {
                *byte = value;
            }
        }
        changed
    }

    /// The bytes up to a random position.
    pub(crate) fn cut(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes[..self.below(bytes.len())].to_vec()
    }

    /// About `keep` of the items, evenly spread over their order.
    pub(crate) fn spread<T>(&mut self, items: Vec<T>, keep: usize) -> Vec<T> {
        let count = items.len();
        if keep >= count {
            return items;
        }
        let offset = self.below(count);
        let kept = items.into_iter().enumerate();
        // The running product passes a multiple of `count` exactly `keep` times.
        let taken = kept.filter(|(index, _)| ((index + offset) * keep) % count < keep);
        taken.map(|(_, item)| item).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_size_asked_for_and_follows_the_seed() {
        for keep in [0, 1, 7, 99, 100, 200] {
            assert_eq!(Random::new(1, "x").spread((0..100).collect(), keep).len(), keep.min(100));
        }
        let spread = |seed| Random::new(seed, "x").spread((0..1000).collect::<Vec<_>>(), 10);
        assert_eq!(spread(3), spread(3));
        assert_ne!(spread(3), spread(4));
    }

    #[test]
    fn names_and_seeds_give_other_numbers() {
        let first = |seed, name| Random::new(seed, name).number();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
}
