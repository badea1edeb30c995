//! In which portions a batch is run, so that the label of an image does not depend on its company.
//!
//! Kernels may round differently for another batch size, or for another row of the batch. Whether they do is found out once
//! per model, by comparing outputs bit by bit (`OnnxOracle::load`); sizes that do not fit together are not used together.

use crate::Device;

/// Portions of a batch: numbers of rows in descending order. What is left below the smallest is padded to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Portions {
    sizes: Vec<usize>,
    /// Whether each run has one image only, and padding.
    alone: bool,
}

/// On the CPU, throughput is flat from some eight rows on.
const CPU_SIZES: [usize; 3] = [32, 8, 1];
/// Rows of the largest run on a device, and values that they may have together (64 MiB of f32).
const DEVICE_ROWS: usize = 4096;
const DEVICE_VALUES: usize = 1 << 24;
/// Few shapes on a device: every new one costs a kernel search and may pick another kernel.
const DEVICE_SHARES: [usize; 3] = [1, 4, 16];

impl Portions {
    /// For images of `values` values on `device`.
    pub(crate) fn new(device: Device, values: usize) -> Self {
        let sizes = if device.is_processor() {
            CPU_SIZES.to_vec()
        } else {
            let fitting = (DEVICE_VALUES / values.max(1)).max(DEVICE_SHARES[2]);
            let largest = (1 << fitting.ilog2()).min(DEVICE_ROWS);
            DEVICE_SHARES.iter().map(|share| largest / share).collect()
        };
        Self { sizes, alone: false }
    }

    /// For a model that takes `rows` rows and no other number.
    pub(crate) fn fixed(rows: usize) -> Self {
        Self { sizes: vec![rows], alone: false }
    }

    /// One image a run, padded to the smallest size.
    pub(crate) fn alone(&self) -> Self {
        Self { sizes: self.sizes.last().copied().into_iter().collect(), alone: true }
    }

    /// Without the sizes that `keep` refuses; the largest stays.
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

    /// Rows of images in the next run, and rows of that run, when `left` images are left.
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
