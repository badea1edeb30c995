//! The common conventions for the pixels of a model, and which of them a model was made for.
//!
//! A model does not state how its pixels are scaled. If the user does not state it either, the common conventions are tried on clean
//! images. The result remains an assumption, which a scan reports. If several conventions fit, the user has to decide.

use ndarray::ArrayView4;

use crate::{Preprocessing, ValueRange};

/// A convention is believed if it gains this much accuracy, or removes this share of the errors.
const GAIN: f64 = 0.2;
const ERRORS_EXPLAINED: f64 = 2.0 / 3.0;
/// Share of the images that must be right with it.
const PLAUSIBLE: f64 = 0.5;
/// Largest p-value of a one-sided sign test on the images whose correctness it changes.
const MAX_P_VALUE: f64 = 0.01;
/// Conventions whose accuracy is this close to the best one's fit as well.
const ALIKE: f64 = 0.05;

/// A common convention for the pixels of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Convention {
    /// Its name, for people.
    pub name: &'static str,
    /// How images in `[0, 1]` become the model's input.
    pub preprocessing: Preprocessing,
}

/// A convention, and the share of clean images that a model gets right with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The convention.
    pub convention: Convention,
    /// Share of the images that are right.
    pub accuracy: f64,
}

/// Which convention a model was made for.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// Pixels in `[0, 1]`, as they are: no other convention is clearly better.
    Plain,
    /// Another one, which is clearly better than pixels in `[0, 1]`.
    Other(Fit),
    /// One of several others, best first. They are about equally good, so the answers cannot tell which one it is.
    Several(Vec<Fit>),
}

/// The common conventions for images with this number of channels. Pixels in `[0, 1]` come first.
pub fn conventions(channels: usize) -> Vec<Convention> {
    let ranges = [
        ("pixels in 0..1", ValueRange::UNIT),
        ("pixels in 0..255", ValueRange::BYTE),
        ("pixels in -1..1", ValueRange::SIGNED),
    ];
    let plain = |(name, value_range)| Convention {
        name,
        preprocessing: Preprocessing { value_range, ..Preprocessing::default() },
    };
    let mut all: Vec<Convention> = ranges.into_iter().map(plain).collect();
    for (name, mean, std) in usual_constants(channels) {
        all.push(Convention { name, preprocessing: Preprocessing { mean, std, ..Preprocessing::default() } });
    }
    if channels == 3 {
        all.push(Convention {
            name: "Caffe's (mean of ImageNet, BGR)",
            preprocessing: Preprocessing {
                value_range: ValueRange::BYTE,
                mean: vec![103.939, 116.779, 123.68],
                std: Vec::new(),
                reverse_channels: true,
            },
        });
    }
    all
}

/// Well-known data sets of images with this number of channels, each with its mean and standard deviation for pixels in `[0, 1]`.
pub(crate) fn usual_constants(channels: usize) -> Vec<(&'static str, Vec<f32>, Vec<f32>)> {
    match channels {
        3 => vec![
            ("ImageNet", vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
            ("CIFAR-10", vec![0.4914, 0.4822, 0.4465], vec![0.2470, 0.2435, 0.2616]),
        ],
        1 => vec![("MNIST", vec![0.1307], vec![0.3081])],
        _ => Vec::new(),
    }
}

/// Tries the common conventions on `images` `[n, h, w, c]` with these labels. `predict` returns the labels that the model gives to
/// images with a preprocessing.
///
/// Pixels in `[0, 1]` are kept unless another convention removes most of the errors, and by more than chance. Many models are hardly
/// sensitive to the scale, and for those this is the least harmful assumption.
///
/// # Errors
/// Those of `predict`.
pub fn settle<E>(
    images: ArrayView4<'_, f32>,
    labels: &[u32],
    mut predict: impl FnMut(ArrayView4<'_, f32>, &Preprocessing) -> Result<Vec<u32>, E>,
) -> Result<Settled, E> {
    let mut right = |preprocessing: &Preprocessing| -> Result<Vec<bool>, E> {
        Ok(predict(images, preprocessing)?.iter().zip(labels).map(|(answer, label)| answer == label).collect())
    };
    let share = |right: &[bool]| right.iter().filter(|&&right| right).count() as f64 / labels.len().max(1) as f64;
    let mut all = conventions(images.dim().3).into_iter();
    let plain = match all.next() {
        Some(convention) => right(&convention.preprocessing)?,
        None => return Ok(Settled::Plain),
    };
    let accuracy = share(&plain);
    let needed = (accuracy + GAIN.min(ERRORS_EXPLAINED * (1.0 - accuracy))).max(PLAUSIBLE);
    let mut better = Vec::new();
    for convention in all {
        let found = right(&convention.preprocessing)?;
        let gained = found.iter().zip(&plain).filter(|&(&found, &plain)| found && !plain).count();
        let lost = found.iter().zip(&plain).filter(|&(&found, &plain)| !found && plain).count();
        let accuracy = share(&found);
        if accuracy >= needed && sign_test(gained, lost) <= MAX_P_VALUE {
            better.push(Fit { convention, accuracy });
        }
    }
    // The sort is stable: of equally good ones, the more common one comes first.
    better.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    let best = better.first().map_or(0.0, |fit| fit.accuracy);
    better.retain(|fit| fit.accuracy >= best - ALIKE);
    Ok(match better.len() {
        0 => Settled::Plain,
        1 => Settled::Other(better.remove(0)),
        _ => Settled::Several(better),
    })
}

/// Probability of at least `gained` heads in `gained + lost` tosses of a coin.
fn sign_test(gained: usize, lost: usize) -> f64 {
    let throws = gained + lost;
    let (mut term, mut sum) = (0.5_f64.powi(i32::try_from(throws).unwrap_or(i32::MAX)), 0.0);
    // From all heads downwards: C(n, k) grows by k / (n - k + 1) when k falls by one.
    for heads in (gained..=throws).rev() {
        sum += term;
        term *= heads as f64 / (throws - heads + 1) as f64;
    }
    sum.min(1.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "known values")]
mod tests {
    use super::*;
    use ndarray::Array4;

    /// Two hundred images of five classes; the class stands in a pixel.
    fn data() -> (Array4<f32>, Vec<u32>) {
        let labels: Vec<u32> = (0..200).map(|n| n % 5).collect();
        let images = Array4::from_shape_fn((200, 1, 1, 3), |(n, _, _, c)| labels[n] as f32 / 10.0 + 0.03 * c as f32);
        (images, labels)
    }

    /// What a model settles on that gets this share of the images right with each way of asking.
    fn settled(accuracy: impl Fn(&Preprocessing) -> f64) -> Settled {
        let (images, labels) = data();
        let predict = |images: ArrayView4<'_, f32>, preprocessing: &Preprocessing| {
            let right = (accuracy(preprocessing) * images.dim().0 as f64) as usize;
            Ok::<_, ()>(labels.iter().enumerate().map(|(n, &l)| if n < right { l } else { 9 }).collect())
        };
        settle(images.view(), &labels, predict).unwrap()
    }

    fn names(settled: &Settled) -> Vec<&'static str> {
        match settled {
            Settled::Plain => Vec::new(),
            Settled::Other(fit) => vec![fit.convention.name],
            Settled::Several(fits) => fits.iter().map(|fit| fit.convention.name).collect(),
        }
    }

    fn is_image_net(preprocessing: &Preprocessing) -> bool {
        preprocessing.mean.first() == Some(&0.485)
    }

    #[test]
    fn plain_pixels_stay_unless_something_is_clearly_better() {
        assert_eq!(settled(|_| 0.9), Settled::Plain);
        assert_eq!(settled(|p| if *p == Preprocessing::default() { 0.93 } else { 0.95 }), Settled::Plain);
        // A hopeless model, and one that is a little less hopeless in another way.
        assert_eq!(settled(|p| if is_image_net(p) { 0.4 } else { 0.1 }), Settled::Plain);
    }

    #[test]
    fn one_that_fits_is_found_and_several_are_a_question() {
        assert_eq!(names(&settled(|p| if is_image_net(p) { 1.0 } else { 0.475 })), ["ImageNet"]);
        // The usual constants matter even where plain pixels do not badly.
        assert_eq!(names(&settled(|p| if is_image_net(p) { 1.0 } else { 0.83 })), ["ImageNet"]);
        let both = settled(|p| if is_image_net(p) || p.value_range == ValueRange::SIGNED { 1.0 } else { 0.475 });
        assert_eq!(names(&both), ["pixels in -1..1", "ImageNet"]);
        let apart = settled(|p| match (is_image_net(p), p.value_range == ValueRange::SIGNED) {
            (true, _) => 1.0,
            (_, true) => 0.9,
            _ => 0.3,
        });
        assert_eq!(names(&apart), ["ImageNet"]);
    }

    #[test]
    fn luck_is_a_binomial_tail() {
        assert!((sign_test(7, 0) - 1.0 / 128.0).abs() < 1e-12);
        assert!((sign_test(3, 1) - 5.0 / 16.0).abs() < 1e-12);
        assert!((sign_test(0, 0) - 1.0).abs() < 1e-12 && (sign_test(0, 5) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn every_convention_fits_its_channels() {
        for channels in [1, 3, 4] {
            for convention in conventions(channels) {
                assert!(convention.preprocessing.affine(channels).is_ok(), "{convention:?}");
            }
        }
    }
}
