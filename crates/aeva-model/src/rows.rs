//! In which portions a batch is run, so that the label of an image does not depend on its company.
//!
//! Kernels may round differently for another batch size, or for another row of the batch. Whether they do is found out once
//! per model, by comparing outputs bit by bit; if they do, images run alone.

/// Portions of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Portions {
    /// Any of these numbers of rows, in descending order, the last being 1.
    Exact(&'static [usize]),
    /// Always `run` rows, the first `used` of them images, the rest padding.
    Padded { run: usize, used: usize },
}

/// On the CPU, throughput is flat from some eight rows on.
pub(crate) const CPU_PORTIONS: Portions = Portions::Exact(&[32, 8, 1]);
pub(crate) const SINGLE_ROWS: Portions = Portions::Exact(&[1]);
/// One shape on a GPU: every new shape costs a kernel search and may pick another kernel.
pub(crate) const CUDA_ROWS: usize = 1024;

impl Portions {
    /// Rows of images in the next run, and rows of that run, when `left` images are left.
    pub(crate) fn next(&self, left: usize) -> (usize, usize) {
        match *self {
            Self::Exact(sizes) => {
                let rows = sizes.iter().copied().find(|&size| size <= left).unwrap_or(1);
                (rows, rows)
            }
            Self::Padded { run, used } => (left.min(used), run),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert_eq!(spread(&CPU_PORTIONS, 43), [(32, 32), (8, 8), (1, 1), (1, 1), (1, 1)]);
        assert_eq!(spread(&SINGLE_ROWS, 2), [(1, 1), (1, 1)]);
        assert_eq!(spread(&Portions::Padded { run: 4, used: 4 }, 6), [(4, 4), (2, 4)]);
        assert_eq!(spread(&Portions::Padded { run: 4, used: 1 }, 2), [(1, 4), (1, 4)]);
    }

    proptest! {
        #[test]
        fn every_image_is_run_once(left in 0_usize..500) {
            for portions in [CPU_PORTIONS, SINGLE_ROWS, Portions::Padded { run: 16, used: 16 }] {
                let runs = spread(&portions, left);
                prop_assert_eq!(runs.iter().map(|(used, _)| used).sum::<usize>(), left);
                prop_assert!(runs.iter().all(|(used, run)| used <= run && *used > 0));
            }
        }
    }
}
