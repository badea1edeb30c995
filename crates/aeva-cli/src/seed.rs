//! The option `--seed`.

use std::fmt;
use std::str::FromStr;

/// The seed of all random choices: a number, or `random`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed {
    pub(crate) number: u64,
    /// Whether it was drawn, so that the same command draws another one.
    pub(crate) is_drawn: bool,
}

/// Larger numbers are not exact in every reader of JSON.
const DRAWN_BITS: u32 = 53;

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "random" {
            let number = getrandom::u64().map_err(|error| format!("the system has no random numbers: {error}"))?;
            return Ok(Self { number: number >> (u64::BITS - DRAWN_BITS), is_drawn: true });
        }
        let number = text.parse().map_err(|_| format!("`{text}` is neither a whole number from 0 on nor `random`"))?;
        Ok(Self { number, is_drawn: false })
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_number_or_drawn() {
        let number = |number| Ok(Seed { number, is_drawn: false });
        assert_eq!(["0", "18446744073709551615"].map(str::parse), [number(0), number(u64::MAX)]);
        let drawn: Vec<Result<Seed, String>> = (0..4).map(|_| "random".parse()).collect();
        assert!(
            drawn.iter().all(|seed| seed.as_ref().is_ok_and(|seed| seed.is_drawn && seed.number < 1 << DRAWN_BITS))
        );
        assert!(drawn.iter().any(|seed| *seed != drawn[0]), "{drawn:?}");
        for wrong in ["", "-1", "x", "1.5", "Random"] {
            assert!(wrong.parse::<Seed>().is_err(), "{wrong}");
        }
    }
}
