//! The start of a scan of a service: what it answers is kept, and what it answered before is not asked again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aeva_attack::Label;

use crate::loader::known::KnownAnswers;

/// The answers of the start, shared by all connections.
#[derive(Debug)]
pub(super) struct Start {
    /// Those of an earlier run.
    known: KnownAnswers,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The same, with those of this run.
    all: KnownAnswers,
    /// Images that were not asked about.
    left_out: usize,
    /// Images that were, and how long the connections took for them in all.
    asked: usize,
    took: Duration,
}

impl Start {
    pub(super) fn new(known: KnownAnswers) -> Self {
        let state = State { all: known.clone(), left_out: 0, asked: 0, took: Duration::ZERO };
        Self { known, state: Mutex::new(state) }
    }

    /// What an earlier run was answered.
    pub(super) fn known(&self, values: &[f32], asks: usize) -> Option<Label> {
        self.known.get(KnownAnswers::key(values, asks))
    }

    /// Whether an image is asked about although its label is known.
    pub(super) fn is_checked(values: &[f32], asks: usize) -> bool {
        KnownAnswers::is_checked(KnownAnswers::key(values, asks))
    }

    /// Keeps what a connection was answered for some images, and how long it took, besides `left_out` images that it did not ask
    /// about.
    pub(super) fn answered<'a>(
        &self,
        answers: impl Iterator<Item = (&'a [f32], Label)>,
        asks: usize,
        took: Duration,
        left_out: usize,
    ) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (values, label) in answers {
            state.all.add(KnownAnswers::key(values, asks), label);
            state.asked += 1;
        }
        state.took += took;
        state.left_out += left_out;
    }

    /// All answers.
    pub(super) fn all(&self) -> KnownAnswers {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).all.clone()
    }

    /// Images that so many connections are answered in a second; `None` if all were asked about, which is measured elsewhere.
    pub(super) fn images_per_second(&self, connections: usize) -> Option<f64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = state.took.as_secs_f64();
        (state.left_out > 0 && seconds > 0.0).then(|| (state.asked * connections) as f64 / seconds)
    }
}
