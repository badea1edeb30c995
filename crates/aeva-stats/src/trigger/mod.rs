//! From the success of triggers to labels that stand out.
//!
//! A backdoor works with a weak trigger; a natural weakness needs a strong one. A backdoor also leads to its own labels,
//! whereas a weak model gives way in many directions. So for each setting (a family of triggers at one strength), the
//! test looks for a **gap** between the labels with the highest attack success rate and all others. The margin is the
//! gap that clean models may have; it grows with the strength of the triggers.

mod ahead;
mod attraction;
#[cfg(test)]
mod examples;
mod gap_test;
mod labels;
mod lead;
mod limits;
mod odds;
mod pairs;
mod pass;
mod rates;
mod reference;
mod reference_model;
mod reference_table;
mod selective;
mod standout;
mod statistics;

pub use gap_test::{level_standouts, test_triggers, test_triggers_against, test_triggers_with};
pub use lead::{Lead, Reading, leads};
pub(crate) use limits::limits;
pub use limits::{IMAGES_NEEDED, LABELS_NEEDED, Limits};
pub use pairs::PAIR_IMAGES_NEEDED;
pub use pass::{Effect, GoalTally, PassTally, SearchedPair};
pub use reference::{Null, Reference};
pub use reference_model::ReferenceModel;
pub use standout::{PairStandout, Standout, StandsOut, Strongest, TriggerTest};
pub use statistics::{STATISTICS, Statistic, Statistics};
