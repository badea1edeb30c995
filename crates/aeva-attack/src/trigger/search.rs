//! The trigger search of one model, pass by pass.

use std::num::NonZeroUsize;

use aeva_stats::Search;
use ndarray::ArrayView4;

use super::query::Queries;
use super::searcher::Searcher;
use super::{ImageSplit, Pass, PassId, PassResult, WarmStart, explore, random_triggers, refine};
use crate::{HardLabelOracle, Label, ScanError, ScanObserver};

/// Version of the search; it grows when the same seed and images would give other triggers.
pub const TRIGGER_SEARCH_VERSION: u32 = 4;

/// The trigger search of one model.
#[derive(Debug, Clone)]
pub struct TriggerSearch {
    split: ImageSplit,
    seed: u64,
    batch_rows: NonZeroUsize,
}

impl TriggerSearch {
    /// A search on the images of `split`, with all random choices made from `seed`. `batch_rows` images share a batch, which changes the
    /// speed and not the result.
    pub fn new(split: ImageSplit, seed: u64, batch_rows: NonZeroUsize) -> Self {
        Self { split, seed, batch_rows }
    }

    /// The images that it searches and measures with.
    pub fn split(&self) -> &ImageSplit {
        &self.split
    }

    /// Makes one pass over `images` `[n, h, w, c]` (standard layout, values in `[0, 1]`).
    ///
    /// `answers` begins with what an earlier attempt at the same pass was answered, and ends with all answers that there are: a pass that
    /// failed or was stopped goes on from there.
    ///
    /// # Errors
    /// [`ScanError::Stopped`] when the observer asked to stop, [`ScanError::Pass`] for a pass that the setting does not have; others when the
    /// model fails or does not fit the images.
    pub fn run(
        &self,
        id: PassId,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        warm: &WarmStart<'_>,
        answers: &mut Vec<Label>,
        observer: &dyn ScanObserver,
    ) -> Result<PassResult, ScanError> {
        let mut queries = Queries::new(oracles, &images, self.batch_rows.get(), answers, observer)?;
        let searcher = Searcher { split: &self.split, seed: self.seed };
        match (id.setting.search(), id.pass) {
            (Search::Random(sample), Pass::Explore) => {
                random_triggers::measure(&searcher, id.setting, sample, &mut queries)
            }
            (Search::HillClimb, Pass::Explore) => explore::explore(&searcher, id.setting, warm, &mut queries),
            (Search::HillClimb | Search::RefineOnly, Pass::Refine) => {
                refine::refine(&searcher, id.setting, warm, &mut queries)
            }
            (Search::Random(_), Pass::Refine) | (Search::RefineOnly, Pass::Explore) => {
                Err(ScanError::Pass { pass: id.to_string() })
            }
        }
    }

    /// About how many images one pass of hill climbing classifies; it may take a third less or more.
    pub fn expected_queries(&self) -> u64 {
        let split = &self.split;
        let climbed = (split.classes() as usize).min(explore::CLIMBED_LABELS) + 1;
        (explore::CANDIDATES as usize * split.explore().len()
            + EXPECTED_CHANGES * climbed * split.search().len()
            + (split.classes() as usize + 1) * split.holdout().len()) as u64
    }
}

/// Changes that a hill climb takes as a rule, in whole sets of images.
const EXPECTED_CHANGES: usize = 35;
