//! Not more than so many requests a second, over all connections.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The times at which requests may begin.
pub(crate) struct Pace {
    /// Time between two requests.
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// `rate` requests a second.
    pub(crate) fn new(rate: Option<f64>) -> Self {
        let interval = rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok()).unwrap_or_default();
        Self { interval, next: Mutex::new(Instant::now()) }
    }

    /// Waits until a request may begin.
    pub(crate) fn wait(&self) {
        thread::sleep(self.reserve(Instant::now()));
    }

    /// Takes the next time, and returns how long it is until then. What was not used is not made up for.
    fn reserve(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = (*next).max(now);
        *next = begin + self.interval;
        begin - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_their_distance() {
        let pace = Pace::new(Some(50.0));
        let now = Instant::now() + Duration::from_secs(1);
        let waits: Vec<u128> = (0..4).map(|_| pace.reserve(now).as_millis()).collect();
        assert_eq!(waits, [0, 20, 40, 60]);
        // A pause is no reason to hurry afterwards.
        let later = now + Duration::from_secs(10);
        assert_eq!([0, 1].map(|_| pace.reserve(later).as_millis()), [0, 20]);
        let free = Pace::new(None);
        assert_eq!([0, 1].map(|_| free.reserve(later)), [Duration::ZERO; 2]);
    }
}
