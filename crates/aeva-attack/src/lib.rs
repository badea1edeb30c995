//! The searches of AEVA, over a black box that answers with labels and nothing else.
//!
//! - [`HardLabelOracle`] is all that a search sees of a model: images in, top-1 labels out. Scores cannot reach it.
//!   [`conformance`] checks what an oracle promises; [`synthetic`] has oracles with known boundaries.
//! - [`trigger`] searches for triggers: a trigger changes every image in the same way and sends many images to one
//!   label.
//! - [`perturbation`] searches for perturbations: one walk along the decision boundary for each pair of labels and each
//!   sample, many of them in lockstep. [`HopSkipJump`] is one walk as a state machine without I/O: ask it for rows,
//!   tell it their labels.
//!
//! Noise and random choices are functions of the seed and of their purpose. The oracle promises that the label of an
//! image does not depend on the rest of its batch. So results do not depend on batch size, threads, order or
//! interruptions.
//!
//! # One walk by hand
//!
//! ```
//! use aeva_attack::{HopSkipJump, HopSkipJumpBuilder, JobId, JobNoise};
//!
//! // A black box with four inputs: label 1 where the first value exceeds 0.6.
//! let label = |image: &[f64]| u32::from(image[0] > 0.6);
//!
//! let params = HopSkipJumpBuilder { iterations: 10, ..HopSkipJumpBuilder::PUBLISHED }.check()?;
//! let noise = JobNoise::new(7, JobId { source: 0, target: 1, sample: 0 });
//! let (origin, start) = ([0.2_f32, 0.5, 0.5, 0.5], [0.9_f32, 0.1, 0.8, 0.3]);
//! let mut search = HopSkipJump::new(params, noise, 1, &origin, &start)?;
//! while search.outcome().is_none() {
//!     let mut rows = vec![0.0_f64; 4 * search.pending().min(16)];
//!     search.write(&mut rows);
//!     let labels: Vec<u32> = rows.chunks(4).map(label).collect();
//!     search.tell(&rows, &labels);
//! }
//! // The boundary is 0.4 away along the first axis.
//! assert!((search.distance() - 0.4).abs() < 0.02);
//! # Ok::<(), aeva_attack::SearchError>(())
//! ```

mod agreement;
pub mod conformance;
mod correct_images;
mod error;
pub mod hop_skip_jump;
mod label;
mod noise;
mod observe;
mod oracle;
mod peers;
pub mod perturbation;
pub mod synthetic;
pub mod trigger;
mod xoshiro;
mod ziggurat;

pub use agreement::{Agreement, agreement};
pub use correct_images::CorrectImages;
pub use error::{Meaning, OracleError, PlanError, ScanError, SearchError};
pub use hop_skip_jump::{Element, HopSkipJump, HopSkipJumpBuilder, HopSkipJumpParams, IterationTrace};
pub use label::{Label, NO_LABEL, UNANSWERED};
pub use noise::{JobId, JobNoise, NoiseSource};
pub use observe::{Progress, ScanObserver};
pub use oracle::{HardLabelOracle, InputSpec, classify_all};
pub use peers::{Peers, Waited};
