//! Tells models apart that have no file to take a digest of.

use aeva_attack::{HardLabelOracle, Label};
use ndarray::{Array4, ArrayView4, Axis};

use super::error::LoadError;
use super::questions::Questions;
use crate::digest::sha256_hex;

/// Number of images of a fingerprint.
const PROBES: usize = 256;

/// SHA-256 over the labels of made-up images. They lie half-way between two clean images, where models that agree on all clean images
/// differ. The images depend on the data alone.
pub(super) fn fingerprint<O: HardLabelOracle>(questions: &mut Questions<'_, O>) -> Result<Fingerprint, LoadError> {
    let images = between(questions.data.images.view());
    let labels = questions.first_of_any(images.view())?;
    let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    Ok(Fingerprint { sha256: sha256_hex(&bytes), images, labels })
}

/// What tells a model from others.
pub(super) struct Fingerprint {
    /// SHA-256 over the labels.
    pub(super) sha256: String,
    /// `[n, h, w, c]`.
    pub(super) images: Array4<f32>,
    pub(super) labels: Vec<Label>,
}

/// Images half-way between two of `images` `[n, h, w, c]`, far apart in their order, so that most pairs are of two classes.
fn between(images: ArrayView4<'_, f32>) -> Array4<f32> {
    let count = images.dim().0.max(1);
    // Strides without a common divisor with most numbers of images, so that no pair comes twice early.
    let pair = |probe: usize| ((probe * 7) % count, (probe * 61 + count / 2 + probe / count) % count);
    let (ones, others): (Vec<_>, Vec<_>) = (0..PROBES).map(pair).unzip();
    (images.select(Axis(0), &ones) + images.select(Axis(0), &others)) * 0.5
}

#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
mod tests {
    use super::*;

    #[test]
    fn probes_lie_between_images_that_differ() {
        let images = Array4::from_shape_fn((1000, 1, 1, 1), |(n, ..)| n as f32 / 1000.0);
        let probes = between(images.view());
        assert_eq!(probes.dim(), (PROBES, 1, 1, 1));
        let mut values: Vec<u32> = probes.iter().map(|value| (value * 2000.0).round() as u32).collect();
        values.sort_unstable();
        values.dedup();
        assert!(values.len() > 200, "{}", values.len());
        assert_eq!(between(images.slice(ndarray::s![..1, .., .., ..])).dim().0, PROBES, "one image is enough");
    }
}
