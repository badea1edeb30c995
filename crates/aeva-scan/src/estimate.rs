//! The expected cost of a scan: queries, time and memory.

use serde::Serialize;

use crate::lens::{Cost, Work};

/// The expected cost of a scan, at least (unless it stops early) and at most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The work of each lens.
    #[serde(flatten)]
    pub work: Work,
    /// Queries, at least and at most.
    pub queries: (u64, u64),
    /// Seconds, at least and at most, at the measured rate.
    pub seconds: (f64, f64),
    /// The rate measured on the clean images.
    pub queries_per_second: f64,
    /// Images, batches and triggers, without the memory that ONNX Runtime uses for the model.
    pub memory_bytes: u64,
    /// What scans of each effort take and find; empty if triggers are not searched.
    pub efforts: Vec<EffortEstimate>,
}

/// What a scan of one effort takes and finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EffortEstimate {
    /// Its name on the command line.
    pub effort: &'static str,
    /// Queries for triggers and on the clean images, at least (unless it stops early) and at most.
    pub queries: (u64, u64),
    /// How often it was right in the evaluation.
    pub power: String,
}

/// What a scan needs beside its lenses.
pub(crate) struct Basis {
    /// Queries on the clean images.
    pub(crate) clean_queries: u64,
    pub(crate) queries_per_second: f64,
    /// Images in memory.
    pub(crate) images: usize,
    /// Values of an image, f32 each.
    pub(crate) values: usize,
}

impl Estimate {
    /// The cost of a scan through lenses with these costs.
    pub(crate) fn new(work: Work, costs: &[Cost], basis: &Basis) -> Self {
        let sum = |of: fn(&Cost) -> u64| costs.iter().map(of).fold(basis.clean_queries, u64::saturating_add);
        let queries = [sum(|cost| cost.queries.0), sum(|cost| cost.queries.1)];
        let seconds = queries.map(|queries| queries as f64 / basis.queries_per_second.max(1e-9));
        let images = basis.images + costs.iter().map(|cost| cost.images).sum::<usize>();
        Self {
            work,
            queries: queries.into(),
            seconds: seconds.into(),
            queries_per_second: basis.queries_per_second,
            memory_bytes: 4 * (basis.values as u64) * images as u64,
            efforts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_covers_all_lenses() {
        let basis = Basis { clean_queries: 1000, queries_per_second: 1000.0, images: 10, values: 100 };
        let cost = |least, most, images| Cost { queries: (least, most), images };
        let estimate = |costs: &[Cost]| Estimate::new(Work::default(), costs, &basis);
        let both = estimate(&[cost(2000, 5000, 7), cost(700_000, 700_000, 0)]);
        assert_eq!((both.queries, both.memory_bytes), ((703_000, 706_000), 4 * 100 * 17));
        assert!((both.seconds.0 - 703.0).abs() < 1e-9 && (both.seconds.1 - 706.0).abs() < 1e-9);
        assert_eq!(estimate(&[cost(700_000, 700_000, 0)]).queries, (701_000, 701_000));
        assert_eq!(estimate(&[]).queries, (1000, 1000));
        assert_eq!(estimate(&[cost(1, u64::MAX, 0), cost(2, 2, 0)]).queries, (1003, u64::MAX));
    }
}
