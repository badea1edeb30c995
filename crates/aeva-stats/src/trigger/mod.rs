//! From the success of triggers to labels that stand out.
//!
//! A backdoor needs little where a natural weakness needs much, and it leads to its own labels where a weak model gives way in many
//! directions. So the test looks, for each setting (a family of triggers at one strength), for a **gap** between the labels with the
//! highest attack success rate and all others, and allows clean models a wider gap the stronger the triggers are: the margin.

mod gap_test;
mod labels;
mod limits;
mod null;
mod odds;
mod pairs;
mod pass;
mod standout;

pub use gap_test::test_triggers;
pub use limits::{IMAGES_NEEDED, LABELS_NEEDED, Limits, limits};
pub use null::NULLS;
pub use pass::PassTally;
pub use standout::{PairStandout, Standout, StandsOut, Strongest, TriggerTest};
