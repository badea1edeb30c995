//! Writes images into the input of a model.

use crate::{Layout, ModelError, Preprocessing};

/// A value of a model's input.
pub(crate) trait Pixel: Copy {
    /// The nearest one.
    fn of(value: f32) -> Self;
}

/// Turns images `[n, h, w, c]` in `[0, 1]` into the model's input.
#[derive(Debug, Clone)]
pub(crate) struct InputWriter {
    layout: Layout,
    pixels: usize,
    /// For each channel of the input: factor, summand and the image channel that it is computed from.
    channels: Vec<(f32, f32, usize)>,
}

impl InputWriter {
    /// For images of shape `[h, w, c]`.
    ///
    /// # Errors
    /// [`ModelError::Preprocessing`] when it does not fit the channels.
    pub(crate) fn new(shape: [usize; 3], layout: Layout, preprocessing: &Preprocessing) -> Result<Self, ModelError> {
        let [height, width, count] = shape;
        let affine = preprocessing.affine(count)?;
        let from = |channel| if preprocessing.reverse_channels { count - 1 - channel } else { channel };
        let channels = affine.iter().enumerate().map(|(c, &(factor, summand))| (factor, summand, from(c))).collect();
        Ok(Self { layout, pixels: height * width, channels })
    }

    /// Whether images are the input as they are, so that no copy is needed.
    pub(crate) fn passes_through(&self) -> bool {
        // Exactly these leave every value as it is.
        self.uniform() == Some((1.0, 0.0))
    }

    /// Factor and summand, where they are the same for all values and each value keeps its place.
    fn uniform(&self) -> Option<(f32, f32)> {
        let &(factor, summand, _) = self.channels.first()?;
        // With one channel both layouts are the same.
        let in_place = self.layout == Layout::Nhwc || self.channels.len() == 1;
        let same = |(channel, &other): (usize, &(f32, f32, usize))| other == (factor, summand, channel);
        (in_place && self.channels.iter().enumerate().all(same)).then_some((factor, summand))
    }

    /// Writes `images` to the beginning of `input`, and zeros to the rest.
    pub(crate) fn write<T: Pixel>(&self, images: &[f32], input: &mut [T]) {
        let (filled, padding) = input.split_at_mut(images.len());
        padding.fill(T::of(0.0));
        if self.passes_through() {
            for (to, from) in filled.iter_mut().zip(images) {
                *to = T::of(*from);
            }
            return;
        }
        if let Some((factor, summand)) = self.uniform() {
            for (to, from) in filled.iter_mut().zip(images) {
                *to = T::of(factor * from + summand);
            }
            return;
        }
        let count = self.channels.len();
        let values = self.pixels * count;
        for (image, row) in images.chunks_exact(values).zip(filled.chunks_exact_mut(values)) {
            match self.layout {
                Layout::Nhwc => {
                    for (from, to) in image.chunks_exact(count).zip(row.chunks_exact_mut(count)) {
                        for (to, &(factor, summand, channel)) in to.iter_mut().zip(&self.channels) {
                            *to = T::of(factor * from[channel] + summand);
                        }
                    }
                }
                Layout::Nchw => {
                    for (plane, &(factor, summand, channel)) in row.chunks_exact_mut(self.pixels).zip(&self.channels) {
                        for (to, from) in plane.iter_mut().zip(image.chunks_exact(count)) {
                            *to = T::of(factor * from[channel] + summand);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, clippy::cast_possible_truncation, reason = "bits are compared on purpose")]
mod tests {
    use super::*;
    use crate::ValueRange;
    use proptest::prelude::*;

    /// The formula, value by value.
    fn by_hand(images: &[f32], [h, w, c]: [usize; 3], layout: Layout, preprocessing: &Preprocessing) -> Vec<f32> {
        let affine = preprocessing.affine(c).unwrap();
        let mut input = vec![0.0; images.len()];
        for (index, value) in input.iter_mut().enumerate() {
            let (image, within) = (index / (h * w * c), index % (h * w * c));
            let (pixel, channel) = match layout {
                Layout::Nhwc => (within / c, within % c),
                Layout::Nchw => (within % (h * w), within / (h * w)),
            };
            let from = if preprocessing.reverse_channels { c - 1 - channel } else { channel };
            let (factor, summand) = affine[channel];
            *value = factor * images[image * h * w * c + pixel * c + from] + summand;
        }
        input
    }

    proptest! {
        #[test]
        fn every_path_follows_the_formula(
            shape in prop::array::uniform3(1_usize..5), count in 1_usize..4, padding in 0_usize..3,
            nchw in any::<bool>(), reverse in any::<bool>(), byte in any::<bool>(),
        ) {
            let layout = if nchw { Layout::Nchw } else { Layout::Nhwc };
            let value_range = if byte { ValueRange::BYTE } else { ValueRange::UNIT };
            let preprocessing = Preprocessing { value_range, reverse_channels: reverse, ..Preprocessing::default() };
            let values: usize = shape.iter().product();
            let images: Vec<f32> = (0..count * values).map(|i| (i as f32 * 0.618_034).fract()).collect();
            let writer = InputWriter::new(shape, layout, &preprocessing).unwrap();
            let mut input = vec![9.0; (count + padding) * values];
            writer.write(&images, &mut input);
            let expected = by_hand(&images, shape, layout, &preprocessing);
            prop_assert_eq!(&input[..images.len()], &expected[..]);
            prop_assert!(input[images.len()..].iter().all(|&value| value == 0.0));
            if writer.passes_through() {
                prop_assert_eq!(&images, &expected);
            }
        }
    }
}
