//! The plan of the searches for perturbations.

use std::collections::BTreeSet;

use crate::{CorrectImages, Label, PlanError};

/// Largest number of pairs in a plan, which is kept in memory: the pairs of some 1400 labels. More pairs would take
/// years in any case.
const MOST_PAIRS: u64 = 2_000_000;

/// The searches for perturbations, pair by pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerturbationPlan {
    /// Ordered pairs, by source, then target.
    pub pairs: Vec<PairPlan>,
}

/// One ordered pair of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairPlan {
    /// Label of the origins.
    pub source: Label,
    /// Label whose boundary is walked.
    pub target: Label,
    /// Its samples; fewer than requested if a class has fewer correct images.
    pub samples: Vec<SamplePlan>,
}

/// One search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplePlan {
    /// Data set index of the origin, an image of the source class.
    pub origin: usize,
    /// Data set index of the start, an image of the target class.
    pub start: usize,
}

impl PerturbationPlan {
    /// Plans the searches from each of `sources` to each of `targets`. Sample `k` of a pair starts from the `k`-th
    /// correct image of the target class and walks towards the `k`-th correct image of the source class, for up to
    /// `samples` samples.
    ///
    /// # Errors
    /// [`PlanError::NoSamples`], [`PlanError::Label`], [`PlanError::NoPairs`], [`PlanError::TooManyPairs`],
    /// [`PlanError::NoCorrectImages`].
    pub fn new(
        correct: &CorrectImages,
        sources: &BTreeSet<Label>,
        targets: &BTreeSet<Label>,
        samples: u32,
    ) -> Result<Self, PlanError> {
        if samples == 0 {
            return Err(PlanError::NoSamples);
        }
        let classes = u32::try_from(correct.counts().len()).unwrap_or(u32::MAX);
        if let Some(&label) = sources.union(targets).find(|&&label| label >= classes) {
            return Err(PlanError::Label { label, classes });
        }
        let found = sources.len() as u64 * targets.len() as u64;
        if found > MOST_PAIRS {
            return Err(PlanError::TooManyPairs { found, limit: MOST_PAIRS });
        }
        let mut pairs = Vec::new();
        for &source in sources {
            for &target in targets.iter().filter(|&&target| target != source) {
                let (origins, starts) = (correct.some_of_class(source)?, correct.some_of_class(target)?);
                let samples = origins.iter().zip(starts).take(samples as usize);
                let samples = samples.map(|(&origin, &start)| SamplePlan { origin, start }).collect();
                pairs.push(PairPlan { source, target, samples });
            }
        }
        if pairs.is_empty() { Err(PlanError::NoPairs) } else { Ok(Self { pairs }) }
    }

    /// Number of searches.
    pub fn searches(&self) -> usize {
        self.pairs.iter().map(|pair| pair.samples.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(classes: u32) -> BTreeSet<Label> {
        (0..classes).collect()
    }

    /// Classes 0, 1, 2 with 2, 1 and 2 correct images.
    fn correct() -> CorrectImages {
        CorrectImages::new(&[0, 1, 2, 0, 1, 2, 0], &[0, 0, 2, 0, 1, 2, 1], 3).unwrap()
    }

    #[test]
    fn samples_are_the_first_correct_images_in_order() {
        let correct = correct();
        let plan = PerturbationPlan::new(&correct, &all(3), &all(3), 2).unwrap();
        let order: Vec<_> = plan.pairs.iter().map(|pair| (pair.source, pair.target)).collect();
        assert_eq!(order, [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]);
        // A class with fewer correct images than samples is scanned with those it has.
        assert_eq!(plan.pairs[0].samples, [SamplePlan { origin: 0, start: 4 }]);
        let both = [SamplePlan { origin: 0, start: 2 }, SamplePlan { origin: 3, start: 5 }];
        assert_eq!(plan.pairs[1].samples, both);
        assert_eq!(plan.searches(), 1 + 2 + 1 + 1 + 2 + 1);
    }

    #[test]
    fn what_cannot_be_planned_is_said() {
        let plan = |sources: &[Label], targets: &[Label], samples| {
            let set = |labels: &[Label]| labels.iter().copied().collect();
            PerturbationPlan::new(&correct(), &set(sources), &set(targets), samples)
        };
        assert_eq!(plan(&[0], &[1], 0), Err(PlanError::NoSamples));
        assert_eq!(plan(&[0], &[3], 1), Err(PlanError::Label { label: 3, classes: 3 }));
        assert_eq!(plan(&[1], &[1], 1), Err(PlanError::NoPairs));
        let none = CorrectImages::new(&[0, 1, 1], &[0, 0, 0], 2).unwrap();
        assert_eq!(
            PerturbationPlan::new(&none, &all(2), &all(2), 1),
            Err(PlanError::NoCorrectImages { class: 1, images: 2, correct: 0 })
        );
    }
}
