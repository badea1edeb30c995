//! Patterns that are added to the whole image.

use serde::Serialize;

use super::Setting;
use super::parts::{Parts, TriggerArray};
use super::pattern::pattern;
use super::shaped::Shaped;
use super::stream::RandomStream;
use super::unfit::{Unfit, check_values};

/// Amplitudes are quotients of small numbers, so a larger difference means another amplitude.
const SAME_AMPLITUDE: f32 = 1e-6;

/// A pattern over the whole image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlay {
    /// Largest change of a value, images in `[0, 1]`.
    pub amplitude: f32,
    /// The pattern `[h, w, c]` row-major, in `[-1, 1]`; an image becomes `clip(image + amplitude * pattern, 0, 1)`.
    #[serde(skip)]
    pub pattern: Vec<f32>,
}

impl Overlay {
    /// The pattern at the amplitude of a setting.
    pub(super) fn at(setting: Setting, pattern: Vec<f32>) -> Self {
        Self { amplitude: setting.amplitude(), pattern }
    }
}

impl Shaped for Overlay {
    fn stamp(&self, image: &[f32], _: [usize; 3], out: &mut [f32]) {
        for ((out, value), change) in out.iter_mut().zip(image).zip(&self.pattern) {
            *out = (value + self.amplitude * change).clamp(0.0, 1.0);
        }
    }

    fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit> {
        let (found, expected) = (self.amplitude, setting.amplitude());
        let same = (found - expected).abs() <= SAME_AMPLITUDE;
        if !(same && (0.0..=1.0).contains(&found)) {
            return Err(Unfit::Amplitude { what: "pattern", found, expected });
        }
        check_values("pattern", &self.pattern, shape.iter().product(), [-1.0, 1.0])
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
        let added = self.pattern.iter().map(|value| value * self.amplitude).collect();
        vec![TriggerArray::values("overlay", shape, added)]
    }

    /// The pattern at full contrast, as its amplitude is too small to see.
    fn picture(&self, _: [usize; 3]) -> Vec<f32> {
        self.pattern.iter().map(|value| 0.5 + 0.5 * value).collect()
    }

    fn describe(&self, name: &str) -> String {
        format!("{name}, at most {:.0}/255 a value,", 255.0 * self.amplitude)
    }

    fn neighbour(&self, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Self {
        let [height, width, channels] = shape;
        let mut new = self.clone();
        if stream.chance(0.2) {
            // Moved by some pixels, around the edges.
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
