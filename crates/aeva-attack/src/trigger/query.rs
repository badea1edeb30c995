//! Queries: the labels of stamped images, on all oracles at once.
//!
//! No image is asked about twice in a pass ([`Seen`]). The queries of a pass are a function of the answers so far. So an ordered
//! list of all answers is enough to continue a pass that was stopped: it repeats its queries, and those that have an answer are not
//! sent again. A pass that was killed may have answers behind one that is missing; these count, too.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aeva_stats::TargetMap;
use ndarray::ArrayView4;

use super::Trigger;
use super::pixels::{Pixels, Row};
use super::seen::{Place, Seen};
use crate::oracle::check_oracles;
use crate::{HardLabelOracle, Label, NO_LABEL, OracleError, Peers, ScanError, ScanObserver, UNANSWERED, Waited};

/// An image: its index in the data set and its label.
pub(super) type Image = (usize, Label);

/// The images that a goal applies to.
pub(super) fn images_of(images: &[Image], goal: TargetMap) -> Vec<Image> {
    images.iter().copied().filter(|&(_, truth)| goal.includes(truth)).collect()
}

pub(super) fn indices(images: &[Image]) -> Vec<usize> {
    images.iter().map(|&(index, _)| index).collect()
}

/// Requests for every trigger on all images.
pub(super) fn on_all<'a>(triggers: &'a [Trigger], images: &[Image]) -> Vec<Request<'a>> {
    triggers.iter().map(|trigger| Request { trigger, images: indices(images) }).collect()
}

/// One trigger on some images of the data set.
pub(super) struct Request<'a> {
    pub(super) trigger: &'a Trigger,
    /// Indices in the data set.
    pub(super) images: Vec<usize>,
}

/// Queries are divided among peers into about so many pieces, within limits for each: few queries, and those of one request to a
/// service.
const PIECES: usize = 32;
const SMALLEST_PIECE: usize = 8;
const LARGEST_PIECE: usize = 64;
/// How often peers are given up and may come back, before one goes on alone.
const ROUNDS: u32 = 8;

/// The black box and the images that triggers are stamped on.
pub(super) struct Queries<'a, 'o> {
    oracles: &'a mut [Box<dyn HardLabelOracle + 'o>],
    pixels: Pixels<'a>,
    seen: Seen,
    batch_rows: usize,
    observer: &'a dyn ScanObserver,
    /// Answers in the order of the queries, those of an earlier attempt at this pass included.
    answers: &'a mut Vec<Label>,
    /// Queries so far.
    asked: usize,
}

impl<'a, 'o> Queries<'a, 'o> {
    pub(super) fn new(
        oracles: &'a mut [Box<dyn HardLabelOracle + 'o>],
        images: &'a ArrayView4<'_, f32>,
        correct: impl Iterator<Item = Image>,
        batch_rows: usize,
        answers: &'a mut Vec<Label>,
        observer: &'a dyn ScanObserver,
    ) -> Result<Self, ScanError> {
        let spec = check_oracles(oracles, images)?;
        let pixels = Pixels::new(images.as_slice().ok_or(ScanError::Layout)?, spec.shape());
        let seen = Seen::new(correct, pixels);
        Ok(Self { oracles, pixels, seen, batch_rows, observer, answers, asked: 0 })
    }

    pub(super) fn shape(&self) -> [usize; 3] {
        self.pixels.shape()
    }

    /// Images classified so far, including those of an earlier attempt.
    pub(super) fn count(&self) -> u64 {
        self.asked as u64
    }

    /// Those of them that the model had no label for.
    pub(super) fn unlabelled(&self) -> u64 {
        self.answers.iter().filter(|&&answer| answer == NO_LABEL).count() as u64
    }

    /// A whole image of the data set, `[h, w, c]` row-major.
    pub(super) fn image(&self, index: usize) -> &'a [f32] {
        self.pixels.image(index)
    }

    /// The labels of every request, in the order of its images. They do not depend on how rows share batches; the
    /// oracle promises that.
    ///
    /// # Errors
    /// [`ScanError::Stopped`] if the observer asked to stop, and the errors of the oracles. The answers up to that
    /// point are kept.
    pub(super) fn ask(&mut self, requests: &[Request<'_>]) -> Result<Vec<Vec<Label>>, ScanError> {
        let rows: Vec<Row<'_>> =
            requests.iter().flat_map(|request| request.images.iter().map(|&image| (request.trigger, image))).collect();
        let begin = self.asked;
        let (places, rows) = self.seen.sort(rows, self.pixels, begin);
        self.asked += rows.len();
        if self.answers.len() < self.asked {
            self.answers.resize(self.asked, UNANSWERED);
        }
        let result = match self.observer.peers() {
            Some(peers) => self.ask_with(peers, &rows, begin),
            None => self.ask_alone(&rows, begin),
        };
        if result.is_err() {
            let known = self.answers.iter().rposition(|&answer| answer != UNANSWERED).map_or(0, |last| last + 1);
            self.answers.truncate(known);
        }
        result?;
        let label = |place: Place| match place {
            Place::Known(label) => label,
            Place::Asked(at) => self.answers[at],
        };
        let mut labels = places.into_iter().map(label);
        Ok(requests.iter().map(|request| labels.by_ref().take(request.images.len()).collect()).collect())
    }

    /// Positions from `begin` on of the queries without an answer.
    fn open(&self, begin: usize) -> Vec<usize> {
        (begin..self.asked).filter(|&at| self.answers[at] == UNANSWERED).collect()
    }

    fn ask_alone(&mut self, rows: &[Row<'_>], begin: usize) -> Result<(), ScanError> {
        let open = self.open(begin);
        let batches: Vec<&[usize]> = open.chunks(self.batch_rows).collect();
        self.classify(rows, begin, &batches, |_| true)
    }

    /// Divides the queries among all that make the pass now, and waits for what the others have taken. If they are silent, it
    /// asks that as well.
    fn ask_with(&mut self, peers: &dyn Peers, rows: &[Row<'_>], begin: usize) -> Result<(), ScanError> {
        // All of them must have the same pieces, whatever their batches.
        let size = (rows.len() / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE);
        let piece = |at: usize| (at - begin) / size;
        for round in 0..ROUNDS {
            peers.gather(self.answers);
            let open = self.open(begin);
            let pieces: Vec<&[usize]> = open.chunk_by(|&a, &b| piece(a) == piece(b)).collect();
            self.classify(rows, begin, &pieces, |first| peers.take(begin + piece(first) * size, round))?;
            // Bounded by the silence of the others.
            loop {
                peers.gather(self.answers);
                if self.open(begin).is_empty() {
                    return Ok(());
                }
                if self.observer.stop() {
                    return Err(ScanError::Stopped);
                }
                match peers.wait() {
                    Waited::Moment => {}
                    Waited::Silence => break,
                    Waited::Finished => return Err(ScanError::FinishedElsewhere),
                }
            }
        }
        self.ask_alone(rows, begin)
    }

    /// Classifies pieces of the queries, given the positions of each, on all oracles; `take` says whether to ask a piece, given
    /// its first position.
    fn classify(
        &mut self,
        rows: &[Row<'_>],
        begin: usize,
        pieces: &[&[usize]],
        take: impl Fn(usize) -> bool + Sync,
    ) -> Result<(), ScanError> {
        let (next, answers) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); pieces.len()]));
        let (pixels, observer, batch_rows) = (self.pixels, self.observer, self.batch_rows);
        let work = |oracle: &mut dyn HardLabelOracle| -> Result<(), ScanError> {
            let (mut buffer, mut labels, mut stamped) = (Vec::new(), Vec::new(), Vec::new());
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = pieces.get(at) else { return Ok(()) };
                if !take(piece[0]) {
                    continue;
                }
                for batch in piece.chunks(batch_rows) {
                    if observer.stop() {
                        return Err(ScanError::Stopped);
                    }
                    stamped.clear();
                    stamped.extend(batch.iter().map(|position| rows[position - begin]));
                    classify(oracle, &stamped, pixels, &mut buffer, &mut labels)?;
                    observer.classified(batch.len() as u64);
                    report(observer, batch, &labels);
                    answers.lock().unwrap_or_else(PoisonError::into_inner)[at].extend_from_slice(&labels);
                }
            }
        };
        let result = match self.oracles.split_first_mut() {
            // A few rows are not worth a thread.
            Some((first, _)) if pieces.len() <= 1 => work(first.as_mut()),
            Some((first, others)) => thread::scope(|scope| {
                let workers: Vec<_> = others.iter_mut().map(|oracle| scope.spawn(|| work(oracle.as_mut()))).collect();
                let mut result = work(first.as_mut());
                for worker in workers {
                    match worker.join() {
                        Ok(found) => result = result.and(found),
                        Err(panic) => std::panic::resume_unwind(panic),
                    }
                }
                result
            }),
            None => Ok(()),
        };
        let answered = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (piece, labels) in pieces.iter().zip(answered) {
            for (&at, label) in piece.iter().zip(labels) {
                self.answers[at] = label;
            }
        }
        result
    }
}

/// Tells the observer the answers to the queries at these positions, in pieces without a gap.
fn report(observer: &dyn ScanObserver, positions: &[usize], labels: &[Label]) {
    let mut rest = labels;
    for piece in positions.chunk_by(|a, b| a + 1 == *b) {
        let (labels, others) = rest.split_at(piece.len());
        observer.answered(None, piece[0], labels);
        rest = others;
    }
}

fn classify(
    oracle: &mut dyn HardLabelOracle,
    batch: &[Row<'_>],
    pixels: Pixels<'_>,
    buffer: &mut Vec<f32>,
    labels: &mut Vec<Label>,
) -> Result<(), ScanError> {
    let values = pixels.values();
    buffer.resize(batch.len() * values, 0.0);
    for (out, &row) in buffer.chunks_exact_mut(values).zip(batch) {
        pixels.stamp(row, out);
    }
    let [height, width, channels] = pixels.shape();
    let view = ArrayView4::from_shape((batch.len(), height, width, channels), buffer).map_err(OracleError::new)?;
    oracle.classify(view, labels)?;
    if labels.len() != batch.len() {
        return Err(ScanError::Answer { expected: batch.len(), found: labels.len() });
    }
    Ok(())
}
