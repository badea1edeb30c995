//! From the success of triggers to labels that stand out.
//!
//! A backdoor works with a weak trigger; a natural weakness needs a strong one. A backdoor also leads to its own labels,
//! whereas a weak model gives way in many directions. So for each setting (a family of triggers at one strength), the
//! test looks for a **gap** between the labels with the highest attack success rate and all others. The margin is the
//! gap that clean models may have; it grows with the strength of the triggers.

mod gap_test;
mod labels;
mod limits;
mod null;
mod odds;
mod pairs;
mod pass;
mod rates;
mod standout;
mod statistics;

pub use gap_test::test_triggers;
pub use limits::{IMAGES_NEEDED, LABELS_NEEDED, Limits, limits};
pub use null::{NULL_LABELS, NULLS};
pub use pairs::PAIR_IMAGES_NEEDED;
pub use pass::PassTally;
pub use standout::{PairStandout, Standout, StandsOut, Strongest, TriggerTest};
pub use statistics::{STATISTICS, Statistic, Statistics};
