//! Why a model misclassifies clean images: a wrong scale, a wrong channel order, shifted labels and the like.
//!
//! A search on images that the model misunderstands ends in a confident verdict that means nothing. The cause has to be found before
//! the search begins.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array4, ArrayView4, Axis};

use crate::conventions::usual_constants;
use crate::{Preprocessing, ValueRange};

/// A cause is believed if removing it gains this much accuracy, or removes this share of the errors.
const GAIN: f64 = 0.2;
const ERRORS_EXPLAINED: f64 = 2.0 / 3.0;
/// Accuracy that a cause must gain over an earlier, simpler one, because some models are hardly sensitive to the scale.
const PREFERENCE: f64 = 0.05;
/// Share of the images that must be right once the cause is removed.
const PLAUSIBLE: f64 = 0.5;

/// A cause whose removal makes far more images right.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The likely cause.
    pub cause: Cause,
    /// Share of the probed images that are right without it.
    pub accuracy: f64,
}

/// Why clean images may be misclassified.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The model takes pixels in another interval.
    ValueRange(ValueRange),
    /// The model takes pixels that are normalised with well-known constants.
    Normalisation {
        /// The data set that mean and standard deviation come from.
        name: &'static str,
        /// Mean of each channel, for pixels in `[0, 1]`.
        mean: Vec<f32>,
        /// Standard deviation of each channel, for pixels in `[0, 1]`.
        std: Vec<f32>,
    },
    /// The model takes channels in reverse order.
    ReversedChannels,
    /// Rows and columns of the images are exchanged.
    Transposed,
    /// The images are negatives of those that the model takes.
    Inverted,
    /// The data's labels are the model's plus this offset.
    ShiftedLabels(i64),
    /// The data's labels are the model's in another order. For each label that differs: the label in the data, the label of the model.
    ReorderedLabels(Vec<(u32, u32)>),
}

/// Looks for the cause of misclassified `images` `[n, h, w, c]` by removing possible causes one at a time. Returns the best explanation,
/// if it makes far more images right than `accuracy`, which is the share that is right with the `current` preprocessing.
///
/// `predict` returns the labels that the model gives to images with a preprocessing.
///
/// # Errors
/// Those of `predict`.
pub fn diagnose<E>(
    images: ArrayView4<'_, f32>,
    labels: &[u32],
    current: &Preprocessing,
    accuracy: f64,
    mut predict: impl FnMut(ArrayView4<'_, f32>, &Preprocessing) -> Result<Vec<u32>, E>,
) -> Result<Option<Diagnosis>, E> {
    let mut best: Option<Diagnosis> = None;
    let needed = (accuracy + GAIN.min(ERRORS_EXPLAINED * (1.0 - accuracy))).max(PLAUSIBLE);
    let mut consider = |cause: Cause, right: usize| {
        let found = right as f64 / labels.len().max(1) as f64;
        let wanted = best.as_ref().map_or(needed, |best| best.accuracy + PREFERENCE);
        if found >= wanted {
            best = Some(Diagnosis { cause, accuracy: found });
        }
    };
    let right = |predicted: &[u32]| predicted.iter().zip(labels).filter(|(p, l)| p == l).count();

    let channels = images.dim().3;
    let plain = |value_range| Preprocessing { value_range, ..Preprocessing::default() };
    for range in [ValueRange::UNIT, ValueRange::BYTE, ValueRange::SIGNED] {
        if plain(range) != *current {
            consider(Cause::ValueRange(range), right(&predict(images, &plain(range))?));
        }
    }
    for (name, mean, std) in usual_constants(channels) {
        let preprocessing = Preprocessing { mean: mean.clone(), std: std.clone(), ..Preprocessing::default() };
        if preprocessing != *current {
            consider(Cause::Normalisation { name, mean, std }, right(&predict(images, &preprocessing)?));
        }
    }
    if channels == 3 {
        let reversed = Preprocessing { reverse_channels: !current.reverse_channels, ..current.clone() };
        consider(Cause::ReversedChannels, right(&predict(images, &reversed)?));
    }
    let (_, height, width, _) = images.dim();
    if height == width {
        let transposed: Array4<f32> = images.permuted_axes([0, 2, 1, 3]).as_standard_layout().into_owned();
        consider(Cause::Transposed, right(&predict(transposed.view(), current)?));
    }
    let inverted = images.mapv(|value| 1.0 - value);
    consider(Cause::Inverted, right(&predict(inverted.view(), current)?));
    let predicted = predict(images, current)?;
    for offset in [1_i64, -1] {
        let shifted = predicted.iter().zip(labels).filter(|&(&p, &l)| i64::from(p) + offset == i64::from(l)).count();
        consider(Cause::ShiftedLabels(offset), shifted);
    }
    if let Some((order, right)) = reordered(labels, &predicted) {
        consider(Cause::ReorderedLabels(order), right);
    }
    Ok(best)
}

/// For each label, the label that most of its images get, and the number of images that get it. `None` unless those labels are all
/// different and some differ from the true ones.
fn reordered(labels: &[u32], predicted: &[u32]) -> Option<(Vec<(u32, u32)>, usize)> {
    let mut counts: BTreeMap<u32, BTreeMap<u32, usize>> = BTreeMap::new();
    for (&label, &answer) in labels.iter().zip(predicted) {
        *counts.entry(label).or_default().entry(answer).or_default() += 1;
    }
    let (mut order, mut right, mut taken) = (Vec::new(), 0, BTreeSet::new());
    for (label, answers) in counts {
        // Of equal counts the smallest label, so that the result is determined.
        let (answer, count) = answers.into_iter().max_by_key(|&(answer, count)| (count, Reverse(answer)))?;
        if !taken.insert(answer) {
            return None;
        }
        right += count;
        if answer != label {
            order.push((label, answer));
        }
    }
    (!order.is_empty()).then_some((order, right))
}

/// At most `count` images `[n, h, w, c]` and their labels, spread evenly over the data set, which may be sorted by class.
pub(crate) fn spread(images: ArrayView4<'_, f32>, labels: &[u32], count: usize) -> (Array4<f32>, Vec<u32>) {
    let step = labels.len().div_ceil(count.max(1)).max(1);
    let chosen: Vec<usize> = (0..labels.len()).step_by(step).collect();
    (images.select(Axis(0), &chosen), chosen.iter().map(|&index| labels[index]).collect())
}

#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "small known values"
)]
mod tests {
    use super::*;

    /// A model that reads a class from the first pixel of what reaches it (times ten), after `expects`.
    fn model(expects: &Preprocessing) -> impl Fn(ArrayView4<'_, f32>, &Preprocessing) -> Result<Vec<u32>, ()> {
        let expected = expects.affine(3).unwrap();
        move |images, preprocessing| {
            let given = preprocessing.affine(3).unwrap();
            Ok(images
                .outer_iter()
                .map(|image| {
                    let channel = |c: usize| {
                        let from = if preprocessing.reverse_channels { 2 - c } else { c };
                        let seen = given[c].0 * image[[0, 1, from]] + given[c].1;
                        ((seen - expected[c].1) / expected[c].0 * 10.0).round()
                    };
                    // Channels are 1, 2 and 3 tenths above the class; anything else is not understood.
                    let class = channel(0) - 1.0;
                    if channel(1) - 2.0 == class && channel(2) - 3.0 == class { class.max(0.0) as u32 } else { 99 }
                })
                .collect())
        }
    }

    fn data() -> (Array4<f32>, Vec<u32>) {
        let labels: Vec<u32> = (0..40).map(|n| n % 5).collect();
        let images = Array4::from_shape_fn((40, 2, 2, 3), |(n, h, w, c)| {
            if (h, w) == (0, 1) { (labels[n] as f32 + 1.0 + c as f32) / 10.0 } else { 0.0 }
        });
        (images, labels)
    }

    fn cause(expects: &Preprocessing, images: &Array4<f32>, labels: &[u32]) -> Option<Cause> {
        let current = Preprocessing::default();
        diagnose(images.view(), labels, &current, 0.0, model(expects)).unwrap().map(|diagnosis| {
            assert!(diagnosis.accuracy > 0.99);
            diagnosis.cause
        })
    }

    #[test]
    fn each_cause_is_named() {
        let (images, labels) = data();
        for range in [ValueRange::BYTE, ValueRange::SIGNED] {
            let expects = Preprocessing { value_range: range, ..Preprocessing::default() };
            assert_eq!(cause(&expects, &images, &labels), Some(Cause::ValueRange(range)));
        }
        let expects = Preprocessing {
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
            ..Preprocessing::default()
        };
        assert!(matches!(cause(&expects, &images, &labels), Some(Cause::Normalisation { name: "ImageNet", .. })));
        let plain = Preprocessing::default();
        let mut reversed = images.clone();
        reversed.invert_axis(Axis(3));
        assert_eq!(cause(&plain, &reversed, &labels), Some(Cause::ReversedChannels));
        let transposed = images.view().permuted_axes([0, 2, 1, 3]).as_standard_layout().into_owned();
        assert_eq!(cause(&plain, &transposed, &labels), Some(Cause::Transposed));
        assert_eq!(cause(&plain, &images.mapv(|value| 1.0 - value), &labels), Some(Cause::Inverted));
        let later: Vec<u32> = labels.iter().map(|label| label + 1).collect();
        assert_eq!(cause(&plain, &images, &later), Some(Cause::ShiftedLabels(1)));
        // Folders in the order of other names: 0 and 3 changed places.
        let other: Vec<u32> = labels.iter().map(|label| [3, 1, 2, 0, 4][*label as usize]).collect();
        assert_eq!(cause(&plain, &images, &other), Some(Cause::ReorderedLabels(vec![(0, 3), (3, 0)])));
    }

    #[test]
    fn an_order_has_a_label_of_its_own_for_each() {
        assert_eq!(reordered(&[0, 0, 1, 1], &[1, 1, 0, 1]), Some((vec![(0, 1), (1, 0)], 3)));
        assert_eq!(reordered(&[0, 0, 1, 1], &[1, 1, 1, 1]), None);
        assert_eq!(reordered(&[0, 1], &[0, 1]), None);
    }

    #[test]
    fn a_good_or_a_hopeless_model_gets_no_diagnosis() {
        let (images, labels) = data();
        let plain = Preprocessing::default();
        let found = diagnose(images.view(), &labels, &plain, 1.0, model(&plain)).unwrap();
        assert_eq!(found, None);
        let hopeless = |images: ArrayView4<'_, f32>, _: &Preprocessing| Ok::<_, ()>(vec![77; images.dim().0]);
        assert_eq!(diagnose(images.view(), &labels, &plain, 0.0, hopeless).unwrap(), None);
    }

    #[test]
    fn probes_are_spread_over_the_data() {
        let (images, labels) = data();
        let (some, their_labels) = spread(images.view(), &labels, 10);
        assert_eq!((some.dim().0, their_labels.len()), (10, 10));
        assert_eq!(their_labels[1], labels[4]);
        assert_eq!(spread(images.view(), &labels, 1000).1, labels);
    }
}
