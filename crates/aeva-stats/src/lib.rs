//! From adversarial perturbations to a backdoor verdict: the statistics of AEVA (Guo, Li and Liu, ICLR 2022,
//! arXiv 2110.14880), usable alone.
//!
//! The way of a number through this crate:
//!
//! 1. [`pixel_mass`] and [`peak_share`]: how sharply one perturbation `[h, w, c]` peaks;
//! 2. [`pair_score`]: the sharpest of the samples of one ordered pair (source, target);
//! 3. [`PairScores`] and [`global_adversarial_peaks`]: the sum over all sources, one GAP a target label;
//! 4. [`anomaly_indices`]: how far each GAP lies above the median, in units of the scaled median absolute deviation;
//! 5. [`judge`]: the [`Verdict`] as published.
//!
//! Beside it the second lens, triggers that one search found for all images at once: [`judge_triggers`] tells labels that stand out
//! by their success, and [`combine`] gives one verdict at a stated rate of false alarms.
//!
//! Nothing here does I/O, keeps state or needs another crate. Feature `serde` serialises the result types.
//!
//! # From perturbations to verdict
//!
//! ```
//! use aeva_stats::{PairScores, PublishedRule, Verdict, judge, pair_score, peak_share};
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
//! let judgement = judge(&scores, &PublishedRule::PUBLISHED);
//! assert_eq!(judgement.verdict, Verdict::Backdoored { suspects: vec![3] });
//! # Ok::<(), aeva_stats::StatsError>(())
//! ```

mod binomial;
mod combined;
mod consensus;
mod error;
mod gap;
mod kappa;
mod mad;
mod peak;
mod trigger;
mod verdict;

pub use binomial::binomial_interval;
pub use combined::{CombinedJudgement, CombinedRule, INDEX_MEDIAN, combine, index_p_value};
pub use consensus::ConsensusMap;
pub use error::StatsError;
pub use gap::{LabelGap, PairScores, global_adversarial_peaks};
pub use kappa::cohen_kappa;
pub use mad::{MAD_TO_SIGMA, anomaly_indices, median, median_absolute_deviation};
pub use peak::{PEAK_PIXELS, pair_score, peak_share, pixel_mass};
pub use trigger::{
    IMAGES_NEEDED, LABELS_NEEDED, LevelSuccess, Limits, PairSuccess, TriggerEvidence, TriggerFamily, TriggerJudgement,
    judge_triggers, limits,
};
pub use verdict::{Judgement, LabelJudgement, PublishedRule, Reason, Verdict, judge};
