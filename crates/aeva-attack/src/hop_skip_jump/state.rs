//! The phases of a search: check the start, bisect, then estimate, step and bisect for each iteration.

use crate::perturbation::{Outcome, QueryCounts};

use super::bisect::Bisection;
use super::gradient::GradientEstimate;
use super::params::HopSkipJumpParams;
use super::step::StepSearch;
use super::{Element, distance};
use crate::{Label, NoiseSource, SearchError};

/// Length of the probes of the first iteration, when the distance to the boundary is not yet known.
const FIRST_DELTA: f64 = 0.1;

/// One targeted HopSkipJump search from a start image of the target class towards an origin, without I/O.
///
/// Ask [`pending`](Self::pending) how many rows it can use, let it [`write`](Self::write) at most that many, classify
/// them, and [`tell`](Self::tell) it the labels. Repeat until there is an [`outcome`](Self::outcome). The result does
/// not depend on how the rows are split over calls.
///
/// The state is f64 throughout. Rows are rounded to the value type of the model, and the gradient uses the rounded
/// directions that the model saw.
#[derive(Debug, Clone)]
pub struct HopSkipJump<N> {
    params: HopSkipJumpParams,
    noise: N,
    target: Label,
    theta: f64,
    origin: Vec<f64>,
    /// Current point `z`: the start at first, then always a point on the target's side of the boundary.
    point: Vec<f64>,
    /// `||z - x||_2`.
    distance: f64,
    /// Completed iterations.
    iterations: u32,
    phase: Phase,
    queries: QueryCounts,
    trace: Option<IterationTrace>,
    /// Figures of the current iteration.
    current: IterationTrace,
}

/// What happened in the latest complete iteration.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IterationTrace {
    /// Evaluations of the gradient estimate.
    pub evaluations: u32,
    /// Length of the probes, L2.
    pub delta: f64,
    /// Size of the accepted step, L2.
    pub step: f64,
    /// Halvings before the step was accepted.
    pub halvings: u32,
}

#[derive(Debug, Clone)]
enum Phase {
    CheckStart,
    Bisect(Bisection),
    Estimate(GradientEstimate),
    Step(StepSearch),
    Done(Outcome),
}

impl<N: NoiseSource> HopSkipJump<N> {
    /// Creates a search for `target` from `start` towards `origin`, both `[h, w, c]` row-major with values in `[0, 1]`.
    ///
    /// # Errors
    /// [`SearchError::Shape`] or [`SearchError::Range`] if the images do not fit.
    pub fn new(
        params: HopSkipJumpParams,
        noise: N,
        target: Label,
        origin: &[impl Element],
        start: &[impl Element],
    ) -> Result<Self, SearchError> {
        if origin.is_empty() || origin.len() != start.len() {
            return Err(SearchError::Shape { origin: origin.len(), start: start.len() });
        }
        let origin = checked("origin", origin)?;
        let point = checked("start", start)?;
        Ok(Self {
            theta: params.theta(origin.len()),
            distance: distance(&point, &origin),
            params,
            noise,
            target,
            origin,
            point,
            iterations: 0,
            phase: Phase::CheckStart,
            queries: QueryCounts::default(),
            trace: None,
            current: IterationTrace::default(),
        })
    }

    /// Rows that the search can use now; 0 only if it is done.
    pub fn pending(&self) -> usize {
        let wanted = match &self.phase {
            Phase::CheckStart | Phase::Bisect(_) | Phase::Step(_) => 1,
            Phase::Estimate(estimate) => u64::from(estimate.remaining()),
            Phase::Done(_) => 0,
        };
        usize::try_from(wanted.min(self.budget_left())).unwrap_or(usize::MAX)
    }

    /// Writes the next `rows.len() / d` rows `[d]`, values in `[0, 1]`; at most [`pending`](Self::pending).
    pub fn write<E: Element>(&self, rows: &mut [E]) {
        self.write_after(0, rows);
    }

    /// Writes the rows after the next `skip` ones, so that several threads can write one batch.
    pub(crate) fn write_after<E: Element>(&self, skip: usize, rows: &mut [E]) {
        let (values, count) = (self.origin.len(), rows.len() / self.origin.len());
        debug_assert!(skip + count <= self.pending() && rows.len().is_multiple_of(values));
        match &self.phase {
            Phase::CheckStart => {
                for (value, &z) in rows.iter_mut().zip(&self.point) {
                    *value = E::from_f64(z);
                }
            }
            Phase::Bisect(bisection) => bisection.write(&self.origin, rows),
            Phase::Estimate(estimate) => estimate.write(&self.point, &self.noise, skip, rows),
            Phase::Step(step) => step.write(&self.point, rows),
            Phase::Done(_) => {}
        }
    }

    /// Writes probes around the current point, like those of an estimate at this distance; for checks outside a search.
    pub(crate) fn write_probes<E: Element>(&self, rows: &mut [E]) {
        let values = self.origin.len();
        let count = u32::try_from(rows.len() / values).unwrap_or(u32::MAX);
        let delta = (values as f64).sqrt() * self.theta * self.distance;
        // Iterations count from 1, so these draws belong to none of them.
        GradientEstimate::new(0, count, delta, values).write(&self.point, &self.noise, 0, rows);
    }

    /// Takes the labels of the rows that were last written, and those rows, unchanged.
    pub fn tell<E: Element>(&mut self, rows: &[E], labels: &[Label]) {
        debug_assert_eq!(rows.len(), labels.len() * self.origin.len());
        for (row, &label) in rows.chunks_exact(self.origin.len()).zip(labels) {
            self.tell_one(row, label == self.target);
        }
        if self.budget_left() == 0 && !matches!(self.phase, Phase::Done(_)) {
            self.phase = Phase::Done(Outcome::Budget);
        }
    }

    /// How the search ended; `None` while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.phase {
            Phase::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The current point `z` `[d]`, on the target's side of the boundary once the start has been accepted.
    pub fn point(&self) -> &[f64] {
        &self.point
    }

    /// The origin `x` `[d]`.
    pub fn origin(&self) -> &[f64] {
        &self.origin
    }

    /// `||z - x||_2`, images in `[0, 1]`.
    pub fn distance(&self) -> f64 {
        self.distance
    }

    /// The perturbation `v = z - x` `[d]`, rounded to f32; `None` until the boundary has been reached.
    pub fn perturbation(&self) -> Option<Vec<f32>> {
        // The first iteration is set up at the end of the first bisection.
        let reached = self.current.evaluations > 0;
        reached.then(|| self.point.iter().zip(&self.origin).map(|(z, x)| f32::from_f64(z - x)).collect())
    }

    /// Completed iterations.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Figures of the latest complete iteration.
    pub fn trace(&self) -> Option<&IterationTrace> {
        self.trace.as_ref()
    }

    /// Queries so far, by phase.
    pub fn queries(&self) -> &QueryCounts {
        &self.queries
    }

    fn budget_left(&self) -> u64 {
        self.params.get().query_budget.map_or(u64::MAX, |budget| budget.saturating_sub(self.queries.total()))
    }

    fn tell_one<E: Element>(&mut self, row: &[E], adversarial: bool) {
        // The phase is taken out so that its parts can be moved into the next one.
        self.phase = match std::mem::replace(&mut self.phase, Phase::CheckStart) {
            Phase::CheckStart => {
                self.queries.start += 1;
                if adversarial {
                    Phase::Bisect(Bisection::new(self.point.clone(), &self.origin, self.theta))
                } else {
                    Phase::Done(Outcome::StartRejected)
                }
            }
            Phase::Bisect(mut bisection) => {
                self.queries.bisection += 1;
                bisection.tell(adversarial);
                Phase::Bisect(bisection)
            }
            Phase::Estimate(mut estimate) => {
                self.queries.gradient += 1;
                estimate.tell(&self.point, row, adversarial);
                if estimate.remaining() == 0 { self.begin_step(estimate) } else { Phase::Estimate(estimate) }
            }
            Phase::Step(step) => {
                self.queries.step += 1;
                self.after_step(step, adversarial)
            }
            done @ Phase::Done(_) => done,
        };
        // If theta is 1 or more, a new bisection is done before its first query.
        if let Phase::Bisect(bisection) = &self.phase
            && bisection.is_done()
        {
            self.end_bisection();
        }
    }

    fn begin_step(&self, estimate: GradientEstimate) -> Phase {
        match estimate.into_direction() {
            Some(direction) => {
                let maximum = self.params.get().maximum_halvings;
                Phase::Step(StepSearch::new(direction, self.distance, self.iterations + 1, maximum))
            }
            None => Phase::Done(Outcome::StepUnderflow),
        }
    }

    fn after_step(&mut self, mut step: StepSearch, adversarial: bool) -> Phase {
        if adversarial {
            self.current.step = step.size;
            self.current.halvings = step.halvings;
            let far = step.into_point(&self.point);
            Phase::Bisect(Bisection::new(far, &self.origin, self.theta))
        } else if step.halve() {
            Phase::Step(step)
        } else {
            Phase::Done(Outcome::StepUnderflow)
        }
    }

    fn end_bisection(&mut self) {
        let Phase::Bisect(bisection) = std::mem::replace(&mut self.phase, Phase::CheckStart) else {
            return;
        };
        let post = bisection.far_distance;
        self.point = bisection.into_point(&self.origin);
        self.distance = distance(&self.point, &self.origin);
        // The first bisection belongs to no iteration; `evaluations` is set once an iteration has begun.
        if self.current.evaluations > 0 {
            self.iterations += 1;
            self.trace = Some(self.current);
        }
        self.phase = if self.iterations >= self.params.get().iterations {
            Phase::Done(Outcome::Finished)
        } else {
            let iteration = self.iterations + 1;
            let evaluations = self.params.evaluations(iteration);
            // sqrt(d) * theta * post
            let delta =
                if iteration == 1 { FIRST_DELTA } else { (self.origin.len() as f64).sqrt() * self.theta * post };
            self.current = IterationTrace { evaluations, delta, ..IterationTrace::default() };
            if delta > 0.0 {
                Phase::Estimate(GradientEstimate::new(iteration, evaluations, delta, self.origin.len()))
            } else {
                // The step landed on the origin itself, so there is no scale for the probes.
                Phase::Done(Outcome::StepUnderflow)
            }
        };
    }
}

fn checked<E: Element>(image: &'static str, values: &[E]) -> Result<Vec<f64>, SearchError> {
    let values: Vec<f64> = values.iter().map(|&value| value.into()).collect();
    match values.iter().position(|value| !(0.0..=1.0).contains(value)) {
        None => Ok(values),
        Some(index) => Err(SearchError::Range { image, index, found: f32::from_f64(values[index]) }),
    }
}
