//! Compares two black boxes on probes as small as those of a search.
//!
//! A device that computes in 16 bits, or in TF32, may agree with f32 on every clean image and still answer at random
//! about probes of some 1e-5 a pixel. The search would then find nothing and call the model clean.

use ndarray::{ArrayView4, Axis};

use crate::oracle::{InputSpec, batch};
use crate::perturbation::PerturbationPlan;
use crate::{HardLabelOracle, HopSkipJump, HopSkipJumpBuilder, HopSkipJumpParams, JobId, JobNoise, Label, ScanError};

/// Boundary points to probe, from searches spread over the plan.
const POINTS: usize = 12;
/// Probes around each point.
const PROBES: usize = 64;
/// Iterations of the searches that find the points: enough that the distance, and so the size of the probes, is that of
/// a scan.
const ITERATIONS: u32 = 6;
const INITIAL_EVALUATIONS: u32 = 24;
/// Rows per batch.
const ROWS: usize = 32;

/// How far two black boxes agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// Probes that both black boxes classified.
    pub probes: u32,
    /// Probes on which they agree.
    pub alike: u32,
    /// Probes that the reference put on the target's side; about half of them at a boundary.
    pub on_target: u32,
    /// Images that the reference classified, including probes.
    pub reference_queries: u64,
    /// Images that the device classified.
    pub device_queries: u64,
}

impl Agreement {
    /// Fraction of the probes on which they agree, from 0 to 1. Guessing gives about 0.5.
    pub fn share(&self) -> f64 {
        f64::from(self.alike) / f64::from(self.probes.max(1))
    }
}

/// Walks to the boundary with `reference`, like the searches of `plan` on `images` `[n, h, w, c]`. Then both black
/// boxes classify the probes of the next gradient estimate: length `distance / d` in a random direction.
///
/// # Errors
/// [`ScanError::Oracle`], [`ScanError::OraclesDiffer`] if they take different images, and [`ScanError::NoBoundary`] if
/// no search of the plan reached a boundary.
pub fn agreement(
    reference: &mut dyn HardLabelOracle,
    device: &mut dyn HardLabelOracle,
    images: ArrayView4<'_, f32>,
    plan: &PerturbationPlan,
    seed: u64,
) -> Result<Agreement, ScanError> {
    let spec = *reference.spec();
    if spec != *device.spec() {
        return Err(ScanError::OraclesDiffer);
    }
    let builder = HopSkipJumpBuilder {
        iterations: ITERATIONS,
        initial_evaluations: INITIAL_EVALUATIONS,
        ..HopSkipJumpBuilder::PUBLISHED
    };
    let params = builder.check()?;
    let mut result = Agreement { probes: 0, alike: 0, on_target: 0, reference_queries: 0, device_queries: 0 };
    let mut probes = vec![0.0_f32; PROBES * spec.values()];
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    for (job, search) in searches(images, plan, params, seed)? {
        let search = walk(reference, search, &mut result.reference_queries)?;
        if search.perturbation().is_none() {
            continue;
        }
        search.write_probes(&mut probes);
        ask(reference, &spec, &probes, &mut expected)?;
        ask(device, &spec, &probes, &mut found)?;
        result.reference_queries += PROBES as u64;
        result.device_queries += PROBES as u64;
        for (&expected, &found) in expected.iter().zip(&found) {
            let (expected, found) = (expected == job.target, found == job.target);
            result.probes += 1;
            result.alike += u32::from(expected == found);
            result.on_target += u32::from(expected);
        }
    }
    if result.probes == 0 {
        return Err(ScanError::NoBoundary);
    }
    Ok(result)
}

/// Up to [`POINTS`] searches: the first samples of pairs spread over the plan.
fn searches(
    images: ArrayView4<'_, f32>,
    plan: &PerturbationPlan,
    params: HopSkipJumpParams,
    seed: u64,
) -> Result<Vec<(JobId, HopSkipJump<JobNoise>)>, ScanError> {
    let mut searches = Vec::with_capacity(POINTS);
    let step = plan.pairs.len().div_ceil(POINTS).max(1);
    for pair in plan.pairs.iter().step_by(step) {
        let Some(sample) = pair.samples.first() else { continue };
        let job = JobId { source: pair.source, target: pair.target, sample: 0 };
        let values = |index: usize| {
            let image = (index < images.len_of(Axis(0))).then(|| images.index_axis_move(Axis(0), index));
            let missing = ScanError::NoSuchImage { index, images: images.len_of(Axis(0)) };
            image.map(|image| image.iter().copied().collect::<Vec<f32>>()).ok_or(missing)
        };
        let (origin, start) = (values(sample.origin)?, values(sample.start)?);
        let search =
            HopSkipJump::new(params, JobNoise::new(seed, job), job.target, &origin, &start).map_err(|source| {
                ScanError::Search { source_label: job.source, target: job.target, sample: job.sample, source }
            })?;
        searches.push((job, search));
    }
    Ok(searches)
}

/// Runs one search to its end.
fn walk(
    oracle: &mut dyn HardLabelOracle,
    mut search: HopSkipJump<JobNoise>,
    queries: &mut u64,
) -> Result<HopSkipJump<JobNoise>, ScanError> {
    let spec = *oracle.spec();
    let mut labels = Vec::new();
    // Bounded: every iteration tells the search at least one label, and a search takes a bounded number of them.
    while search.outcome().is_none() {
        let mut rows = vec![0.0_f32; search.pending().min(ROWS) * spec.values()];
        search.write(&mut rows);
        ask(oracle, &spec, &rows, &mut labels)?;
        *queries += labels.len() as u64;
        search.tell(&rows, &labels);
    }
    Ok(search)
}

fn ask(
    oracle: &mut dyn HardLabelOracle,
    spec: &InputSpec,
    rows: &[f32],
    labels: &mut Vec<Label>,
) -> Result<(), ScanError> {
    let count = rows.len() / spec.values();
    oracle.classify(batch(spec, rows)?, labels)?;
    if labels.len() == count { Ok(()) } else { Err(ScanError::Answer { expected: count, found: labels.len() }) }
}
