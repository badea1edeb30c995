//! From adversarial perturbations to a backdoor verdict: the statistics of AEVA (Guo, Li and Liu, ICLR 2022,
//! arXiv 2110.14880), usable alone.
//!
//! How a number moves through this crate:
//!
//! 1. [`pixel_mass`] and [`peak_share`]: how sharply one perturbation `[h, w, c]` peaks;
//! 2. [`pair_score`]: the sharpest sample of one ordered pair (source, target);
//! 3. [`PairScores`] and [`global_adversarial_peaks`]: the sum over all sources, one GAP per target label;
//! 4. [`anomaly_indices`]: how far each GAP lies above the median, in units of the scaled median absolute deviation;
//! 5. [`PublishedRule::decide`]: the [`Verdict`] as published.
//!
//! The trigger lens searches for triggers, each of which works on all images. [`test_triggers`] finds the labels that stand
//! out by their attack success rate (a [`Tally`] per label), and [`combine`] gives one verdict at a stated rate of false
//! alarms. [`Family`] is the table of trigger families, [`TargetMap`] lists the kinds of backdoors.
//!
//! Nothing here does I/O, keeps state or needs another crate. The feature `serde` makes the result types serialisable.
//!
//! # From perturbations to verdict
//!
//! ```
//! use aeva_stats::{PairScores, PublishedRule, Verdict, pair_score, peak_share};
//!
//! // Perturbations [h = 2, w = 3, c = 1], two samples for each ordered pair of five labels. Those towards label 3
//! // sit on two pixels; the others are spread out (a little differently for every pair).
//! let perturbation = |source: usize, target: usize, sample: usize| -> Vec<f32> {
//!     let wobble = 0.01 * (7 * source + 3 * target + sample) as f32;
//!     if target == 3 { vec![0.0, 0.9, -0.8, 0.0, 0.01, 0.0] } else { vec![0.1, -0.1, 0.1, 0.1, -0.1, 0.1 + wobble] }
//! };
//!
//! let mut scores = PairScores::new(5);
//! for source in 0..5 {
//!     for target in (0..5).filter(|&target| target != source) {
//!         let shares = (0..2)
//!             .map(|sample| peak_share(&perturbation(source, target, sample), 1))
//!             .collect::<Result<Vec<f64>, _>>()?;
//!         scores.insert(source, target, pair_score(&shares)?)?;
//!     }
//! }
//!
//! let decision = PublishedRule::PUBLISHED.decide(&scores);
//! assert_eq!(decision.verdict, Verdict::Backdoored { suspects: vec![3] });
//! # Ok::<(), aeva_stats::StatsError>(())
//! ```
//!
//! # From triggers to labels that stand out
//!
//! ```
//! use aeva_stats::{CombinedRule, Family, GoalTally, PassTally, Tally, combine, test_triggers};
//!
//! // The best patch of three pixels for each of five labels, stamped on 100 images of the other labels.
//! let labels = [97, 5, 1, 0, 2].map(|hits| Tally::new(hits, 100).map(GoalTally::from)).into_iter().collect::<Result<Vec<_>, _>>()?;
//! let pass = PassTally {
//!     family: Family::Patch,
//!     strength: 3.0,
//!     labels,
//!     pairs: Vec::new(),
//!     confusion: Vec::new(),
//!     map: GoalTally::default(),
//!     effects: Vec::new(),
//! };
//!
//! let (rule, test) = (CombinedRule::DEFAULT, test_triggers(&[pass]));
//! assert_eq!(test.suspects(rule.trigger_alpha(&test.null)), [0]);
//! let decision = combine(&[rule.trigger_evidence(&test)]);
//! assert!(decision.is_some_and(|decision| decision.p_value <= 0.05));
//! # Ok::<(), aeva_stats::StatsError>(())
//! ```

mod binomial;
mod combined;
mod consensus;
mod error;
mod family;
mod gap;
mod kappa;
mod mad;
mod margins;
mod peak;
mod published;
mod shape;
mod tally;
mod target_map;
mod trigger;
mod verdict;

pub use binomial::binomial_interval;
pub use combined::{
    CombinedDecision, CombinedRule, INDEX_LABELS, INDEX_MEDIAN, INDEX_SCALE, LensEvidence, combine, index_p_value,
};
pub use consensus::ConsensusMap;
pub use error::StatsError;
pub use family::{About, Family, FamilySpec, RandomSample, Search, Strength};
pub use gap::{LabelGap, PairScores, global_adversarial_peaks};
pub use kappa::cohen_kappa;
pub use mad::{MAD_TO_SIGMA, anomaly_indices, median, median_absolute_deviation};
pub use margins::{Margins, Offsets, Points};
pub use peak::{PEAK_PIXELS, pair_score, peak_share, pixel_mass};
pub use published::{LabelAnomaly, PublishedDecision, PublishedRule};
pub use shape::{Shape, ShapeSpec};
pub use tally::{PairTally, Tally};
pub use target_map::TargetMap;
pub use trigger::{
    Effect, GoalTally, IMAGES_NEEDED, LABELS_NEEDED, Lead, Limits, Null, PAIR_IMAGES_NEEDED, PairStandout, PassTally,
    Reading, Reference, ReferenceModel, STATISTICS, SearchedPair, Standout, StandsOut, Statistic, Statistics,
    Strongest, TriggerTest, leads, level_standouts, test_triggers, test_triggers_against, test_triggers_with,
};
pub use verdict::{Reason, Verdict};
