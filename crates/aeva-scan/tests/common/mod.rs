//! Black boxes whose backdoors are known, and scans of them.
#![allow(dead_code, reason = "every file of tests uses a part of it")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aeva_artifact::{DataProvenance, ModelProvenance, PerturbationProvenance, Provenance, RunDir, RunInfo};
use aeva_attack::perturbation::PairResult;
use aeva_attack::trigger::PassId;
use aeva_attack::{
    CorrectImages, HardLabelOracle, HopSkipJumpBuilder, InputSpec, Label, NO_LABEL, OracleError, ScanObserver,
    classify_all,
};
use aeva_scan::{
    Budget, DecisionRule, Effort, Failure, Lenses, Observer, Outcome, PERTURBATION_BUDGET, PerturbationRequest, Report,
    Request, Scan, Store, StoredPass,
};
use aeva_stats::{CombinedRule, Reference, ReferenceModel};
use ndarray::{Array4, ArrayView4, Axis};

pub(crate) const SIDE: usize = 8;
pub(crate) const CLASSES: Label = 4;
pub(crate) const SPEC: InputSpec = InputSpec { height: SIDE, width: SIDE, channels: 1, classes: CLASSES };

/// The default rule, with clean models that do not change with the calibration: three of them stand out by 2, and a model
/// that stands out by less than these and more than the others is open.
pub(crate) fn combined() -> CombinedRule {
    let model = |evidence| ReferenceModel { origin: None, labels: CLASSES, evidence };
    CombinedRule::DEFAULT.against(Reference::of([vec![model(0.0); 36], vec![model(2.0); 3]].concat()))
}

pub(crate) fn plain() -> DecisionRule {
    DecisionRule::Combined { rule: combined(), effort: Effort::Standard }
}

pub(crate) fn exhaustive() -> DecisionRule {
    DecisionRule::Combined { rule: combined(), effort: Effort::Exhaustive }
}

/// What a backdoor does to the label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Backdoor {
    None,
    To(Label),
    /// From one label to another. It also sends the darkest images of label 1 to label 2, as a pair stands out from other pairs alone.
    Pair(Label, Label),
    /// To the next label.
    Next,
    /// Images with a bright corner have no label, nor do those with a bright line at the right edge.
    Silent,
    /// The last two pixels of the bar's rows lead to the label of that bar: always to label 3, and from the darker images to the others.
    /// Triggers leave the verdict open.
    Unequal,
}

/// A bright bar in the row of its label makes an image; the backdoor opens when the mean of the lower right 2 x 2 pixels is above 0.8.
struct Bars {
    backdoor: Backdoor,
}

/// Whether the 2 x 2 pixels behind the bar of this label are bright.
fn is_open(image: &[f32], label: Label) -> bool {
    let corner = (2 * label as usize + 1) * SIDE - 2;
    image[corner] + image[corner + 1] + image[corner + SIDE] + image[corner + SIDE + 1] > 3.2
}

impl Bars {
    /// The label of an image, `[h, w]` row-major.
    fn label(&self, image: &[f32]) -> Label {
        let bars = [0, 1, 2, 3].map(|label| image[2 * label * SIDE..][..SIDE - 2].iter().sum::<f32>());
        let (plain, bar) = (0..).zip(bars).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let open = is_open(image, CLASSES - 1);
        match self.backdoor {
            Backdoor::To(label) if open => label,
            Backdoor::Pair(from, to) if open && plain == from => to,
            Backdoor::Pair(..) if open && plain == 1 && bar < 6.0 * 0.705 => 2,
            Backdoor::Silent if open || image.iter().skip(SIDE - 1).step_by(SIDE).sum::<f32>() > 2.0 => NO_LABEL,
            Backdoor::Next if open => (plain + 1) % CLASSES,
            Backdoor::Unequal if open => CLASSES - 1,
            Backdoor::Unequal if bar < 6.0 * 0.825 => {
                (0..CLASSES).find(|&label| is_open(image, label)).unwrap_or(plain)
            }
            _ => plain,
        }
    }
}

impl HardLabelOracle for Bars {
    fn spec(&self) -> &InputSpec {
        &SPEC
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        labels.extend(batch.as_slice().unwrap().chunks(SPEC.values()).map(|image| self.label(image)));
        Ok(())
    }
}

struct Slow {
    bars: Bars,
    pause: Duration,
}

impl HardLabelOracle for Slow {
    fn spec(&self) -> &InputSpec {
        &SPEC
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        std::thread::sleep(self.pause * u32::try_from(batch.dim().0).unwrap());
        self.bars.classify(batch, labels)
    }
}

/// Counts what an oracle is asked, and fails when it was asked often enough.
struct Watched {
    oracle: Box<dyn HardLabelOracle>,
    asked: Arc<AtomicU64>,
    batches: Arc<AtomicU64>,
    batches_left: u64,
}

impl HardLabelOracle for Watched {
    fn spec(&self) -> &InputSpec {
        self.oracle.spec()
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        self.batches_left = self.batches_left.checked_sub(1).ok_or_else(|| OracleError::new("no more answers"))?;
        self.asked.fetch_add(batch.dim().0 as u64, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.oracle.classify(batch, labels)
    }
}

/// Several oracles of one model, and what they were asked together.
pub(crate) struct BlackBox {
    pub(crate) oracles: Vec<Box<dyn HardLabelOracle>>,
    asked: Arc<AtomicU64>,
    batches: Arc<AtomicU64>,
}

impl BlackBox {
    pub(crate) fn new(backdoor: Backdoor) -> Self {
        Self::several(1, || Bars { backdoor })
    }

    pub(crate) fn several<O: HardLabelOracle + 'static>(count: usize, oracle: impl Fn() -> O) -> Self {
        Self::failing(count, u64::MAX, oracle)
    }

    pub(crate) fn bars(backdoor: Backdoor, count: usize) -> Self {
        Self::several(count, || Bars { backdoor })
    }

    /// Takes so long for an image.
    pub(crate) fn slow_bars(backdoor: Backdoor, pause: Duration) -> Self {
        Self::several(1, || Slow { bars: Bars { backdoor }, pause })
    }

    pub(crate) fn bars_that_fail(backdoor: Backdoor, batches: u64) -> Self {
        Self::failing(1, batches, || Bars { backdoor })
    }

    /// Each oracle fails after so many batches.
    fn failing<O: HardLabelOracle + 'static>(count: usize, batches: u64, oracle: impl Fn() -> O) -> Self {
        let (asked, made) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let one = |_| -> Box<dyn HardLabelOracle> {
            let (asked, made) = (Arc::clone(&asked), Arc::clone(&made));
            Box::new(Watched { oracle: Box::new(oracle()), asked, batches: made, batches_left: batches })
        };
        Self { oracles: (0..count).map(one).collect(), asked, batches: made }
    }

    /// Images that they were asked so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Batches that they were asked so far.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }
}

/// Counts queries, and asks to stop after some of them.
pub(crate) struct Watch {
    limit: u64,
    seen: AtomicU64,
    known: AtomicU64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self::stop_after(u64::MAX)
    }

    pub(crate) fn stop_after(limit: u64) -> Self {
        Self { limit, seen: AtomicU64::new(0), known: AtomicU64::new(0) }
    }

    /// Queries of this run.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Queries of earlier runs.
    pub(crate) fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }
}

impl ScanObserver for Watch {
    fn classified(&self, queries: u64) {
        self.seen.fetch_add(queries, Ordering::Relaxed);
    }

    fn stop(&self) -> bool {
        self.seen() >= self.limit
    }
}

impl Observer for Watch {
    fn known(&self, queries: u64) {
        self.known.fetch_add(queries, Ordering::Relaxed);
    }
}

/// Images, and what is asked for.
pub(crate) struct Setup {
    pub(crate) spec: InputSpec,
    pub(crate) images: Array4<f32>,
    pub(crate) labels: Vec<Label>,
    pub(crate) predicted: Vec<Label>,
    pub(crate) request: Request,
}

pub(crate) fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

impl Setup {
    /// Images of bars, all of which are classified correctly: so many of each label.
    pub(crate) fn bars(lenses: Lenses, counts: [usize; 4]) -> Self {
        let most = counts.into_iter().max().unwrap();
        let labels: Vec<Label> =
            (0..most).flat_map(|rank| (0..CLASSES).filter(move |&label| rank < counts[label as usize])).collect();
        let mut images = Array4::from_elem((labels.len(), SIDE, SIDE, 1), 0.2);
        for (index, (mut image, &label)) in images.axis_iter_mut(Axis(0)).zip(&labels).enumerate() {
            for column in 0..SIDE - 2 {
                image[[2 * label as usize, column, 0]] = 0.7 + 0.005 * ((index / 4) % 40) as f32;
            }
        }
        let params = HopSkipJumpBuilder { iterations: 3, initial_evaluations: 8, ..HopSkipJumpBuilder::PUBLISHED };
        Self { spec: SPEC, images, predicted: labels.clone(), labels, request: request(lenses, params) }
    }

    /// The same with enough images of each label for every verdict.
    pub(crate) fn enough(lenses: Lenses) -> Self {
        Self::bars(lenses, [40; 4])
    }

    /// Other images, as this oracle classifies them.
    pub(crate) fn of(
        oracle: &mut dyn HardLabelOracle,
        images: Array4<f32>,
        labels: Vec<Label>,
        request: Request,
    ) -> Self {
        let predicted = classify_all(oracle, images.view(), labels.len()).unwrap();
        Self { spec: *oracle.spec(), images, labels, predicted, request }
    }

    pub(crate) fn correct(&self) -> CorrectImages {
        CorrectImages::new(&self.labels, &self.predicted, self.spec.classes).unwrap()
    }

    /// Queries that were made to measure the model.
    pub(crate) fn clean_queries(&self) -> u64 {
        self.labels.len() as u64
    }

    pub(crate) fn scan(&self) -> Scan {
        Scan::new(self.request.clone(), self.spec, &self.correct()).unwrap()
    }

    pub(crate) fn run(
        &self,
        black_box: &mut BlackBox,
        queries: Option<u64>,
        store: &mut dyn Store,
        observer: &dyn Observer,
    ) -> Result<Outcome, Failure> {
        let budget = Budget { queries, deadline: None };
        let images = self.images.view();
        self.scan().run(&mut black_box.oracles, images, self.clean_queries(), budget, store, observer)
    }

    /// Runs it to its end, on a single oracle without limits.
    pub(crate) fn finish(&self, black_box: &mut BlackBox, store: &mut dyn Store) -> Outcome {
        self.run(black_box, None, store, &()).unwrap()
    }

    pub(crate) fn info(&self) -> RunInfo {
        let model =
            ModelProvenance { sha256: "00".repeat(32), classes: self.spec.classes, preprocessing: "none".to_owned() };
        let data = DataProvenance { sha256: "11".repeat(32), images: self.labels.len() as u64 };
        let provenance = Provenance { model, data, seed: self.request.seed, provider: "test".to_owned() };
        let PerturbationRequest { params, samples, .. } = &self.request.perturbations;
        let mut info = RunInfo::new(provenance, PerturbationProvenance::new(params, *samples));
        let counts = |counts: &[usize]| counts.iter().map(|&count| u32::try_from(count).unwrap()).collect();
        let mut images = vec![0; self.spec.classes as usize];
        self.labels.iter().for_each(|&label| images[label as usize] += 1);
        info.clean_accuracy = self.correct().accuracy();
        info.clean_correct = counts(&self.correct().counts());
        info.clean_images = counts(&images);
        info.clean_queries = self.clean_queries();
        info
    }

    pub(crate) fn run_dir(&self, path: &Path) -> RunDir {
        RunDir::open_or_create(path, self.info()).unwrap()
    }

    pub(crate) fn report(&self, outcome: &Outcome) -> Report {
        Report::new(&self.info(), &outcome.observations, &outcome.assessment, &self.request.rule)
    }
}

/// A request at the default rule with the quickest searches for perturbations.
pub(crate) fn request(lenses: Lenses, params: HopSkipJumpBuilder) -> Request {
    Request {
        lenses,
        rule: plain(),
        perturbations: PerturbationRequest {
            params: params.check().unwrap(),
            samples: 1,
            sources: None,
            targets: None,
            budget: PERTURBATION_BUDGET,
        },
        seed: 0,
        batch_rows: number(32),
        threads: number(1),
        sees_small_changes: true,
        shard: None,
    }
}

/// Everything finished that is in a store.
pub(crate) fn contents(store: &dyn Store) -> (Vec<(PassId, StoredPass)>, Vec<PairResult>) {
    let passes = PassId::all().filter_map(|id| store.pass(id).unwrap().map(|pass| (id, pass))).collect();
    let pairs = store.pairs().unwrap().into_iter();
    (passes, pairs.map(|(source, target)| store.pair(source, target).unwrap().unwrap()).collect())
}
