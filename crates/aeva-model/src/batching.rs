//! Divides a batch into runs so that the label of an image does not depend on the other images.
//!
//! Kernels may round differently in another batch size, or in another row of the batch. `OnnxOracle::load` finds out whether they do,
//! by comparing outputs bit by bit. Sizes whose outputs differ are not used together.

use crate::Device;

/// The sizes of runs that a batch is divided into, in rows. What is left below the smallest size is padded to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Portions {
    /// In descending order.
    sizes: Vec<usize>,
    /// Whether each run has only one image, with padding.
    alone: bool,
}

/// On the CPU, larger runs than eight rows are hardly faster.
const CPU_SIZES: [usize; 3] = [32, 8, 1];
/// Largest run on the CPU in values (4 MiB of f32). A network for large images keeps many times as many, for each thread.
const CPU_VALUES: usize = 1 << 20;
/// Largest run on a device, in rows and in values (64 MiB of f32).
const DEVICE_ROWS: usize = 4096;
const DEVICE_VALUES: usize = 1 << 24;
/// Few sizes on a device, because each new one costs a search for a kernel and may select another kernel.
const DEVICE_SHARES: [usize; 3] = [1, 4, 16];

impl Portions {
    /// For images of `values` values on `device`.
    pub(crate) fn new(device: Device, values: usize) -> Self {
        let sizes = if device.is_processor() {
            let fitting = (CPU_VALUES / values.max(1)).max(1);
            match 1 << fitting.ilog2() {
                1 => vec![1],
                largest if largest < CPU_SIZES[0] => vec![largest, 1],
                _ => CPU_SIZES.to_vec(),
            }
        } else {
            let fitting = (DEVICE_VALUES / values.max(1)).max(DEVICE_SHARES[2]);
            let largest = (1 << fitting.ilog2()).min(DEVICE_ROWS);
            DEVICE_SHARES.iter().map(|share| largest / share).collect()
        };
        Self { sizes, alone: false }
    }

    /// For a model with a fixed batch of `rows` rows.
    pub(crate) fn fixed(rows: usize) -> Self {
        Self { sizes: vec![rows], alone: false }
    }

    /// One image per run, padded to the smallest size.
    pub(crate) fn alone(&self) -> Self {
        Self { sizes: self.sizes.last().copied().into_iter().collect(), alone: true }
    }

    /// Removes the sizes that `keep` refuses, except for the largest one.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let largest = self.largest();
        self.sizes.retain(|&size| size == largest || keep(size));
    }

    /// Sizes of runs, in descending order.
    pub(crate) fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Rows of the largest run.
    pub(crate) fn largest(&self) -> usize {
        self.sizes.first().copied().unwrap_or(1)
    }

    /// Number of images in the next run, and its size with padding, when `left` images are left.
    pub(crate) fn next(&self, left: usize) -> (usize, usize) {
        let smallest = self.sizes.last().copied().unwrap_or(1);
        if self.alone {
            return (left.min(1), smallest);
        }
        match self.sizes.iter().copied().find(|&size| size <= left) {
            Some(size) => (size, size),
            None => (left, smallest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cpu() -> Portions {
        Portions::new(Device::Cpu, 3072)
    }

    fn cuda(values: usize) -> Portions {
        Portions::new(Device::Cuda { index: 0 }, values)
    }

    fn spread(portions: &Portions, mut left: usize) -> Vec<(usize, usize)> {
        let mut runs = Vec::new();
        while left > 0 {
            let (used, run) = portions.next(left);
            runs.push((used, run));
            left -= used;
        }
        runs
    }

    #[test]
    fn batches_are_cut_into_allowed_shapes() {
        assert_eq!(spread(&cpu(), 43), [(32, 32), (8, 8), (1, 1), (1, 1), (1, 1)]);
        assert_eq!(spread(&cpu().alone(), 2), [(1, 1), (1, 1)]);
        assert_eq!(spread(&cuda(3072), 5400), [(4096, 4096), (1024, 1024), (256, 256), (24, 256)]);
        assert_eq!(spread(&Portions::fixed(4), 6), [(4, 4), (2, 4)]);
        assert_eq!(spread(&Portions::fixed(4).alone(), 2), [(1, 4), (1, 4)]);
    }

    #[test]
    fn large_images_get_smaller_batches() {
        assert_eq!(cuda(784).sizes(), [4096, 1024, 256]);
        assert_eq!(cuda(96 * 96 * 3).sizes(), [512, 128, 32]);
        assert_eq!(cuda(1 << 30).sizes(), [16, 4, 1]);
        let cpu = |values| Portions::new(Device::Cpu, values);
        assert_eq!((cpu(3 * 32 * 32).sizes(), cpu(3 * 104 * 104).sizes()), (&CPU_SIZES[..], &CPU_SIZES[..]));
        assert_eq!((cpu(3 * 224 * 224).sizes(), cpu(1 << 20).sizes()), (&[4, 1][..], &[1][..]));
    }

    #[test]
    fn the_largest_size_is_always_kept() {
        let mut portions = cuda(3072);
        portions.retain(|size| size == 256);
        assert_eq!(portions.sizes(), [4096, 256]);
        portions.retain(|_| false);
        assert_eq!(portions.sizes(), [4096]);
    }

    proptest! {
        #[test]
        fn every_image_is_run_once(left in 0_usize..9000) {
            for portions in [cpu(), cpu().alone(), Portions::fixed(16), cuda(3072), cuda(100_000)] {
                let runs = spread(&portions, left);
                prop_assert_eq!(runs.iter().map(|(used, _)| used).sum::<usize>(), left);
                prop_assert!(runs.iter().all(|(used, run)| used <= run && *used > 0));
                prop_assert!(runs.iter().all(|(_, run)| portions.sizes().contains(run)));
            }
        }
    }
}
