//! A connection to a service as an oracle.

use std::sync::Arc;
use std::time::Instant;

use aeva_attack::{HardLabelOracle, InputSpec, Label, Meaning, OracleError};
use aeva_endpoint::{Endpoint, EndpointError};
use ndarray::{Array4, ArrayView4, Axis, concatenate};

use super::start::Start;
use crate::input::InputWriter;
use crate::loader::loaded::RawRuns;
use crate::loader::preprocessing::Prepares;
use crate::loader::probes::{PERIOD, Probes};
use crate::{Layout, ModelError, Preprocessing};

/// Images of a batch for a service that takes one at a time.
const SINGLE_ROWS: usize = 32;

/// A connection to a service.
pub(super) struct EndpointOracle {
    endpoint: Endpoint,
    spec: InputSpec,
    layout: Layout,
    writer: InputWriter,
    values: Vec<f32>,
    /// How often each image is asked about; the most frequent label counts.
    asks: usize,
    /// At the start of a scan: the answers that it keeps.
    start: Option<Arc<Start>>,
    /// Images that go with the others, to see that it is still the same model.
    probes: Option<Probes>,
    /// Images asked about besides.
    checks: u64,
    rows: [usize; 1],
}

impl EndpointOracle {
    pub(super) fn new(endpoint: Endpoint, spec: InputSpec, layout: Layout, writer: InputWriter) -> Self {
        // Of a request, as many images are left for probes.
        let rows = match endpoint.rows() {
            1 => SINGLE_ROWS,
            rows => rows - rows.div_ceil(PERIOD),
        };
        Self {
            endpoint,
            spec,
            layout,
            writer,
            values: Vec::new(),
            asks: 1,
            start: None,
            probes: None,
            checks: 0,
            rows: [rows],
        }
    }

    /// Another connection.
    pub(super) fn another(&self) -> Self {
        Self {
            endpoint: self.endpoint.another(),
            spec: self.spec,
            layout: self.layout,
            writer: self.writer.clone(),
            values: Vec::new(),
            asks: self.asks,
            start: self.start.clone(),
            probes: self.probes.clone(),
            checks: 0,
            rows: self.rows,
        }
    }

    /// Asks about each image so often from now on.
    pub(super) fn set_asks(&mut self, asks: usize) {
        self.asks = asks;
    }

    /// Keeps the answers of a start from now on, or no longer.
    pub(super) fn set_start(&mut self, start: Option<Arc<Start>>) {
        self.start = start;
    }

    /// Sends these with the images from now on.
    pub(super) fn set_probes(&mut self, probes: Probes) {
        self.probes = Some(probes);
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Labels of a batch, each asked about as often as it takes.
    fn ask(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        let standard = batch.as_standard_layout();
        let images = standard.as_slice().unwrap_or_default();
        self.values.resize(images.len(), 0.0);
        self.writer.write(images, &mut self.values);
        let shape = shape(self.spec.shape(), self.layout, batch.dim().0);
        let mut answers = Vec::with_capacity(self.asks);
        for _ in 0..self.asks {
            self.endpoint.labels(shape, &self.values, self.spec.classes, labels).map_err(failure)?;
            answers.push(labels.clone());
        }
        if self.asks > 1 {
            self.checks += ((self.asks - 1) * labels.len()) as u64;
            for (row, label) in labels.iter_mut().enumerate() {
                *label = most_frequent(answers.iter().map(|labels| labels[row]));
            }
        }
        Ok(())
    }

    /// The same at the start of a scan: of what an earlier run was answered, a part is asked about again.
    fn ask_at_start(
        &mut self,
        start: &Start,
        batch: ArrayView4<'_, f32>,
        labels: &mut Vec<Label>,
    ) -> Result<(), OracleError> {
        let standard = batch.as_standard_layout();
        let images = standard.as_slice().unwrap_or_default();
        let mut sent = vec![0.0; images.len()];
        self.writer.write(images, &mut sent);
        let (rows, asks) = (batch.dim().0, self.asks);
        let values: Vec<&[f32]> = sent.chunks_exact((sent.len() / rows.max(1)).max(1)).collect();
        let mut all: Vec<Option<Label>> = values.iter().map(|values| start.known(values, asks)).collect();
        let is_open = |&row: &usize| all[row].is_none() || Start::is_checked(values[row], asks);
        let open: Vec<usize> = (0..rows).filter(is_open).collect();
        let begin = Instant::now();
        if !open.is_empty() {
            self.ask(batch.select(Axis(0), &open).view(), labels)?;
        }
        let differ = open.iter().zip(&*labels).filter(|&(&row, label)| all[row].is_some_and(|known| known != *label));
        let differ = differ.count();
        if differ > 0 {
            return Err(self.changed(differ, open.len()));
        }
        let answers = open.iter().zip(&*labels).map(|(&row, &label)| (values[row], label));
        start.answered(answers, asks, begin.elapsed(), rows - open.len());
        for (&row, &label) in open.iter().zip(&*labels) {
            all[row] = Some(label);
        }
        labels.clear();
        labels.extend(all.into_iter().flatten());
        Ok(())
    }

    fn changed(&self, differ: usize, images: usize) -> OracleError {
        let url = self.endpoint.url().to_owned();
        OracleError::new(EndpointError::Changed { url, differ, images }).meaning(Meaning::Changed)
    }
}

impl HardLabelOracle for EndpointOracle {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        if let Some(start) = self.start.clone() {
            return self.ask_at_start(&start, batch, labels);
        }
        let rows = batch.dim().0;
        let due = self.probes.as_mut().map_or_else(Vec::new, |probes| probes.due(rows));
        let Some(probes) = self.probes.clone().filter(|_| !due.is_empty()) else { return self.ask(batch, labels) };
        let places: Vec<(ArrayView4<'_, f32>, usize)> =
            due.iter().map(|&(probe, place)| (probes.image(probe), place)).collect();
        self.ask(inserted(batch, &places)?.view(), labels)?;
        self.checks += due.len() as u64;
        // An answer in the wrong order is noticed as well, unless it has the right label at this place by chance.
        let differ = due.iter().filter(|&&(probe, place)| labels[place] != probes.label(probe)).count();
        if differ > 0 {
            return Err(self.changed(differ, due.len()));
        }
        for &(_, place) in due.iter().rev() {
            labels.remove(place);
        }
        Ok(())
    }

    fn confirm(&mut self) -> Result<(), OracleError> {
        let Some(probes) = self.probes.clone() else { return Ok(()) };
        let (images, expected) = probes.all();
        let mut labels = Vec::new();
        self.ask(images, &mut labels)?;
        self.checks += expected.len() as u64;
        let differ = labels.iter().zip(expected).filter(|(found, expected)| found != expected).count();
        if differ == 0 { Ok(()) } else { Err(self.changed(differ, expected.len())) }
    }

    fn checks(&self) -> u64 {
        self.checks
    }
}

/// `batch` with images `[1, h, w, c]` at these places of the longer batch, which ascend.
fn inserted(batch: ArrayView4<'_, f32>, images: &[(ArrayView4<'_, f32>, usize)]) -> Result<Array4<f32>, OracleError> {
    let mut parts = Vec::with_capacity(2 * images.len() + 1);
    let mut done = 0;
    for (before, &(image, place)) in images.iter().enumerate() {
        parts.push(batch.slice_axis(Axis(0), (done..place - before).into()));
        parts.push(image);
        done = place - before;
    }
    parts.push(batch.slice_axis(Axis(0), (done..).into()));
    concatenate(Axis(0), &parts).map_err(OracleError::new)
}

/// The most frequent label, of several the one that came first.
fn most_frequent(labels: impl Iterator<Item = Label>) -> Label {
    let mut counts: Vec<(Label, usize)> = Vec::new();
    for label in labels {
        match counts.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += 1,
            None => counts.push((label, 1)),
        }
    }
    let most = counts.iter().map(|&(_, count)| count).max();
    counts.into_iter().find(|&(_, count)| Some(count) == most).map_or(aeva_attack::NO_LABEL, |(label, _)| label)
}

/// What an error of a service means for a scan.
fn failure(error: EndpointError) -> OracleError {
    let meaning = match error {
        EndpointError::Spent { .. } => Meaning::Limit,
        _ => Meaning::Failure,
    };
    OracleError::new(error).meaning(meaning)
}

impl Prepares for EndpointOracle {
    fn set_preprocessing(&mut self, preprocessing: &Preprocessing) -> Result<(), ModelError> {
        self.writer = InputWriter::new(self.spec.shape(), self.layout, preprocessing)?;
        Ok(())
    }
}

impl RawRuns for EndpointOracle {
    fn run_sizes(&self) -> &[usize] {
        &self.rows
    }
}

/// The shape of `images` images as the service takes them.
pub(super) fn shape([height, width, channels]: [usize; 3], layout: Layout, images: usize) -> [usize; 4] {
    match layout {
        Layout::Nhwc => [images, height, width, channels],
        Layout::Nchw => [images, channels, height, width],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known shapes")]
mod tests {
    use super::*;

    #[test]
    fn a_probe_goes_between_the_images() {
        let batch = Array4::from_shape_fn((3, 1, 1, 1), |(n, ..)| [0.0, 0.1, 0.2][n]);
        let probe = Array4::from_elem((1, 1, 1, 1), 0.9);
        let values = |places: &[usize]| {
            let images: Vec<_> = places.iter().map(|&place| (probe.view(), place)).collect();
            inserted(batch.view(), &images).unwrap().into_raw_vec_and_offset().0
        };
        for (place, expected) in [(0, [0.9, 0.0, 0.1, 0.2]), (2, [0.0, 0.1, 0.9, 0.2]), (3, [0.0, 0.1, 0.2, 0.9])] {
            assert_eq!(values(&[place]), expected);
        }
        assert_eq!(values(&[1, 4]), [0.0, 0.9, 0.1, 0.2, 0.9]);
    }

    #[test]
    fn the_most_frequent_label_counts() {
        let of = |labels: &[Label]| most_frequent(labels.iter().copied());
        assert_eq!((of(&[3, 5, 5]), of(&[3, 5, 7]), of(&[4])), (5, 3, 4));
    }
}
