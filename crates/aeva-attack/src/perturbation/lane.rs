//! A search in progress, with its position in the scan.

use std::collections::BTreeMap;

use super::plan::SamplePlan;
use super::record::{Outcome, SampleRecord};
use crate::{HopSkipJump, JobId, JobNoise, Label};

/// For each search, whether each answer was its target, in order. That is all it takes to continue a search.
pub type Answers = BTreeMap<JobId, Vec<bool>>;

/// A search with its position in the scan.
pub(crate) struct Lane {
    pub(crate) job: JobId,
    /// Index of the pair in the plan.
    pub(crate) pair: usize,
    /// Its images.
    pub(crate) images: SamplePlan,
    pub(crate) search: HopSkipJump<JobNoise>,
    /// Whether each answer so far was the target, in order. These are enough to continue the search.
    pub(crate) answers: Vec<bool>,
}

impl Lane {
    /// Tells the search the answers from before it was stopped; it writes the same rows again.
    pub(crate) fn replay(&mut self, answers: Vec<bool>, values: usize) {
        // A search only distinguishes whether a label is the target.
        let (target, other) = (self.job.target, self.job.target.wrapping_add(1));
        let labels: Vec<Label> = answers.iter().map(|&on_target| if on_target { target } else { other }).collect();
        let mut told = 0;
        // Bounded by the answers; a search that has ended has no pending rows.
        while let Some(rows) = Some(self.search.pending().min(answers.len() - told)).filter(|&rows| rows > 0) {
            let mut batch = vec![0.0_f32; rows * values];
            self.search.write(&mut batch);
            self.search.tell(&batch, &labels[told..told + rows]);
            told += rows;
        }
        self.answers = answers;
        self.answers.truncate(told);
    }

    /// The pair that an ended search belongs to, and what it found.
    pub(crate) fn into_record(self) -> (usize, SampleRecord) {
        let record = SampleRecord {
            sample: self.job.sample,
            origin_index: self.images.origin as u64,
            start_index: self.images.start as u64,
            outcome: self.search.outcome().unwrap_or(Outcome::StepUnderflow),
            iterations: self.search.iterations(),
            distance: self.search.distance(),
            queries: *self.search.queries(),
            perturbation: self.search.perturbation(),
        };
        (self.pair, record)
    }
}
