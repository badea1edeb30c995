//! What every black box must guarantee, and a check of one.
//!
//! The searches rely on the promises of [`HardLabelOracle`]: one label per image, below the number of classes, and
//! always the same label for the same image, whatever batch it is in. [`check`] tests these promises. Programs call it
//! before a scan, and the tests of every adapter call it too.

use ndarray::{ArrayView4, Axis};

use crate::{HardLabelOracle, InputSpec, Label, OracleError};

/// A promise that a black box broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Nonconformance {
    /// The black box failed.
    #[error("the model failed on {images} clean images")]
    Failed {
        /// Images of the batch.
        images: usize,
        /// The cause.
        source: OracleError,
    },
    /// The number of labels differs from the number of images.
    #[error("the model answered {found} labels for {expected} images")]
    Count {
        /// Images of the batch.
        expected: usize,
        /// Labels returned.
        found: usize,
    },
    /// A label is out of range.
    #[error("the model answered label {label}, but it has {classes} classes (0 to {})", classes.saturating_sub(1))]
    Label {
        /// The label.
        label: Label,
        /// Number of labels that the model claims to have.
        classes: u32,
    },
    /// The images have a different shape from the one that the model takes.
    #[error("the model takes images of shape {expected:?} [h, w, c], but these images have {found:?}")]
    Shape {
        /// Shape that the model takes.
        expected: [usize; 3],
        /// Shape of the images.
        found: [usize; 3],
    },
    /// The same batch got different labels the second time.
    #[error(
        "the model does not give the same image the same label: {differ} of {images} images got a different label the second time"
    )]
    Repeat {
        /// Images that got a different label.
        differ: usize,
        /// Images of the batch.
        images: usize,
    },
    /// An image got a different label among other images, at another position, or in a batch of another size.
    #[error(
        "the label of an image depends on the rest of its batch: {differ} of {images} images got a different label in batches of {batch}"
    )]
    Company {
        /// Images that got a different label.
        differ: usize,
        /// Images in total.
        images: usize,
        /// Images in each batch.
        batch: usize,
    },
}

/// Classifies `images` `[n, h, w, c]` several times: no images, all of them twice, then in reverse order in batches of
/// other sizes. Returns their labels and the number of images classified.
///
/// A varied set of images is the better test; clean images of every class are a good choice.
///
/// # Errors
/// The first broken promise.
pub fn check(
    oracle: &mut dyn HardLabelOracle,
    images: ArrayView4<'_, f32>,
) -> Result<(Vec<Label>, u64), Nonconformance> {
    let spec = *oracle.spec();
    let (count, height, width, channels) = images.dim();
    if spec.shape() != [height, width, channels] {
        return Err(Nonconformance::Shape { expected: spec.shape(), found: [height, width, channels] });
    }
    // An oracle must clear what an earlier call left in the vector.
    let mut labels = vec![Label::MAX; 3];
    ask(oracle, &spec, images.slice_axis(Axis(0), (0..0).into()), &mut labels)?;
    let mut queries = 0;
    let mut whole = |oracle: &mut dyn HardLabelOracle| -> Result<Vec<Label>, Nonconformance> {
        let mut labels = Vec::new();
        ask(oracle, &spec, images, &mut labels)?;
        queries += count as u64;
        Ok(labels)
    };
    let first = whole(oracle)?;
    let second = whole(oracle)?;
    let differing = |other: &[Label]| first.iter().zip(other).filter(|(a, b)| a != b).count();
    if differing(&second) > 0 {
        return Err(Nonconformance::Repeat { differ: differing(&second), images: count });
    }
    for batch in [1, 7] {
        let mut other = vec![Label::MAX; count];
        let order: Vec<usize> = (0..count).rev().collect();
        for chunk in order.chunks(batch) {
            ask(oracle, &spec, images.select(Axis(0), chunk).view(), &mut labels)?;
            for (&index, &label) in chunk.iter().zip(&labels) {
                other[index] = label;
            }
        }
        queries += count as u64;
        if differing(&other) > 0 {
            return Err(Nonconformance::Company { differ: differing(&other), images: count, batch });
        }
    }
    Ok((first, queries))
}

fn ask(
    oracle: &mut dyn HardLabelOracle,
    spec: &InputSpec,
    images: ArrayView4<'_, f32>,
    labels: &mut Vec<Label>,
) -> Result<(), Nonconformance> {
    let expected = images.dim().0;
    oracle.classify(images, labels).map_err(|source| Nonconformance::Failed { images: expected, source })?;
    if labels.len() != expected {
        return Err(Nonconformance::Count { expected, found: labels.len() });
    }
    match labels.iter().find(|&&label| label >= spec.classes) {
        Some(&label) => Err(Nonconformance::Label { label, classes: spec.classes }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::synthetic::NearestCentre;
    use ndarray::Array4;

    const SPEC: InputSpec = InputSpec { height: 1, width: 2, channels: 1, classes: 2 };

    /// A sound black box whose answers are changed. The closure gets the number of earlier answers and the labels of
    /// the batch.
    struct Changed<F>(NearestCentre, u64, F);

    impl<F: FnMut(u64, &mut Vec<Label>) + Send> HardLabelOracle for Changed<F> {
        fn spec(&self) -> &InputSpec {
            self.0.spec()
        }

        fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
            self.0.classify(batch, labels)?;
            (self.2)(self.1, labels);
            self.1 += labels.len() as u64;
            Ok(())
        }
    }

    fn checked(change: impl FnMut(u64, &mut Vec<Label>) + Send) -> Result<(Vec<Label>, u64), Nonconformance> {
        let images = Array4::from_shape_fn((10, 1, 2, 1), |(n, ..)| if n % 3 == 0 { 0.9 } else { 0.1 });
        let sound = NearestCentre::new(SPEC, vec![vec![0.2, 0.2], vec![0.8, 0.8]]);
        check(&mut Changed(sound, 0, change), images.view())
    }

    #[test]
    fn a_sound_black_box_passes() {
        let (labels, queries) = checked(|_, _| {}).unwrap();
        assert_eq!((labels, queries), (vec![1, 0, 0, 1, 0, 0, 1, 0, 0, 1], 40));
    }

    #[test]
    fn every_broken_promise_has_a_name() {
        let one_less = checked(|_, labels| labels.truncate(labels.len().saturating_sub(1)));
        assert!(matches!(one_less, Err(Nonconformance::Count { expected: 10, found: 9 })));
        let leftover = checked(|_, labels| labels.insert(0, 1));
        assert!(matches!(leftover, Err(Nonconformance::Count { expected: 0, found: 1 })), "nothing was asked");
        let unknown = checked(|_, labels| labels.iter_mut().for_each(|label| *label += 1));
        assert!(matches!(unknown, Err(Nonconformance::Label { label: 2, classes: 2 })));
        let by_chance = checked(|asked, labels| {
            if asked == 10 {
                labels[4] = 1;
            }
        });
        assert!(matches!(by_chance, Err(Nonconformance::Repeat { differ: 1, images: 10 })));
        // The answer depends on the position: only the first image of each batch is changed.
        let by_place = checked(|_, labels| labels.iter_mut().take(1).for_each(|label| *label = 1 - *label));
        assert!(matches!(by_place, Err(Nonconformance::Company { images: 10, batch: 1, .. })));
        let images = Array4::zeros((2, 2, 2, 1));
        let mut sound = NearestCentre::new(SPEC, vec![vec![0.2, 0.2], vec![0.8, 0.8]]);
        assert!(matches!(check(&mut sound, images.view()), Err(Nonconformance::Shape { .. })));
    }
}
