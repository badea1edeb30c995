//! The engine of AEVA: a whole scan, from a black box and images to a verdict.
//!
//! [`Scan::new`] plans a scan, and determines what the images cannot show before the first query of a search.
//! [`Scan::run`] searches through the trigger lens, and through the perturbation lens if that is asked for or the images
//! allow no triggers.
//! It stores its results in a [`Store`] (a run folder, or memory), counts every query in one [`Ledger`], and returns an
//! [`Outcome`]. [`Observations`] are the stored results that count under a rule. [`assess()`] is the only function that
//! turns them into a verdict. [`Report`] is the complete result as a type that programs render as text or JSON.
//!
//! [`TriggerPlan`] decides which pass comes next, and only from earlier results. So a scan that was stopped resumes as
//! if it had not been stopped, and stored results can be judged under another rule.
//!
//! The searches themselves are in `aeva-attack`, the statistics in `aeva-stats`.
//!
//! # A scan in memory
//!
//! ```
//! use std::num::NonZeroUsize;
//!
//! use aeva_attack::synthetic::NearestCentre;
//! use aeva_attack::{CorrectImages, HardLabelOracle, HopSkipJumpBuilder, InputSpec};
//! use aeva_scan::{
//!     Budget, DecisionRule, LensName, Lenses, MemoryStore, PERTURBATION_BUDGET, PerturbationRequest, Request, Scan,
//! };
//! use ndarray::Array4;
//!
//! // Three labels by brightness, and a black box that classifies all of them correctly.
//! let spec = InputSpec { height: 4, width: 4, channels: 1, classes: 3 };
//! let images = Array4::from_shape_fn((120, 4, 4, 1), |(image, ..)| [0.1, 0.5, 0.9][image % 3]);
//! let labels: Vec<u32> = (0..120).map(|image| image % 3).collect();
//! let centres = [0.1, 0.5, 0.9].map(|value| vec![value; 16]).to_vec();
//! let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(NearestCentre::new(spec, centres))];
//!
//! let perturbations = PerturbationRequest {
//!     params: HopSkipJumpBuilder::quick(spec.values()).check()?,
//!     samples: 1,
//!     sources: None,
//!     targets: None,
//!     budget: PERTURBATION_BUDGET,
//! };
//! let request = Request {
//!     lenses: Lenses::Only(LensName::Triggers),
//!     rule: DecisionRule::DEFAULT,
//!     perturbations,
//!     seed: 0,
//!     batch_rows: NonZeroUsize::new(32).unwrap_or(NonZeroUsize::MIN),
//!     threads: NonZeroUsize::MIN,
//!     sees_small_changes: true,
//!     shard: None,
//! };
//! let scan = Scan::new(request, spec, &CorrectImages::new(&labels, &labels, 3)?)?;
//! let mut store = MemoryStore::default();
//! let budget = Budget { queries: Some(500), deadline: None };
//! let outcome = scan.run(&mut oracles, images.view(), 0, budget, &mut store, &())?;
//! // The limit is too low to clear the model.
//! assert_eq!(outcome.assessment.verdict.name(), "inconclusive");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assess;
mod effort;
mod estimate;
mod ledger;
mod lens;
mod observer;
mod reference;
pub mod report;
mod rule;
mod scan;
mod session;
mod shard;
mod store;

pub use assess::{Assessment, assess};
pub use effort::Effort;
pub use estimate::{EffortEstimate, Estimate};
pub use ledger::{Budget, Exhausted, Ledger};
pub use lens::{
    Evidence, LeftOut, LensName, LensQueries, LensReports, MemoryStore, Observation, Observations, PERTURBATION_BUDGET,
    Passes, PerturbationObservations, PerturbationRequest, PerturbationStore, PerturbationWork, Shared, Store,
    StoredPass, TriggerObservations, TriggerPlan, TriggerStore, TriggerWork, Work,
};
pub use observer::Observer;
pub use reference::{ReferenceError, reference_model, reference_rule};
pub use report::Report;
pub use rule::DecisionRule;
pub use scan::{Lenses, Outcome, Request, Scan};
pub use session::{End, Failure};
pub use shard::Shard;
