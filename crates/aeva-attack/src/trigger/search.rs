//! The trigger search of one model, pass by pass.

use std::num::NonZeroUsize;

use aeva_stats::{About, Search};
use ndarray::ArrayView4;

use super::explore::Scope;
use super::query::Queries;
use super::searcher::Searcher;
use super::{ImageSplit, Pass, PassId, PassResult, WarmStart, explore, random_triggers, refine};
use crate::{HardLabelOracle, Label, ScanError, ScanObserver};

/// Version of the search. It increases when the same seed and images would give different triggers.
pub const TRIGGER_SEARCH_VERSION: u32 = 9;

/// Version of the queries of a pass. It increases when the same search would ask others, or in another order, so that answers to
/// an unfinished pass are not taken for those to other queries.
pub const TRIGGER_QUERIES_VERSION: u32 = 10;

/// The trigger search of one model.
#[derive(Debug, Clone)]
pub struct TriggerSearch {
    split: ImageSplit,
    seed: u64,
    batch_rows: NonZeroUsize,
}

impl TriggerSearch {
    /// Creates a search on the images of `split`. All random choices derive from `seed`. `batch_rows` images share a
    /// batch; this changes the speed, not the result.
    pub fn new(split: ImageSplit, seed: u64, batch_rows: NonZeroUsize) -> Self {
        Self { split, seed, batch_rows }
    }

    /// The images that it searches and measures on.
    pub fn split(&self) -> &ImageSplit {
        &self.split
    }

    /// Runs one pass over `images` `[n, h, w, c]` (standard layout, values in `[0, 1]`).
    ///
    /// `answers` holds the answers of an earlier attempt at the same pass, and receives the new ones. A pass that
    /// failed or was stopped continues from there.
    ///
    /// # Errors
    /// [`ScanError::Stopped`] if the observer asked to stop, [`ScanError::Pass`] for a pass that the setting does not
    /// have. Other errors if the model fails or does not fit the images.
    pub fn run(
        &self,
        id: PassId,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        warm: &WarmStart<'_>,
        answers: &mut Vec<Label>,
        observer: &dyn ScanObserver,
    ) -> Result<PassResult, ScanError> {
        let mut queries =
            Queries::new(oracles, &images, self.split.images(), self.batch_rows.get(), answers, observer)?;
        let searcher = Searcher { split: &self.split, seed: self.seed };
        match (id.setting.search(), id.pass) {
            (Search::Random(sample), Pass::Explore) => {
                random_triggers::measure(&searcher, id.setting, sample, &mut queries)
            }
            (search @ (Search::HillClimb | Search::ClimbLabels { .. }), Pass::Explore) => {
                explore::explore(&searcher, id.setting, Scope::of(search), warm, &mut queries)
            }
            (Search::HillClimb | Search::ClimbLabels { .. } | Search::RefineOnly, Pass::Refine) => {
                refine::refine(&searcher, id.setting, warm, &mut queries)
            }
            (Search::Random(_), Pass::Refine) | (Search::RefineOnly, Pass::Explore) => {
                Err(ScanError::Pass { pass: id.to_string() })
            }
        }
    }

    /// Approximate number of images classified by a pass; the actual number may differ by a third or more.
    pub fn expected_queries(&self, id: PassId) -> u64 {
        let (split, classes) = (&self.split, self.split.classes() as usize);
        let (tried, search, holdout) = (split.explore().len(), split.search().len(), split.holdout().len());
        let climbed = classes.min(explore::CLIMBED_LABELS);
        let queries = match (id.setting.search(), id.pass) {
            (Search::Random(sample), _) => match sample.about {
                About::Labels => {
                    sample.count as usize * tried + random_triggers::MEASURED_LABELS.min(classes) * holdout
                }
                About::Pairs(pairs) => {
                    sample.count as usize * split.baseline().len() + pairs * (holdout / classes.max(1))
                }
            },
            (_, Pass::Refine) => REFINED * search,
            (searched, Pass::Explore) => {
                let candidates = Scope::of(searched).candidates as usize;
                let climbs = FIRST_LEG * climbed * tried + LATER * search;
                // Dots are climbed from only where they show something.
                let labels = candidates * tried + if id.setting.family.spec().is_absolute { 0 } else { climbs };
                labels + if searched == Search::HillClimb { PAIRS * search } else { 0 }
            }
        };
        queries as u64
    }
}

/// Changes in the first leg of a climb.
const FIRST_LEG: usize = 8;
/// What the later legs of all labels take with the measurement, in complete sets of search images.
const LATER: usize = 85;
/// What pairs of labels take, likewise.
const PAIRS: usize = 50;
/// What a refining pass takes, likewise.
const REFINED: usize = 330;
