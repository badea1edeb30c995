//! Log odds, capped to what the hold-out images can show.

use crate::Tally;

/// There are too few hold-out images to measure log odds beyond this.
const CAP: f64 = 3.0;

/// Log odds, capped.
pub(super) fn log_odds(tally: Tally) -> f64 {
    tally.log_odds().clamp(-CAP, CAP)
}
