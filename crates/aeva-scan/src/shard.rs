//! A share of a scan: what one of several machines does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

use aeva_artifact::MAX_SHARDS;

/// The `number`-th of `of` shares, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// A share; `None` unless `1 <= number <= of <= 10 000`.
    pub fn new(number: u32, of: u32) -> Option<Self> {
        (1 <= number && number <= of && of <= MAX_SHARDS).then_some(Self { number, of })
    }

    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Number of all shares.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether this share has the unit at this place of a list of equal units.
    pub fn has(self, place: usize) -> bool {
        place % self.of as usize == self.number as usize - 1
    }

    /// Which units of work this share has, given what each costs: the dearest unit first, each goes to the share that has the
    /// least so far. All shares together have each unit once.
    pub fn of_units(self, costs: &[u64]) -> Vec<bool> {
        let mut order: Vec<usize> = (0..costs.len()).collect();
        order.sort_by_key(|&unit| Reverse(costs[unit]));
        let mut shares: BinaryHeap<Reverse<(u64, u32)>> = (1..=self.of).map(|number| Reverse((0, number))).collect();
        let mut own = vec![false; costs.len()];
        for unit in order {
            if let Some(Reverse((load, number))) = shares.pop() {
                own[unit] = number == self.number;
                shares.push(Reverse((load.saturating_add(costs[unit].max(1)), number)));
            }
        }
        own
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected K/N, the K-th of N shares, with 1 <= K <= N <= {MAX_SHARDS}");
        let parsed = |text: &str| text.parse().map_err(|_| expected());
        let (number, of) = text.split_once('/').ok_or_else(expected)?;
        Self::new(parsed(number)?, parsed(of)?).ok_or_else(expected)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn loads(costs: &[u64], of: u32) -> Vec<u64> {
        let load = |number| {
            let own = Shard::new(number, of).unwrap().of_units(costs);
            costs.iter().zip(own).filter(|(_, own)| *own).map(|(cost, _)| cost).sum()
        };
        (1..=of).map(load).collect()
    }

    proptest! {
        #[test]
        fn every_unit_is_in_one_share(costs in proptest::collection::vec(0..1000_u64, 0..60), of in 1..20_u32) {
            let mut times = vec![0; costs.len()];
            for number in 1..=of {
                for (times, own) in times.iter_mut().zip(Shard::new(number, of).unwrap().of_units(&costs)) {
                    *times += u32::from(own);
                }
            }
            prop_assert!(times.iter().all(|&times| times == 1));
        }

        /// No share has more than an even part and one unit.
        #[test]
        fn shares_are_even(costs in proptest::collection::vec(1..1000_u64, 1..60), of in 1..20_u32) {
            let even = costs.iter().sum::<u64>() / u64::from(of);
            let dearest = costs.iter().max().unwrap();
            prop_assert!(loads(&costs, of).into_iter().all(|load| load <= even + dearest));
        }
    }

    #[test]
    fn equal_units_are_counted_out() {
        assert_eq!(loads(&[5; 90], 4), [115, 115, 110, 110]);
        assert_eq!(loads(&[40, 7, 7, 7, 7, 7, 7], 2), [40, 42]);
        let has = |number| (0..7).filter(|&place| Shard::new(number, 3).unwrap().has(place)).count();
        assert_eq!([1, 2, 3].map(has), [3, 2, 2]);
    }

    #[test]
    fn shares_are_read_as_they_are_written() {
        let shard: Shard = "3/8".parse().unwrap();
        assert_eq!((shard.number(), shard.of(), shard.to_string()), (3, 8, "3/8".to_owned()));
        for wrong in ["", "3", "0/2", "3/2", "1/0", "a/2", "1/10001", "-1/2", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
