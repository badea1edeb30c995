//! From looks to a verdict: in which order to look, when it is enough, and what it says.
//!
//! Cheap looks come first, more only where the evidence leaves it open, none once the verdict is settled. [`TriggerPlan`] decides what to look at next from what was seen so far, and from nothing else, so that a scan that was
//! stopped goes on as if it had not been, and results that are kept can be judged under another rule. [`TriggerScan`] does it. [`assess()`] is the only function
//! that makes a verdict of what was seen.
//!
//! The searches themselves are in `aeva-attack`, the tests in `aeva-stats`; neither knows the other.

mod assess;
mod plan;
mod scan;
mod success;

pub use assess::{Assessment, DecisionRule, Observations, assess, left_open};
pub use plan::{PERTURBATION_BUDGET, Replay, Seen, Step, TriggerPlan, judged};
pub use scan::TriggerScan;
pub use success::success;
