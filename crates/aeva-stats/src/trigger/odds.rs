//! Log odds, as far as so few images tell anything.

use crate::Tally;

/// Log odds beyond this say no more: the hold-out images are too few.
const CAP: f64 = 3.0;

/// Log odds as far as they tell anything.
pub(super) fn log_odds(tally: Tally) -> f64 {
    tally.log_odds().clamp(-CAP, CAP)
}
