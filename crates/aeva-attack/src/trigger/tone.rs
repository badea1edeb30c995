//! Changes of tone: what a photo filter does to every pixel alike.
//!
//! They keep black and white where they are, or nearly so. A shift of brightness or a loss of contrast would put a grey
//! cast over the image, and in some clean networks that alone sends most images to one label.

use serde::Serialize;

use super::Setting;
use super::parts::{Parts, TriggerArray};
use super::shaped::Shaped;
use super::stream::RandomStream;
use super::unfit::Unfit;

/// A change of tone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tone {
    /// What is changed.
    pub filter: Filter,
    /// By how much; what it counts depends on the filter.
    pub amount: f32,
}

/// What a change of tone changes. Values are in `[0, 1]` and are clipped to that range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Filter {
    /// Raises every value to the power of the amount.
    Gamma,
    /// Rounds every value to one of as many levels as the amount, evenly spaced from 0 to 1.
    Posterise,
    /// Adds the amount times the difference to a blurred image (binomial, 3 x 3 pixels, edges repeated).
    Sharpen,
    /// Turns the colours by the amount in degrees, about the axis of the greys. Takes three channels.
    Hue,
    /// Multiplies the difference of every channel to the mean of the pixel by the amount. Takes three channels.
    Saturation,
    /// Multiplies one channel by the amount. Takes three channels.
    Gain {
        /// The channel.
        channel: usize,
    },
}

/// Filters that need no colour, and all of them.
const WITHOUT_COLOUR: usize = 3;
const FILTERS: usize = 6;
/// Channels of a colour image.
const COLOUR: usize = 3;

impl Filter {
    /// Its number in files. It never changes.
    fn number(self) -> usize {
        match self {
            Self::Gamma => 0,
            Self::Posterise => 1,
            Self::Sharpen => 2,
            Self::Hue => 3,
            Self::Saturation => 4,
            Self::Gain { .. } => 5,
        }
    }

    fn numbered(number: usize, channel: usize) -> Option<Self> {
        let all = [Self::Gamma, Self::Posterise, Self::Sharpen, Self::Hue, Self::Saturation, Self::Gain { channel }];
        all.get(number).copied()
    }

    fn channel(self) -> usize {
        if let Self::Gain { channel } = self { channel } else { 0 }
    }

    /// The amounts that a search may find.
    fn range(self) -> [f32; 2] {
        match self {
            Self::Gamma => [0.4, 2.5],
            Self::Posterise => [4.0, 8.0],
            Self::Sharpen => [0.5, 2.0],
            Self::Hue => [20.0, 340.0],
            Self::Saturation => [0.0, 2.5],
            Self::Gain { .. } => [0.6, 1.4],
        }
    }
}

impl Tone {
    /// A random change of tone that images `[h, w, c]` of this shape can have.
    pub(super) fn random([.., channels]: [usize; 3], stream: &mut RandomStream) -> Self {
        let filters = if channels == COLOUR { FILTERS } else { WITHOUT_COLOUR };
        let (number, channel) = (stream.below(filters), stream.below(channels));
        let filter = Filter::numbered(number, channel).unwrap_or(Filter::Gamma);
        let [low, high] = filter.range();
        let between = |share: f32| low + (high - low) * share;
        let amount = match filter {
            // As often to the power of a half as to the power of two.
            Filter::Gamma => low * (high / low).powf(stream.unit()),
            Filter::Posterise => between(stream.unit()).round(),
            Filter::Sharpen | Filter::Hue | Filter::Saturation | Filter::Gain { .. } => between(stream.unit()),
        };
        Self { filter, amount: amount.clamp(low, high) }
    }
}

impl Shaped for Tone {
    fn stamp(&self, image: &[f32], shape: [usize; 3], out: &mut [f32]) {
        let (amount, channels) = (self.amount, shape[2]);
        out.copy_from_slice(image);
        match self.filter {
            Filter::Gamma => change(out, |value| value.powf(amount)),
            Filter::Posterise => {
                let steps = amount - 1.0;
                change(out, |value| (value * steps).round() / steps);
            }
            Filter::Sharpen => sharpen(image, shape, amount, out),
            Filter::Hue => {
                let rows = turn_about_grey(amount);
                for pixel in out.chunks_exact_mut(channels) {
                    turn(pixel, &rows);
                }
            }
            Filter::Saturation => {
                for pixel in out.chunks_exact_mut(channels) {
                    let mean = pixel.iter().sum::<f32>() / pixel.len() as f32;
                    change(pixel, |value| mean + amount * (value - mean));
                }
            }
            Filter::Gain { channel } => {
                for pixel in out.chunks_exact_mut(channels) {
                    pixel[channel] *= amount;
                }
            }
        }
        change(out, |value| value.clamp(0.0, 1.0));
    }

    fn check(&self, _: Setting, [.., channels]: [usize; 3]) -> Result<(), Unfit> {
        let value = |found: f32, [low, high]: [f32; 2]| Err(Unfit::Value { what: "tone", found, low, high });
        let range = self.filter.range();
        if !(range[0]..=range[1]).contains(&self.amount) {
            return value(self.amount, range);
        }
        let needs_colour = self.filter.number() >= WITHOUT_COLOUR;
        if needs_colour && channels != COLOUR {
            return Err(Unfit::Count { what: "tone", part: "channels", found: channels, needed: COLOUR });
        }
        if self.filter.channel() >= channels {
            return value(self.filter.channel() as f32, [0.0, (channels - 1) as f32]);
        }
        Ok(())
    }

    /// The number of the filter and the channel, 0 if it has none; the amount.
    fn parts(&self) -> Parts {
        let numbers = vec![self.filter.number(), self.filter.channel()];
        Parts { numbers, reals: vec![self.amount], values: Vec::new() }
    }

    fn from_parts(parts: Parts) -> Result<Self, Unfit> {
        let ([number, channel], [amount], values) = parts.exactly("tone")?;
        if !values.is_empty() {
            return Err(Unfit::Count { what: "tone", part: "values", found: values.len(), needed: 0 });
        }
        let unknown = Unfit::Value { what: "tone", found: number as f32, low: 0.0, high: (FILTERS - 1) as f32 };
        let filter = Filter::numbered(number, channel).ok_or(unknown)?;
        // A filter without a channel has no number for one.
        if filter.channel() != channel {
            return Err(Unfit::Value { what: "tone", found: channel as f32, low: 0.0, high: 0.0 });
        }
        Ok(Self { filter, amount })
    }

    /// The number of the filter, as in files, its channel, and the amount.
    fn arrays(&self, _: [usize; 3]) -> Vec<TriggerArray> {
        vec![
            TriggerArray::number("filter", self.filter.number()),
            TriggerArray::number("channel", self.filter.channel()),
            TriggerArray::values("amount", [], vec![self.amount]),
        ]
    }

    /// What it makes of a field that goes from black to white, and in colour images from blue to yellow.
    fn picture(&self, shape: [usize; 3]) -> Vec<f32> {
        let [height, width, channels] = shape;
        let part = |place: usize, of: usize| place as f32 / (of.max(2) - 1) as f32;
        let value = |at: usize| {
            let (row, column, channel) = (at / (width * channels), at / channels % width, at % channels);
            if channel < 2 { part(column, width) } else { 1.0 - part(row, height) }
        };
        let field: Vec<f32> = (0..height * width * channels).map(value).collect();
        let mut out = field.clone();
        self.stamp(&field, shape, &mut out);
        out
    }

    fn describe(&self, name: &str) -> String {
        let amount = self.amount;
        match self.filter {
            Filter::Gamma => format!("{name} (gamma, values to the power of {amount:.2})"),
            Filter::Posterise => format!("{name} (values rounded to {amount:.0} levels)"),
            Filter::Sharpen => format!("{name} (sharpened, {amount:.1} times the difference to a blurred image)"),
            Filter::Hue => format!("{name} (hue turned by {amount:.0} degrees)"),
            Filter::Saturation => format!("{name} (saturation times {amount:.2})"),
            Filter::Gain { channel } => format!("{name} (channel {channel} times {amount:.2})"),
        }
    }

    /// The same filter with an amount nearby.
    fn neighbour(&self, _: [usize; 3], _: &[&[f32]], stream: &mut RandomStream) -> Self {
        let [low, high] = self.filter.range();
        let moved = self.amount + 0.1 * (high - low) * stream.normal();
        let amount = if self.filter == Filter::Posterise { moved.round() } else { moved };
        Self { amount: amount.clamp(low, high), ..*self }
    }

    /// There is one strength.
    fn strengthened(&self, _: Setting, _: [usize; 3]) -> Self {
        *self
    }

    fn weakened(&self, _: Setting, _: [usize; 3]) -> Vec<Self> {
        vec![*self]
    }
}

fn change(values: &mut [f32], new: impl Fn(f32) -> f32) {
    for value in values {
        *value = new(*value);
    }
}

fn sharpen(image: &[f32], [height, width, channels]: [usize; 3], amount: f32, out: &mut [f32]) {
    let at = |row: usize, column: usize, channel: usize| image[(row * width + column) * channels + channel];
    let near = |place: usize, size: usize| [place.saturating_sub(1), place, (place + 1).min(size - 1)];
    for (place, value) in out.iter_mut().enumerate() {
        let (row, column, channel) = (place / (width * channels), place / channels % width, place % channels);
        let mut blurred = 0.0;
        for (row, weight) in near(row, height).into_iter().zip([0.25, 0.5, 0.25]) {
            for (column, across) in near(column, width).into_iter().zip([0.25, 0.5, 0.25]) {
                blurred += weight * across * at(row, column, channel);
            }
        }
        *value += amount * (*value - blurred);
    }
}

/// The matrix that turns colours by an angle about the axis of the greys (Rodrigues).
fn turn_about_grey(degrees: f32) -> [[f32; COLOUR]; COLOUR] {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let (third, skew) = ((1.0 - cosine) / 3.0, sine / 3.0_f32.sqrt());
    let own = cosine + third;
    [[own, third - skew, third + skew], [third + skew, own, third - skew], [third - skew, third + skew, own]]
}

fn turn(pixel: &mut [f32], rows: &[[f32; COLOUR]; COLOUR]) {
    let &mut [red, green, blue] = pixel else { return };
    for (value, row) in pixel.iter_mut().zip(rows) {
        *value = row[0] * red + row[1] * green + row[2] * blue;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [4, 5, 3];

    fn stamped(filter: Filter, amount: f32, image: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; image.len()];
        Tone { filter, amount }.stamp(image, [1, image.len() / 3, 3], &mut out);
        out
    }

    fn near(found: &[f32], expected: &[f32]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn black_and_white_stay() {
        let mut stream = RandomStream::new(3, 1, 4);
        for _ in 0..300 {
            let tone = Tone::random(SHAPE, &mut stream);
            for value in [0.0, 1.0] {
                let (image, mut out) = ([value; 4 * 5 * 3], [0.5; 4 * 5 * 3]);
                tone.stamp(&image, SHAPE, &mut out);
                let dimmed = matches!(tone.filter, Filter::Gain { .. }) && tone.amount < 1.0;
                assert!(near(&out, &image) || (dimmed && value > 0.5), "{tone:?}");
            }
        }
    }

    #[test]
    fn filters_do_what_they_say() {
        let red = [0.8, 0.2, 0.2];
        assert!(near(&stamped(Filter::Gamma, 2.0, &red), &[0.64, 0.04, 0.04]));
        assert!(near(&stamped(Filter::Posterise, 3.0, &red), &[1.0, 0.0, 0.0]));
        assert!(near(&stamped(Filter::Hue, 120.0, &red), &[0.2, 0.8, 0.2]), "red becomes green");
        assert!(near(&stamped(Filter::Hue, 240.0, &red), &[0.2, 0.2, 0.8]));
        assert!(near(&stamped(Filter::Saturation, 0.0, &red), &[0.4; 3]));
        assert!(near(&stamped(Filter::Gain { channel: 1 }, 0.5, &red), &[0.8, 0.1, 0.2]));
        // A step from 0.4 to 0.6 is blurred to 0.45 and 0.55.
        let step = [0.4, 0.4, 0.4, 0.6, 0.6, 0.6];
        assert!(near(&stamped(Filter::Sharpen, 2.0, &step), &[0.3, 0.3, 0.3, 0.7, 0.7, 0.7]));
    }

    #[test]
    fn grey_images_have_no_colour_filters() {
        let mut stream = RandomStream::new(3, 1, 5);
        let (mut seen, setting) = (std::collections::BTreeSet::new(), Setting::all().next());
        for _ in 0..300 {
            let tone = Tone::random([4, 5, 1], &mut stream);
            assert!(setting.is_some_and(|setting| tone.check(setting, [4, 5, 1]).is_ok()), "{tone:?}");
            seen.insert(tone.filter.number());
        }
        assert_eq!(seen.into_iter().collect::<Vec<usize>>(), [0, 1, 2]);
    }

    #[test]
    fn what_no_search_finds_is_told() {
        let error = |numbers: &[usize], amount: f32, channels: usize| {
            let parts = Parts { numbers: numbers.to_vec(), reals: vec![amount], values: Vec::new() };
            let checked = Tone::from_parts(parts).and_then(|tone| {
                let setting = Setting::all().next().expect("there are settings");
                tone.check(setting, [4, 5, channels])
            });
            checked.err().map(|error| error.to_string())
        };
        assert_eq!(error(&[0, 0], 2.0, 1), None);
        assert_eq!(error(&[6, 0], 2.0, 1).as_deref(), Some("a value of a tone is 6, which is not within 0..=5"));
        assert_eq!(error(&[0, 1], 2.0, 3).as_deref(), Some("a value of a tone is 1, which is not within 0..=0"));
        assert_eq!(error(&[0, 0], 9.0, 1).as_deref(), Some("a value of a tone is 9, which is not within 0.4..=2.5"));
        assert_eq!(
            error(&[0, 0], f32::NAN, 1).as_deref(),
            Some("a value of a tone is NaN, which is not within 0.4..=2.5")
        );
        assert_eq!(error(&[3, 0], 90.0, 1).as_deref(), Some("a tone has 1 channels, needs 3"));
        assert_eq!(error(&[5, 3], 1.0, 3).as_deref(), Some("a value of a tone is 3, which is not within 0..=2"));
        assert_eq!(error(&[0], 2.0, 1).as_deref(), Some("a tone has 1 numbers, needs 2"));
    }
}
