//! The expected cost of a scan: queries, time and memory.

use aeva_attack::trigger::{Setting, TriggerSearch};
use serde::Serialize;

/// The expected cost of a scan, at least (unless it stops early) and at most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Exploring passes over triggers.
    pub exploring_passes: usize,
    /// Refining passes over triggers, at most.
    pub refining_passes: usize,
    /// Searches for perturbations, if triggers leave the verdict open.
    pub perturbation_searches: usize,
    /// Queries, at least and at most.
    pub queries: (u64, u64),
    /// Seconds, at least and at most, at the measured rate.
    pub seconds: (f64, f64),
    /// The rate measured on the clean images.
    pub queries_per_second: f64,
    /// Images, batches and triggers, without the memory that ONNX Runtime uses for the model.
    pub memory_bytes: u64,
}

/// Candidates kept in memory while a setting is explored.
const CANDIDATES: usize = 300;
/// Triggers that a pass keeps in addition to one for each label: pairs and the all-to-all map.
const OTHER_FINDINGS: usize = 29;

impl Estimate {
    /// The cost of trigger passes over images `[h, w, c]`, if there are any, and of (searches, queries) for
    /// perturbations.
    pub(crate) fn new(
        shape: [usize; 3],
        triggers: Option<&TriggerSearch>,
        exhaustive: bool,
        (perturbation_searches, perturbations): (usize, u64),
        perturbations_alone: bool,
    ) -> Self {
        let explored = Setting::explored(shape);
        let searched = explored.iter().filter(|setting| !setting.is_random()).count();
        let (mut exploring_passes, mut refining_passes, mut of_triggers) = (0, 0, (0, 0));
        if let Some(search) = triggers {
            // A refining pass takes about as long as an exploring one.
            (exploring_passes, refining_passes) = (explored.len(), Setting::refined(shape).len());
            let pass = search.expected_queries();
            of_triggers = (searched as u64 * pass, (searched + refining_passes) as u64 * pass);
        }
        let least = match (perturbations_alone, exhaustive) {
            (true, _) => perturbations,
            (false, true) => of_triggers.1,
            (false, false) => of_triggers.0,
        };
        Self {
            exploring_passes,
            refining_passes,
            perturbation_searches,
            queries: (least, of_triggers.1 + perturbations),
            seconds: (0.0, 0.0),
            queries_per_second: 0.0,
            memory_bytes: 0,
        }
    }

    pub(crate) fn with_clean_run(self, clean_queries: u64, queries_per_second: f64) -> Self {
        let queries = (self.queries.0 + clean_queries, self.queries.1 + clean_queries);
        let seconds = |queries: u64| queries as f64 / queries_per_second.max(1e-9);
        Self { queries, seconds: (seconds(queries.0), seconds(queries.1)), queries_per_second, ..self }
    }

    /// Adds the memory for `images` images of shape `[h, w, c]`. Values are f32; the triggers of all passes are kept.
    pub(crate) fn with_memory(self, shape: [usize; 3], images: usize, triggers: Option<&TriggerSearch>) -> Self {
        let candidates = if triggers.is_some() { CANDIDATES } else { 0 };
        let passes = self.exploring_passes + self.refining_passes;
        let kept = triggers.map_or(0, |search| passes * (search.split().classes() as usize + OTHER_FINDINGS));
        let values: usize = shape.iter().product();
        Self { memory_bytes: 4 * (values as u64) * (images + candidates + kept) as u64, ..self }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use aeva_attack::CorrectImages;
    use aeva_attack::trigger::ImageSplit;
    use std::num::NonZeroUsize;

    fn estimate(triggers: bool, exhaustive: bool, perturbations: (usize, u64)) -> Estimate {
        let labels: Vec<u32> = (0..1000).map(|index| index % 10).collect();
        let split = ImageSplit::new(&CorrectImages::new(&labels, &labels, 10).unwrap());
        let search = TriggerSearch::new(split, 0, NonZeroUsize::MIN);
        let search = triggers.then_some(&search);
        Estimate::new([32, 32, 3], search, exhaustive, perturbations, !triggers)
            .with_clean_run(1000, 1000.0)
            .with_memory([32, 32, 3], 1064, search)
    }

    #[test]
    fn an_estimate_covers_what_is_asked_for() {
        let plain = estimate(true, false, (180, 700_000));
        let alone = estimate(true, false, (0, 0));
        let all = estimate(true, true, (180, 700_000));
        let perturbations = estimate(false, false, (180, 700_000));
        assert_eq!((plain.exploring_passes, plain.refining_passes), (13, 9));
        assert_eq!(plain.queries.1 - alone.queries.1, 700_000);
        assert!(all.queries.0 > plain.queries.0 && all.queries.1 == plain.queries.1);
        assert_eq!((perturbations.exploring_passes, perturbations.queries), (0, (701_000, 701_000)));
        assert!((perturbations.seconds.0 - 701.0).abs() < 1e-9);
        assert!(plain.memory_bytes > perturbations.memory_bytes);
    }
}
