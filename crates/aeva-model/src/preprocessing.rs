//! How images `[n, h, w, c]` in `[0, 1]` become the input of a model.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// The interval of a model's pixels, before the mean is subtracted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f32; 2]", into = "[f32; 2]")]
pub struct ValueRange {
    low: f32,
    high: f32,
}

/// How images become the input of a model: a pixel `x` in `[0, 1]` of channel `c` becomes `(low + x (high - low) - mean_c) / std_c`.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Interval of the model's pixels.
    pub value_range: ValueRange,
    /// Mean of each channel, in the unit of `value_range`; one value for all channels, or none for 0.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in the same unit; one value for all channels, or none for 1.
    pub std: Vec<f32>,
    /// Whether the model takes the channels in reverse order (BGR).
    pub reverse_channels: bool,
}

impl ValueRange {
    /// `[0, 1]`.
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };
    /// `[0, 255]`: pixels as bytes.
    pub const BYTES: Self = Self { low: 0.0, high: 255.0 };
    /// `[0, 255]`: raw 8-bit pixels.
    pub const BYTE: Self = Self { low: 0.0, high: 255.0 };
    /// `[-1, 1]`.
    pub const SIGNED: Self = Self { low: -1.0, high: 1.0 };

    /// The interval from `low` to `high`. `None` unless both are finite and `low < high`.
    pub fn new(low: f32, high: f32) -> Option<Self> {
        (low.is_finite() && high.is_finite() && low < high).then_some(Self { low, high })
    }
}

impl TryFrom<[f32; 2]> for ValueRange {
    type Error = String;

    fn try_from([low, high]: [f32; 2]) -> Result<Self, String> {
        Self::new(low, high).ok_or_else(|| format!("value range {low}..{high} is empty or not finite"))
    }
}

impl From<ValueRange> for [f32; 2] {
    fn from(range: ValueRange) -> Self {
        [range.low, range.high]
    }
}

impl FromStr for ValueRange {
    type Err = String;

    /// `LOW..HIGH`, for example `0..255`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |part: &str| part.trim().parse::<f32>().ok();
        text.split_once("..")
            .and_then(|(low, high)| Self::new(parse(low)?, parse(high)?))
            .ok_or_else(|| format!("`{text}` is not a value range: expected LOW..HIGH, for example 0..255"))
    }
}

impl fmt::Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl Default for Preprocessing {
    /// Images are the input as they are.
    fn default() -> Self {
        Self { value_range: ValueRange::UNIT, mean: Vec::new(), std: Vec::new(), reverse_channels: false }
    }
}

impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "value range {}", self.value_range)?;
        if !self.mean.is_empty() {
            write!(f, ", mean {:?}", self.mean)?;
        }
        if !self.std.is_empty() {
            write!(f, ", std {:?}", self.std)?;
        }
        if self.reverse_channels {
            write!(f, ", channels reversed")?;
        }
        Ok(())
    }
}

impl Preprocessing {
    /// Factor and summand of each channel: the model's pixel is `factor * x + summand`.
    ///
    /// # Errors
    /// [`ModelError::Preprocessing`] if mean or standard deviation has a number of values other than 0, 1 or `channels`, or values that
    /// cannot be used.
    pub(crate) fn affine(&self, channels: usize) -> Result<Vec<(f32, f32)>, ModelError> {
        let spread = |what, values: &[f32], default: f32| match values {
            [] => Ok(vec![default; channels]),
            [one] => Ok(vec![*one; channels]),
            values if values.len() == channels => Ok(values.to_vec()),
            values => Err(ModelError::Preprocessing {
                what,
                found: format!("{} values", values.len()),
                expected: format!("1 or {channels} values, one for each channel"),
            }),
        };
        let mean = spread("mean", &self.mean, 0.0)?;
        let std = spread("std", &self.std, 1.0)?;
        if let Some(bad) = mean.iter().find(|value| !value.is_finite()) {
            return Err(ModelError::Preprocessing {
                what: "mean",
                found: bad.to_string(),
                expected: "finite values".to_owned(),
            });
        }
        if let Some(bad) = std.iter().find(|value| !(value.is_finite() && **value > 0.0)) {
            return Err(ModelError::Preprocessing {
                what: "std",
                found: bad.to_string(),
                expected: "values above 0".to_owned(),
            });
        }
        let ValueRange { low, high } = self.value_range;
        Ok(mean.iter().zip(&std).map(|(mean, std)| ((high - low) / std, (low - mean) / std)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_parsed_and_checked() {
        assert_eq!("0..255".parse(), Ok(ValueRange::BYTE));
        assert_eq!("-1..1".parse(), Ok(ValueRange::SIGNED));
        assert_eq!(ValueRange::BYTE.to_string(), "0..255");
        for bad in ["255", "1..0", "0..nan", "a..b", ""] {
            assert!(bad.parse::<ValueRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn affine_maps_the_unit_interval_to_the_models_values() {
        let preprocessing = Preprocessing {
            value_range: ValueRange::BYTE,
            mean: vec![100.0, 50.0, 0.0],
            std: vec![10.0],
            ..Preprocessing::default()
        };
        let affine = preprocessing.affine(3).unwrap();
        assert_eq!(affine, [(25.5, -10.0), (25.5, -5.0), (25.5, 0.0)]);
        assert_eq!(Preprocessing::default().affine(2).unwrap(), [(1.0, 0.0); 2]);
        assert_eq!(
            Preprocessing { value_range: ValueRange::SIGNED, ..Default::default() }.affine(1).unwrap(),
            [(2.0, -1.0)]
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error = |mean: &[f32], std: &[f32]| {
            let preprocessing = Preprocessing { mean: mean.to_vec(), std: std.to_vec(), ..Preprocessing::default() };
            preprocessing.affine(3).unwrap_err().to_string()
        };
        assert!(error(&[0.5, 0.5], &[]).starts_with("mean is 2 values"));
        assert!(error(&[], &[0.0]).starts_with("std is 0"));
        assert!(error(&[f32::NAN], &[]).starts_with("mean is NaN"));
    }
}
