//! How many images go in a request: what a service takes, and of two sizes the one that is faster.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Images of a request at first.
const SMALL: usize = 64;
/// Images of a request where that is faster. More would be too many to ask about again after a kill.
pub(crate) const LARGE: usize = 2 * SMALL;
/// Requests at the beginning that are not timed: they open the connections.
const WARM_UP: u32 = 4;
/// Requests of each size that are timed.
const TIMED: u32 = 8;
/// Larger requests have to be faster by this factor.
const FASTER: f64 = 1.1;
/// A request that takes longer is made smaller, so that a kill costs little.
const SLOW: Duration = Duration::from_secs(10);

/// The size of requests, shared by all connections.
pub(crate) struct Size {
    state: Mutex<State>,
}

struct State {
    /// The size of the next request.
    now: usize,
    /// Whether it is known which size is faster, or stated.
    settled: bool,
    warm_up: u32,
    /// Of small requests, then of large ones.
    times: [Times; 2],
}

#[derive(Clone, Copy, Default)]
struct Times {
    requests: u32,
    images: usize,
    took: Duration,
}

impl Times {
    fn speed(&self) -> f64 {
        self.images as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

impl Size {
    /// A size that is stated, or measured if not; a service takes `most` at most.
    pub(crate) fn new(stated: Option<usize>, most: usize) -> Self {
        let now = stated.unwrap_or(SMALL).clamp(1, most);
        let settled = stated.is_some() || most < LARGE;
        Self { state: Mutex::new(State { now, settled, warm_up: WARM_UP, times: [Times::default(); 2] }) }
    }

    /// Images of the next request at most.
    pub(crate) fn now(&self) -> usize {
        self.state().now
    }

    /// Images of any request at most.
    pub(crate) fn most(&self) -> usize {
        let state = self.state();
        if state.settled { state.now } else { LARGE }
    }

    /// Learns from a request that was answered; returns another size, if it is to change.
    pub(crate) fn took(&self, images: usize, took: Duration) -> Option<usize> {
        if took > SLOW && images > 1 {
            return self.shrink(images);
        }
        let mut state = self.state();
        // Requests that are not full say little about the size, and those of another size were under way.
        if state.settled || images != state.now {
            return None;
        }
        if state.warm_up > 0 {
            state.warm_up -= 1;
            return None;
        }
        let times = &mut state.times[usize::from(images == LARGE)];
        *times = Times { requests: times.requests + 1, images: times.images + images, took: times.took + took };
        if times.requests < TIMED {
            return None;
        }
        let before = state.now;
        if images == LARGE {
            let [small, large] = state.times;
            state.settled = true;
            state.now = if large.speed() > FASTER * small.speed() { LARGE } else { SMALL };
        } else {
            state.now = LARGE;
        }
        (state.now != before).then_some(state.now)
    }

    /// Half of the images, as these are too many for a request; returns the new size, if it is another one.
    pub(crate) fn shrink(&self, images: usize) -> Option<usize> {
        let mut state = self.state();
        let smaller = images.div_ceil(2).max(1);
        state.settled = true;
        if smaller >= state.now {
            return None;
        }
        state.now = smaller;
        Some(smaller)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size after 40 full requests to a service that takes this long for a request and for each image.
    fn settled(request: Duration, image: Duration) -> usize {
        let size = Size::new(None, usize::MAX);
        for _ in 0..40 {
            let images = size.now();
            size.took(images, request + image * u32::try_from(images).unwrap_or(u32::MAX));
            // What is left of a batch says nothing.
            size.took(7, Duration::from_secs(1));
        }
        assert_eq!(size.most(), size.now(), "it is settled");
        size.now()
    }

    #[test]
    fn larger_requests_are_sent_where_they_are_faster() {
        let millis = Duration::from_millis;
        assert_eq!(settled(millis(50), millis(1)), LARGE);
        assert_eq!(settled(millis(1), millis(1)), SMALL);
        assert_eq!(settled(millis(1), millis(200)), 32, "a request is not to take 10 seconds");
        assert_eq!(settled(millis(20_000), millis(1)), 1);
    }

    #[test]
    fn what_is_stated_and_what_is_too_large_counts() {
        let size = Size::new(Some(16), usize::MAX);
        for _ in 0..40 {
            assert_eq!(size.took(16, Duration::from_secs(1)), None);
        }
        assert_eq!((size.now(), size.shrink(16), size.shrink(16), size.now()), (16, Some(8), None, 8));
        assert_eq!((size.shrink(1), size.now()), (Some(1), 1));
        let single = Size::new(None, 1);
        assert_eq!((single.now(), single.most()), (1, 1));
        let large = Size::new(None, 1000);
        assert_eq!((large.now(), large.most(), large.shrink(64), large.most()), (64, 128, Some(32), 32));
    }
}
