//! The search for triggers: one trigger for all images, found with hard labels alone.
//!
//! A backdoor that works on *any* image needs no walk along boundaries. It is enough to stamp a candidate on a few
//! clean images of every class and to count how many become each label; one such evaluation informs all labels at once.
//! The table of [`Family`](aeva_stats::Family) says which triggers are searched and how. Random triggers are measured
//! as drawn. For patches and overlays, hill climbing improves the best candidates for every label. Each family has
//! several strengths, and each of them is a [`Setting`]: a backdoor needs little strength, a natural weakness needs
//! much. Success is measured on hold-out images, which no search has seen.
//!
//! [`TriggerSearch::run`] runs one pass over one setting. `aeva-scan` decides which pass comes next.
//!
//! Related: HardBeat (USENIX Security 2023) and Sparse-RS (AAAI 2022), hard-label searches of patches; Neural Cleanse
//! (IEEE S&P 2019), which compares labels by the size of the trigger they need, with gradients.
//!
//! # One pass by hand
//!
//! ```
//! use aeva_attack::synthetic::NearestCentre;
//! use aeva_attack::trigger::{ImageSplit, Pass, PassId, TriggerSearch, WarmStart};
//! use aeva_attack::{CorrectImages, HardLabelOracle, InputSpec};
//! use ndarray::Array4;
//!
//! // Three labels by brightness, ten images each, and a black box that classifies all of them correctly.
//! let spec = InputSpec { height: 4, width: 4, channels: 1, classes: 3 };
//! let images = Array4::from_shape_fn((30, 4, 4, 1), |(image, ..)| [0.1, 0.5, 0.9][image % 3]);
//! let labels: Vec<u32> = (0..30).map(|image| image % 3).collect();
//! let centres = [0.1, 0.5, 0.9].map(|value| vec![value; 16]).to_vec();
//! let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(NearestCentre::new(spec, centres))];
//!
//! let split = ImageSplit::new(&CorrectImages::new(&labels, &labels, 3)?, 7);
//! let search = TriggerSearch::new(split, 7, std::num::NonZeroUsize::MIN);
//! let setting = "patch-04".parse()?;
//! let pass = PassId { setting, pass: Pass::Explore };
//! let found = search.run(pass, &mut oracles, images.view(), &WarmStart::default(), &mut Vec::new(), &())?;
//! // A single pixel of sixteen changes no label.
//! assert!(found.tally(setting, spec.shape(), 3).labels.iter().all(|label| label.pooled().hits() == 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answered;
mod baseline;
mod candidates;
mod explore;
mod finding;
mod grid;
mod hill_climb;
mod image_split;
mod overlay;
mod parts;
mod patch;
mod pattern;
mod pixels;
mod query;
mod random_triggers;
mod refine;
mod score;
mod search;
mod searcher;
mod seen;
mod setting;
mod shaped;
mod squares;
mod stamp;
mod stream;
mod tone;
mod unfit;
mod warm_start;
mod warp;

pub use finding::{PassResult, TriggerFinding};
pub use image_split::ImageSplit;
pub use overlay::Overlay;
pub use parts::{Items, Parts, TriggerArray};
pub use patch::Patch;
pub use search::{TRIGGER_QUERIES_VERSION, TRIGGER_SEARCH_VERSION, TriggerSearch};
pub use setting::{Pass, PassId, Setting, UnknownSetting};
pub use squares::Squares;
pub use stamp::Trigger;
pub use tone::{Filter, Tone};
pub use unfit::Unfit;
pub use warm_start::WarmStart;
pub use warp::Warp;
