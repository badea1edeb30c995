//! A pass that several shares of a scan make at the same time.

use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aeva_artifact::{Journal, Teamwork};
use aeva_attack::{Label, NO_LABEL, Peers, UNANSWERED, Waited};

use super::store::ONLY;
use crate::Observer;
use crate::ledger::Ledger;

/// Others are given up if nothing comes from them for so long, or for several times as long as the own piece took.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGER: u32 = 4;
/// Time between two looks at what others have written: the shortest and the longest.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(50);
/// Records further ahead than this are not believed: nobody is ahead by more than the queries of one step.
const AHEAD: usize = 1 << 22;

/// The part of this process in the pass.
pub(super) struct Together<'a> {
    pub(super) work: Teamwork,
    pub(super) journal: &'a Journal,
    pub(super) ledger: &'a Ledger,
    pub(super) observer: &'a dyn Observer,
    /// Labels of the model.
    pub(super) classes: u32,
    pub(super) clock: Mutex<Clock>,
}

/// When something happened. Only times of this process count, as machines do not agree on the time of day.
pub(super) struct Clock {
    /// When the others were last known to work.
    heard: Instant,
    /// When this process took the first of its pieces, while it works on them.
    begun: Option<Instant>,
    /// The longest time that its pieces of one step took.
    longest: Duration,
    /// Time until the next look.
    pause: Duration,
}

impl Default for Clock {
    fn default() -> Self {
        Self { heard: Instant::now(), begun: None, longest: Duration::ZERO, pause: SHORT }
    }
}

impl Peers for Together<'_> {
    fn take(&self, first: usize, round: u32) -> bool {
        let is_taken = self.work.take(first, round);
        if is_taken {
            let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
            clock.begun.get_or_insert_with(Instant::now);
        }
        is_taken
    }

    fn gather(&self, answers: &mut Vec<Label>) {
        self.journal.write();
        let records = self.work.new_records();
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let own = clock.begun.take().map(|begun| begun.elapsed());
        clock.longest = clock.longest.max(own.unwrap_or_default());
        if own.is_some() || !records.is_empty() {
            (clock.heard, clock.pause) = (Instant::now(), SHORT);
        }
        drop(clock);
        let mut new = 0;
        for record in records {
            let is_answer = |&label: &Label| label < self.classes || label == NO_LABEL;
            let is_near = record.at.saturating_sub(answers.len()) <= AHEAD;
            if record.search != ONLY || !is_near || !record.answers.iter().all(is_answer) {
                continue;
            }
            let end = record.at + record.answers.len();
            if answers.len() < end {
                answers.resize(end, UNANSWERED);
            }
            for (place, label) in answers[record.at..end].iter_mut().zip(record.answers) {
                if *place == UNANSWERED {
                    (*place, new) = (label, new + 1);
                }
            }
        }
        self.ledger.count(new);
        self.observer.known(new);
    }

    fn wait(&self) -> Waited {
        if self.work.is_finished() {
            return Waited::Finished;
        }
        let pause = {
            let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
            if clock.heard.elapsed() > PATIENCE.max(clock.longest * LONGER) {
                clock.heard = Instant::now();
                return Waited::Silence;
            }
            let pause = clock.pause;
            clock.pause = (2 * pause).min(LONG);
            pause
        };
        sleep(pause);
        Waited::Moment
    }
}
