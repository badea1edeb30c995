//! The search for perturbations: one targeted HopSkipJump search per (source, target, sample), many of them in
//! lockstep.
//!
//! [`PerturbationPlan`] lists the searches of a scan; [`search()`] runs them over one oracle per worker and hands out one
//! [`PairResult`] per ordered pair of labels.

mod gather;
mod lane;
mod lockstep;
mod plan;
mod queue;
mod record;
mod search;
mod settings;

pub use gather::Store;
pub use lane::Answers;
pub use plan::{PairPlan, PerturbationPlan, SamplePlan};
pub use record::{Outcome, PairResult, QueryCounts, SampleRecord};
pub use search::{ScanEnd, search};
pub use settings::PerturbationSettings;
