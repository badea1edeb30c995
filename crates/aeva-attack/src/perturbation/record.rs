//! Results of the searches for perturbations.

use serde::Serialize;

use crate::Label;

/// Perturbations of one ordered pair (source, target).
#[derive(Debug, Clone, PartialEq)]
pub struct PairResult {
    /// Label of the origins.
    pub source: Label,
    /// Label whose boundary was walked.
    pub target: Label,
    /// Image shape `[h, w, c]`.
    pub shape: [usize; 3],
    /// One record per sample, in sample order.
    pub samples: Vec<SampleRecord>,
}

/// The result of one sample of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRecord {
    /// Number of the sample within its pair, from 0.
    pub sample: u32,
    /// Data set index of the origin, an image of the source class.
    pub origin_index: u64,
    /// Data set index of the start, an image of the target class.
    pub start_index: u64,
    /// How the search ended.
    pub outcome: Outcome,
    /// Completed iterations.
    pub iterations: u32,
    /// L2 norm of the perturbation, for images in `[0, 1]`.
    pub distance: f64,
    /// Queries by phase.
    pub queries: QueryCounts,
    /// Boundary point minus origin, signed, shape `[h, w, c]` row-major, for images in `[0, 1]`; `None` if no boundary
    /// point was found.
    pub perturbation: Option<Vec<f32>>,
}

/// How the search of one sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All iterations are done; only these perturbations count.
    Finished,
    /// The query budget of the sample was used up first.
    Budget,
    /// The start image was not of the target class.
    StartRejected,
    /// No step stayed on the target's side, or there was no direction for a step.
    StepUnderflow,
}

/// Queries (images classified) by phase of the search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct QueryCounts {
    /// Checking start images.
    pub start: u64,
    /// Bisecting towards the boundary.
    pub bisection: u64,
    /// Estimating gradients.
    pub gradient: u64,
    /// Finding step sizes.
    pub step: u64,
}

impl QueryCounts {
    /// Sum over all phases, saturating.
    pub fn total(&self) -> u64 {
        [self.bisection, self.gradient, self.step].into_iter().fold(self.start, u64::saturating_add)
    }
}

impl std::ops::AddAssign for QueryCounts {
    fn add_assign(&mut self, other: Self) {
        self.start = self.start.saturating_add(other.start);
        self.bisection = self.bisection.saturating_add(other.bisection);
        self.gradient = self.gradient.saturating_add(other.gradient);
        self.step = self.step.saturating_add(other.step);
    }
}

impl PairResult {
    /// The perturbations that count: those of finished samples, each `[h, w, c]` row-major.
    pub fn finished(&self) -> impl Iterator<Item = &[f32]> {
        self.samples
            .iter()
            .filter(|sample| sample.outcome == Outcome::Finished)
            .filter_map(|sample| sample.perturbation.as_deref())
    }

    /// Queries of all samples.
    pub fn queries(&self) -> QueryCounts {
        let mut sum = QueryCounts::default();
        for sample in &self.samples {
            sum += sample.queries;
        }
        sum
    }
}
