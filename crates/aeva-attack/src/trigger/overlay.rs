//! Patterns that are added to the whole image.

use serde::Serialize;

use super::parts::{Parts, TriggerArray};
use super::pattern::pattern;
use super::shaped::Shaped;
use super::stream::RandomStream;
use super::unfit::{Unfit, check_values};
use super::{Setting, grid};

/// Amplitudes are quotients of small numbers, so a larger difference means another amplitude.
const SAME_AMPLITUDE: f32 = 1e-6;

/// A pattern over the whole image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlay {
    /// Largest change of a value, images in `[0, 1]`.
    pub amplitude: f32,
    /// The pattern `[rows, columns, c]` row-major, in `[-1, 1]`; an image becomes `clip(image + amplitude * pattern, 0,
    /// 1)`. It has as many rows and columns as the image, but no more than 32; on larger images, pixels share a cell.
    #[serde(skip)]
    pub pattern: Vec<f32>,
}

impl Overlay {
    /// The pattern at the amplitude of a setting.
    pub(super) fn at(setting: Setting, pattern: Vec<f32>) -> Self {
        Self { amplitude: setting.amplitude(), pattern }
    }

    /// A pattern of any kind at the amplitude of a setting.
    pub(super) fn random(setting: Setting, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Self {
        Self::at(setting, pattern(shape, images, stream))
    }

    /// The pattern at every pixel of images `[h, w, c]`.
    fn pixels(&self, shape: [usize; 3]) -> impl Iterator<Item = f32> + '_ {
        grid::places(shape, grid::of_pattern(shape)).map(|place| self.pattern[place])
    }
}

impl Shaped for Overlay {
    fn stamp(&self, image: &[f32], shape: [usize; 3], out: &mut [f32]) {
        let added = |value: &f32, change: f32| (value + self.amplitude * change).clamp(0.0, 1.0);
        if self.pattern.len() == image.len() {
            // Every cell is a pixel, which is far faster.
            for ((out, value), &change) in out.iter_mut().zip(image).zip(&self.pattern) {
                *out = added(value, change);
            }
            return;
        }
        for ((out, value), change) in out.iter_mut().zip(image).zip(self.pixels(shape)) {
            *out = added(value, change);
        }
    }

    fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit> {
        let (found, expected) = (self.amplitude, setting.amplitude());
        let same = (found - expected).abs() <= SAME_AMPLITUDE;
        if !(same && (0.0..=1.0).contains(&found)) {
            return Err(Unfit::Amplitude { what: "pattern", found, expected });
        }
        check_values("pattern", &self.pattern, grid::of_pattern(shape).iter().product(), [-1.0, 1.0])
    }

    /// The amplitude; the pattern.
    fn parts(&self) -> Parts {
        Parts { numbers: Vec::new(), reals: vec![self.amplitude], values: self.pattern.clone() }
    }

    fn from_parts(parts: Parts) -> Result<Self, Unfit> {
        let ([], [amplitude], pattern) = parts.exactly("pattern")?;
        Ok(Self { amplitude, pattern })
    }

    /// What is added to an image.
    fn arrays(&self, shape: [usize; 3]) -> Vec<TriggerArray> {
        let added = self.pixels(shape).map(|value| value * self.amplitude).collect();
        vec![TriggerArray::values("overlay", shape, added)]
    }

    /// The pattern at full contrast, as its amplitude is too small to see.
    fn picture(&self, shape: [usize; 3]) -> Vec<f32> {
        self.pixels(shape).map(|value| 0.5 + 0.5 * value).collect()
    }

    fn describe(&self, name: &str) -> String {
        format!("{name}, at most {:.0}/255 a value,", 255.0 * self.amplitude)
    }

    fn neighbour(&self, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Self {
        let [height, width, channels] = grid::of_pattern(shape);
        let mut new = self.clone();
        if stream.chance(0.2) {
            // Moved by some cells, around the edges.
            let (down, right) = (stream.below(height), stream.below(width));
            for (i, value) in new.pattern.iter_mut().enumerate() {
                let (row, column, channel) = (i / (width * channels), i / channels % width, i % channels);
                let (row, column) = ((row + down) % height, (column + right) % width);
                *value = self.pattern[(row * width + column) * channels + channel];
            }
        } else {
            let weight = [0.25, 0.5, 1.0][stream.below(3)];
            let other = pattern(shape, images, stream);
            for (value, other) in new.pattern.iter_mut().zip(other) {
                *value = (*value + weight * other).clamp(-1.0, 1.0);
            }
        }
        new
    }

    /// The same pattern at a larger amplitude.
    fn strengthened(&self, setting: Setting, _: [usize; 3]) -> Self {
        Self::at(setting, self.pattern.clone())
    }

    /// The same pattern at a smaller amplitude.
    fn weakened(&self, setting: Setting, _: [usize; 3]) -> Vec<Self> {
        vec![Self::at(setting, self.pattern.clone())]
    }
}
