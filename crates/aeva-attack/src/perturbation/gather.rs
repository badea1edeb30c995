//! Gathers ended searches into complete pairs.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::{Answers, Lane};
use super::plan::PerturbationPlan;
use super::record::{Outcome, PairResult, SampleRecord};
use crate::{JobId, Label, ScanError};

/// Receives the result of each pair.
pub type Store<'a> = dyn FnMut(PairResult) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// The pairs in progress. A pair leaves when its last search has ended, so memory does not grow with the plan.
pub(crate) struct Gather<'a> {
    /// Image shape `[h, w, c]`.
    shape: [usize; 3],
    plan: &'a PerturbationPlan,
    /// Index of the pair -> its records so far, in sample order.
    under_way: BTreeMap<usize, Vec<Option<SampleRecord>>>,
    /// Answers to the searches of pairs in progress. They are all that is kept of these pairs when the scan is stopped.
    answers: Answers,
    stored: BTreeSet<(Label, Label)>,
    store: &'a mut Store<'a>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(shape: [usize; 3], plan: &'a PerturbationPlan, store: &'a mut Store<'a>) -> Self {
        Self { shape, plan, under_way: BTreeMap::new(), answers: Answers::new(), stored: BTreeSet::new(), store }
    }

    /// Adds a search, and stores its pair if it was the last one. A search that was stopped leaves its answers.
    pub(crate) fn add(&mut self, mut lane: Lane) -> Result<(), ScanError> {
        self.answers.insert(lane.job, std::mem::take(&mut lane.answers));
        if lane.search.outcome().is_none() {
            return Ok(());
        }
        let (index, record) = lane.into_record();
        let pair = &self.plan.pairs[index];
        if record.outcome != Outcome::Finished {
            let (source, target, sample, outcome) = (pair.source, pair.target, record.sample, record.outcome);
            // There can be many of these, so they are only logged at debug level; the report counts and lists them.
            tracing::debug!(source, target, sample, ?outcome, "a search did not finish and will not count");
        }
        let records = self.under_way.entry(index).or_insert_with(|| vec![None; pair.samples.len()]);
        let place = record.sample as usize;
        records[place] = Some(record);
        if records.iter().any(Option::is_none) {
            return Ok(());
        }
        let samples: Vec<SampleRecord> = self.under_way.remove(&index).into_iter().flatten().flatten().collect();
        for record in &samples {
            self.answers.remove(&JobId { source: pair.source, target: pair.target, sample: record.sample });
        }
        let result = PairResult { source: pair.source, target: pair.target, shape: self.shape, samples };
        (self.store)(result).map_err(ScanError::Store)?;
        self.stored.insert((pair.source, pair.target));
        Ok(())
    }

    /// Answers to the searches of pairs that were not stored, including those of an earlier attempt (`known`).
    pub(crate) fn into_answers(self, known: Answers) -> Answers {
        let Self { mut answers, stored, .. } = self;
        for (job, earlier) in known {
            if !stored.contains(&(job.source, job.target)) {
                answers.entry(job).or_insert(earlier);
            }
        }
        answers
    }

    /// Whether every pair of the plan was stored.
    pub(crate) fn is_complete(&self) -> bool {
        self.stored.len() == self.plan.pairs.len()
    }
}
