//! A scan: the searches of a plan over one oracle per worker, gathered into one artifact per pair.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aeva_artifact::{Outcome, PairArtifact, Provenance, SampleRecord};
use ndarray::ArrayView4;

use crate::lockstep::{Lane, Lockstep};
use crate::{
    HardLabelOracle, HopSkipJump, HopSkipJumpParams, JobId, JobNoise, Progress, ScanError, ScanObserver, ScanPlan,
};

/// How a scan runs.
#[derive(Debug, Clone)]
pub struct ScanSettings {
    /// Parameters of every search.
    pub params: HopSkipJumpParams,
    /// What the artifacts say they come from; its seed is the seed of the noise.
    pub provenance: Provenance,
    /// Images per batch, at least 1. Changes the speed, not the result.
    pub batch_rows: usize,
    /// Threads; more than there are oracles help them to fill their batches. Changes the speed, not the result.
    pub threads: usize,
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    /// Every pair of the plan was handed out.
    Complete,
    /// The observer asked to stop; pairs that were not finished are lost.
    Stopped,
}

/// Runs the searches of `plan` on `images` `[n, h, w, c]` (standard layout, values in `[0, 1]`), each oracle on a thread of its
/// own, and hands every pair to `store` as soon as all its samples have ended.
///
/// The artifacts depend on the provenance and the plan's samples alone; the order in which they are stored does not
/// matter and is not fixed.
///
/// # Errors
/// [`ScanError`]; the first one ends the scan. A search that fails is no error but an [`Outcome`] in its record.
pub fn scan(
    oracles: &mut [Box<dyn HardLabelOracle>],
    images: ArrayView4<'_, f32>,
    plan: &ScanPlan,
    settings: &ScanSettings,
    observer: &dyn ScanObserver,
    store: &mut (dyn FnMut(PairArtifact) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send),
) -> Result<ScanEnd, ScanError> {
    check_setup(oracles, &images)?;
    let spec = *oracles[0].spec();
    let values = spec.values();
    let pixels =
        images.as_slice().ok_or_else(|| ScanError::Setup("the images are not in standard layout".to_owned()))?;
    let image = |index: usize| {
        pixels.get(index * values..(index + 1) * values).ok_or_else(|| {
            ScanError::Setup(format!("the plan names image {index}, but there are {}", pixels.len() / values))
        })
    };
    let jobs: Vec<(usize, usize)> = plan
        .pairs
        .iter()
        .enumerate()
        .flat_map(|(pair, plan)| (0..plan.samples.len()).map(move |sample| (pair, sample)))
        .collect();

    let parallel = settings.threads > oracles.len();
    let shared = Shared::new(spec.shape(), plan, settings, observer, store);
    let next = || -> Result<Option<Lane>, ScanError> {
        let Some(&(pair, sample)) = jobs.get(shared.next_job.fetch_add(1, Ordering::Relaxed)) else {
            return Ok(None);
        };
        let (plan, images) = (&plan.pairs[pair], plan.pairs[pair].samples[sample]);
        // Sample counts come from a u32.
        let job = JobId { source: plan.source, target: plan.target, sample: u32::try_from(sample).unwrap_or(u32::MAX) };
        let noise = JobNoise::new(settings.provenance.seed, job);
        let search =
            HopSkipJump::new(settings.params, noise, job.target, image(images.origin)?, image(images.start)?).map_err(
                |source| ScanError::Search { source_label: job.source, target: job.target, sample: job.sample, source },
            )?;
        Ok(Some(Lane { job, pair, search }))
    };

    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.threads.max(oracles.len()))
        .thread_name(|index| format!("aeva-{index}"))
        .build()
        .map_err(ScanError::Threads)?;
    pool.scope(|scope| {
        for oracle in oracles.iter_mut() {
            let (shared, next) = (&shared, &next);
            scope.spawn(move |_| {
                let mut lockstep = Lockstep {
                    oracle: oracle.as_mut(),
                    observer: shared,
                    batch_rows: settings.batch_rows.max(1),
                    lanes: lanes_for(settings.batch_rows),
                    parallel,
                };
                if let Err(error) = lockstep.run(next, |lane| shared.finish(lane)) {
                    shared.fail(error);
                }
            });
        }
    });
    shared.end()
}

/// Searches under way per oracle. Between two estimates (100 rows and more) a search takes some 20 single rows, so about one
/// in four lanes of a batch keeps it full; eight is enough for the smallest ones.
fn lanes_for(batch_rows: usize) -> usize {
    (batch_rows / 4).max(8)
}

fn check_setup(oracles: &[Box<dyn HardLabelOracle>], images: &ArrayView4<'_, f32>) -> Result<(), ScanError> {
    let Some(first) = oracles.first() else {
        return Err(ScanError::Setup("a scan needs at least one oracle".to_owned()));
    };
    if oracles.iter().any(|oracle| oracle.spec() != first.spec()) {
        return Err(ScanError::Setup("the oracles of a scan must take the same images".to_owned()));
    }
    let (_, height, width, channels) = images.dim();
    let expected = first.spec().shape();
    if [height, width, channels] != expected {
        return Err(ScanError::Setup(format!(
            "the model takes images of shape {expected:?} [h, w, c], the data has {:?}",
            [height, width, channels]
        )));
    }
    Ok(())
}

type Store<'a> = dyn FnMut(PairArtifact) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + 'a;

/// What the workers share: the queue, the pairs under way, the first error.
struct Shared<'a> {
    /// Image shape `[h, w, c]`.
    shape: [usize; 3],
    plan: &'a ScanPlan,
    settings: &'a ScanSettings,
    observer: &'a dyn ScanObserver,
    next_job: AtomicUsize,
    stopped: AtomicBool,
    gathered: Mutex<Gathered<'a>>,
}

struct Gathered<'a> {
    /// `[pair]` -> records so far, in sample order; taken out when the pair is stored.
    records: Vec<Vec<Option<SampleRecord>>>,
    stored: usize,
    store: &'a mut Store<'a>,
    error: Option<ScanError>,
}

impl<'a> Shared<'a> {
    fn new(
        shape: [usize; 3],
        plan: &'a ScanPlan,
        settings: &'a ScanSettings,
        observer: &'a dyn ScanObserver,
        store: &'a mut Store<'a>,
    ) -> Self {
        let records = plan.pairs.iter().map(|pair| vec![None; pair.samples.len()]).collect();
        Self {
            shape,
            plan,
            settings,
            observer,
            next_job: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            gathered: Mutex::new(Gathered { records, stored: 0, store, error: None }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered<'a>> {
        // A panic elsewhere must not hide what was gathered; the scope passes the panic on.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, lane: Lane) -> Result<(), ScanError> {
        let pair = &self.plan.pairs[lane.pair];
        let images = pair.samples[lane.job.sample as usize];
        let outcome = lane.search.outcome().unwrap_or(Outcome::StepUnderflow);
        if outcome != Outcome::Finished {
            let JobId { source, target, sample } = lane.job;
            tracing::warn!(source, target, sample, ?outcome, "a search did not finish; it will not count");
        }
        let record = SampleRecord {
            sample: lane.job.sample,
            origin_index: images.origin as u64,
            start_index: images.start as u64,
            outcome,
            iterations: lane.search.iterations(),
            distance: lane.search.distance(),
            queries: *lane.search.queries(),
            perturbation: lane.search.perturbation(),
        };
        let mut gathered = self.lock();
        gathered.records[lane.pair][lane.job.sample as usize] = Some(record);
        if gathered.records[lane.pair].iter().any(Option::is_none) {
            return Ok(());
        }
        let samples = std::mem::take(&mut gathered.records[lane.pair]).into_iter().flatten().collect();
        let artifact = PairArtifact {
            provenance: self.settings.provenance.clone(),
            source: pair.source,
            target: pair.target,
            shape: self.shape,
            samples,
        };
        (gathered.store)(artifact).map_err(ScanError::Store)?;
        gathered.stored += 1;
        Ok(())
    }

    fn fail(&self, error: ScanError) {
        self.lock().error.get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn end(self) -> Result<ScanEnd, ScanError> {
        let pairs = self.plan.pairs.len();
        let gathered = self.gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
        match gathered.error {
            Some(error) => Err(error),
            None if gathered.stored == pairs => Ok(ScanEnd::Complete),
            None => Ok(ScanEnd::Stopped),
        }
    }
}

/// Passes everything on to the caller's observer, and stops all workers when one of them failed.
impl ScanObserver for Shared<'_> {
    fn classified(&self, queries: u64) {
        self.observer.classified(queries);
    }

    fn iteration(&self, progress: &Progress<'_>) {
        self.observer.iteration(progress);
    }

    fn stop(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.observer.stop()
    }
}
