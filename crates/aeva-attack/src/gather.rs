//! From searches that have ended to pairs that are complete.

use std::collections::BTreeMap;

use aeva_artifact::{Outcome, PairArtifact, Provenance, SampleRecord};

use crate::{ScanError, ScanPlan};

type Store<'a> = dyn FnMut(PairArtifact) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// The pairs under way. A pair leaves when its last search has ended, so memory does not grow with the plan.
pub(crate) struct Gather<'a> {
    /// Image shape `[h, w, c]`.
    shape: [usize; 3],
    plan: &'a ScanPlan,
    provenance: &'a Provenance,
    /// Index of the pair -> its records so far, in sample order.
    under_way: BTreeMap<usize, Vec<Option<SampleRecord>>>,
    stored: usize,
    store: &'a mut Store<'a>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(
        shape: [usize; 3],
        plan: &'a ScanPlan,
        provenance: &'a Provenance,
        store: &'a mut Store<'a>,
    ) -> Self {
        Self { shape, plan, provenance, under_way: BTreeMap::new(), stored: 0, store }
    }

    /// Takes in a search of pair `index`, and stores the pair if it was its last one.
    pub(crate) fn add(&mut self, index: usize, record: SampleRecord) -> Result<(), ScanError> {
        let pair = &self.plan.pairs[index];
        if record.outcome != Outcome::Finished {
            let (source, target, sample, outcome) = (pair.source, pair.target, record.sample, record.outcome);
            // Many of them are possible; the report counts and lists them.
            tracing::debug!(source, target, sample, ?outcome, "a search did not finish; it will not count");
        }
        let records = self.under_way.entry(index).or_insert_with(|| vec![None; pair.samples.len()]);
        let place = record.sample as usize;
        records[place] = Some(record);
        if records.iter().any(Option::is_none) {
            return Ok(());
        }
        let samples = self.under_way.remove(&index).into_iter().flatten().flatten().collect();
        let artifact = PairArtifact {
            provenance: self.provenance.clone(),
            source: pair.source,
            target: pair.target,
            shape: self.shape,
            samples,
        };
        (self.store)(artifact).map_err(ScanError::Store)?;
        self.stored += 1;
        Ok(())
    }

    /// Whether every pair of the plan was stored.
    pub(crate) fn is_complete(&self) -> bool {
        self.stored == self.plan.pairs.len()
    }
}
