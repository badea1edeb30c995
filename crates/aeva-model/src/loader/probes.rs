//! Images whose labels are known, to see whether a service is still the model that it was.

use std::sync::Arc;

use aeva_attack::Label;
use ndarray::{Array4, ArrayView4, Axis};

/// One of so many images is a probe.
pub(super) const PERIOD: usize = 64;

/// Images with the labels that the model gave to them at the beginning.
#[derive(Clone)]
pub(super) struct Probes {
    /// `[n, h, w, c]`.
    images: Arc<Array4<f32>>,
    labels: Arc<[Label]>,
    /// Number of the next probe.
    next: usize,
    /// Images since the last one.
    since: usize,
}

impl Probes {
    /// Probes with their labels, of which there is at least one.
    pub(super) fn new(images: Array4<f32>, labels: &[Label]) -> Self {
        Self { images: Arc::new(images), labels: labels.into(), next: 0, since: 0 }
    }

    /// The same for another connection, which begins elsewhere.
    pub(super) fn from(&self, begin: usize) -> Self {
        Self { next: begin, since: 0, ..self.clone() }
    }

    /// The probes that go with a batch of `rows` images, and their places in the longer batch, which ascend.
    pub(super) fn due(&mut self, rows: usize) -> Vec<(usize, usize)> {
        let mut due = Vec::new();
        for begin in (0..rows).step_by(PERIOD - 1) {
            let part = (rows - begin).min(PERIOD - 1);
            self.since += part;
            if self.since + 1 < PERIOD || self.labels.is_empty() {
                continue;
            }
            self.since = 0;
            self.next = self.next.wrapping_add(1);
            // Steps without a common divisor with most numbers, so that all probes come, at all places.
            let place = begin + self.next.wrapping_mul(37) % (part + 1) + due.len();
            due.push((self.next.wrapping_mul(89) % self.labels.len(), place));
        }
        due
    }

    /// A probe, `[1, h, w, c]`.
    pub(super) fn image(&self, probe: usize) -> ArrayView4<'_, f32> {
        self.images.slice_axis(Axis(0), (probe..=probe).into())
    }

    pub(super) fn label(&self, probe: usize) -> Label {
        self.labels[probe]
    }

    /// All of them, `[n, h, w, c]`, and their labels.
    pub(super) fn all(&self) -> (ArrayView4<'_, f32>, &[Label]) {
        (self.images.view(), &self.labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_probe_comes_and_at_every_place() {
        let mut probes = Probes::new(Array4::zeros((100, 1, 1, 1)), &[3; 100]);
        let due: Vec<(usize, usize)> = (0..1000).flat_map(|_| probes.due(63)).collect();
        assert_eq!(due.len(), 1000, "one with every request of 64 images");
        let all = |of: fn(&(usize, usize)) -> usize| due.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!((all(|due| due.0), all(|due| due.1)), (100, 64));
        assert!(due.iter().all(|&(_, place)| place <= 63));
        let mut single = probes.from(7);
        assert_eq!((0..630).map(|_| single.due(1).len()).sum::<usize>(), 10);
        let places: Vec<usize> = probes.due(127).into_iter().map(|(_, place)| place).collect();
        assert!(matches!(places[..], [first, second] if first <= 63 && (64..=128).contains(&second)), "{places:?}");
    }
}
