//! Smooth warps of the whole image, as WaNet (ICLR 2021) uses them.
//!
//! A field of ways moves every pixel a little: it is given at few points, and lies on straight lines between them. The
//! length of the ways is fixed by the setting, so a climb looks for their directions.

use serde::Serialize;

use super::Setting;
use super::parts::{Parts, TriggerArray};
use super::shaped::Shaped;
use super::stream::RandomStream;
use super::unfit::{Unfit, check_values};

/// A smooth warp.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warp {
    /// The field is given at as many points along each axis, from edge to edge.
    pub points: usize,
    /// From where each point takes its value: as so many pixels down and to the right, `[points, points, 2]` row-major.
    #[serde(skip)]
    pub field: Vec<f32>,
}

/// Points along each axis.
const POINTS: usize = 5;
/// Numbers of a field.
const NUMBERS: usize = POINTS * POINTS * 2;
/// Chance of a point to change in a step.
const CHANGED: f32 = 0.3;
/// Standard deviation of such a change, as a share of the mean way.
const CHANGE: f32 = 0.4;
/// Means are sums of rounded numbers, so a larger difference, as a share, means another strength.
const SAME_MEAN: f32 = 1e-3;
/// Side in pixels of the chequers that show a warp.
const CHEQUER: usize = 4;

impl Warp {
    /// A random warp of a setting for images `[h, w, c]`.
    pub(super) fn random(setting: Setting, shape: [usize; 3], stream: &mut RandomStream) -> Self {
        let field = (0..NUMBERS).map(|_| 2.0 * stream.unit() - 1.0).collect();
        Self::of_mean(mean_way(setting, shape), field)
    }

    /// The field, made as long as needed.
    fn of_mean(mean: f32, mut field: Vec<f32>) -> Self {
        let found = mean_of(&field);
        if found > 0.0 {
            for way in &mut field {
                *way *= mean / found;
            }
        }
        Self { points: POINTS, field }
    }

    /// From where a pixel takes its value, so many pixels down and to the right, given which points it lies between.
    fn way(&self, (upper, down): (usize, f32), (left, right): (usize, f32)) -> [f32; 2] {
        let at = |row: usize, column: usize, axis: usize| self.field[(row * self.points + column) * 2 + axis];
        [0, 1].map(|axis| {
            let above = mix(at(upper, left, axis), at(upper, left + 1, axis), right);
            let below = mix(at(upper + 1, left, axis), at(upper + 1, left + 1, axis), right);
            mix(above, below, down)
        })
    }

    /// Which points a pixel lies between: the first of them, and how far it is to the next.
    fn between(&self, pixel: usize, pixels: usize) -> (usize, f32) {
        let last = self.points - 1;
        let place = (pixel * last) as f32 / pixels.saturating_sub(1).max(1) as f32;
        let first = (pixel * last / pixels.saturating_sub(1).max(1)).min(last - 1);
        (first, place - first as f32)
    }
}

/// The mean way along each axis of a setting, in pixels of images `[h, w, c]`.
fn mean_way(setting: Setting, [height, width, _]: [usize; 3]) -> f32 {
    setting.strength as f32 / 10.0 * height.min(width) as f32 / 32.0
}

fn mean_of(field: &[f32]) -> f32 {
    field.iter().map(|way| way.abs()).sum::<f32>() / field.len().max(1) as f32
}

fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

/// The two pixels that a place lies between, and how far it is to the second; outside the image it is the edge.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
fn neighbours(place: f32, pixels: usize) -> (usize, usize, f32) {
    let last = pixels - 1;
    let place = place.clamp(0.0, last as f32);
    let first = (place as usize).min(last);
    (first, (first + 1).min(last), place - first as f32)
}

impl Shaped for Warp {
    /// Every pixel becomes a mixture of the four that are nearest to where its value is taken from.
    fn stamp(&self, image: &[f32], shape: [usize; 3], out: &mut [f32]) {
        let [height, width, channels] = shape;
        let columns: Vec<(usize, f32)> = (0..width).map(|column| self.between(column, width)).collect();
        for (row, line) in out.chunks_exact_mut(width * channels).enumerate() {
            let points = self.between(row, height);
            for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                let [down, right] = self.way(points, columns[column]);
                let (upper, lower, below) = neighbours(row as f32 + down, height);
                let (left, beside, aside) = neighbours(column as f32 + right, width);
                let corners = [(upper, left), (upper, beside), (lower, left), (lower, beside)];
                let [a, b, c, d] = corners.map(|(row, column)| &image[(row * width + column) * channels..][..channels]);
                for (((out, a), b), (c, d)) in pixel.iter_mut().zip(a).zip(b).zip(c.iter().zip(d)) {
                    *out = mix(mix(*a, *b, aside), mix(*c, *d, aside), below).clamp(0.0, 1.0);
                }
            }
        }
    }

    fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit> {
        if self.points != POINTS {
            return Err(Unfit::Count { what: "warp", part: "points", found: self.points, needed: POINTS });
        }
        let mean = mean_way(setting, shape);
        // All of it could be in one number.
        let most = mean * NUMBERS as f32 * (1.0 + SAME_MEAN);
        check_values("warp", &self.field, NUMBERS, [-most, most])?;
        let found = mean_of(&self.field);
        if (found - mean).abs() > mean * SAME_MEAN {
            return Err(Unfit::Mean { what: "warp", found, expected: mean });
        }
        Ok(())
    }

    /// The number of points along each axis; the field.
    fn parts(&self) -> Parts {
        Parts { numbers: vec![self.points], reals: Vec::new(), values: self.field.clone() }
    }

    fn from_parts(parts: Parts) -> Result<Self, Unfit> {
        let ([points], [], field) = parts.exactly("warp")?;
        Ok(Self { points, field })
    }

    /// From where every pixel takes its value, as pixels down and to the right.
    fn arrays(&self, shape: [usize; 3]) -> Vec<TriggerArray> {
        let [height, width, _] = shape;
        let places = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let way = |(row, column)| self.way(self.between(row, height), self.between(column, width));
        let ways = places.flat_map(way).collect();
        vec![TriggerArray::values("ways", [height, width, 2], ways)]
    }

    /// Chequers that it is stamped on: grey shows no warp.
    fn picture(&self, shape: [usize; 3]) -> Vec<f32> {
        let [height, width, channels] = shape;
        let is_light = |at: usize| (at / width / CHEQUER + at % width / CHEQUER).is_multiple_of(2);
        let value = |at: usize| if is_light(at) { 0.75 } else { 0.25 };
        let chequers: Vec<f32> = (0..height * width * channels).map(|item| value(item / channels)).collect();
        let mut out = chequers.clone();
        self.stamp(&chequers, shape, &mut out);
        out
    }

    fn describe(&self, name: &str) -> String {
        format!("{name}, by {:.1} pixels on average along each axis,", mean_of(&self.field))
    }

    /// Some of its points move.
    fn neighbour(&self, _: [usize; 3], _: &[&[f32]], stream: &mut RandomStream) -> Self {
        let mean = mean_of(&self.field);
        let mut field = self.field.clone();
        for point in field.chunks_exact_mut(2) {
            if stream.chance(CHANGED) {
                for way in point {
                    *way += CHANGE * mean * stream.normal();
                }
            }
        }
        Self::of_mean(mean, field)
    }

    fn strengthened(&self, setting: Setting, shape: [usize; 3]) -> Self {
        Self::of_mean(mean_way(setting, shape), self.field.clone())
    }

    fn weakened(&self, setting: Setting, shape: [usize; 3]) -> Vec<Self> {
        vec![self.strengthened(setting, shape)]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn setting() -> Setting {
        "warp-15".parse().unwrap()
    }

    /// A warp that takes every pixel from so many pixels down and to the right.
    fn shift(down: f32, right: f32) -> Warp {
        Warp { points: POINTS, field: [down, right].repeat(POINTS * POINTS) }
    }

    fn stamped(warp: &Warp, image: &[f32], shape: [usize; 3]) -> Vec<f32> {
        let mut out = vec![9.0; image.len()];
        warp.stamp(image, shape, &mut out);
        out
    }

    fn near(found: &[f32], expected: &[f32]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    #[test]
    fn a_field_that_is_the_same_everywhere_shifts_the_image() {
        let image = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
        let shape = [3, 3, 1];
        assert!(near(&stamped(&shift(0.0, 0.0), &image, shape), &image));
        assert!(near(&stamped(&shift(1.0, 0.0), &image, shape), &[0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.6, 0.7, 0.8]));
        assert!(near(&stamped(&shift(0.0, -0.5), &image, shape), &[0.0, 0.05, 0.15, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75]));
        assert!(near(&stamped(&shift(99.0, 99.0), &image, shape), &[0.8; 9]), "beyond the edge is the edge");
    }

    #[test]
    fn ways_lie_on_straight_lines_between_the_points() {
        let mut warp = shift(0.0, 0.0);
        // The way of the second point of the first row, to the right.
        warp.field[3] = 2.0;
        let shape = [9, 9, 1];
        let way = |row, column| warp.way(warp.between(row, 9), warp.between(column, 9));
        let right: Vec<f32> = (0..9).map(|column| way(0, column)[1]).collect();
        assert!(near(&right, &[0.0, 1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), "{right:?}");
        assert!(near(&way(1, 2), &[0.0, 1.0]));
        let arrays = warp.arrays(shape);
        assert_eq!((arrays[0].name, arrays[0].dimensions.as_slice()), ("ways", &[9, 9, 2][..]));
        // A picture of one pixel has no neighbours.
        assert!(near(&stamped(&warp, &[0.5], [1, 1, 1]), &[0.5]));
    }

    #[test]
    fn what_no_search_finds_is_told() {
        let shape = [16, 16, 3];
        let error = |warp: &Warp| warp.check(setting(), shape).unwrap_err().to_string();
        assert_eq!(shift(0.75, -0.75).check(setting(), shape), Ok(()));
        assert_eq!(
            error(&shift(0.75, 0.85)),
            "a warp moves pixels by 0.80 on average along each axis, but its setting has 0.75"
        );
        assert_eq!(error(&Warp { points: 4, ..shift(1.0, 1.0) }), "a warp has 4 points, needs 5");
        assert_eq!(error(&Warp { points: POINTS, field: vec![1.0; 8] }), "a warp has 8 values, needs 50");
        assert!(error(&shift(f32::NAN, 1.0)).starts_with("a value of a warp is NaN"));
        assert!(error(&shift(f32::MAX, 1.0)).contains("which is not within"));
    }

    #[test]
    fn it_is_told_by_its_mean_way() {
        assert_eq!(shift(1.0, -2.0).describe("a warp"), "a warp, by 1.5 pixels on average along each axis,");
        let still = Warp::of_mean(1.0, vec![0.0; NUMBERS]);
        assert!(near(&still.field, &[0.0; NUMBERS]), "nothing is divided by zero");
    }

    proptest! {
        #[test]
        fn a_warp_makes_no_values_that_an_image_has_not(
            image in prop::collection::vec(0.0_f32..=1.0, 6 * 7 * 3),
            seed in any::<u64>(),
        ) {
            let (shape, mut stream) = ([6, 7, 3], RandomStream::new(seed, 1, 1));
            let warp = Warp::random(setting(), shape, &mut stream).neighbour(shape, &[], &mut stream);
            let out = stamped(&warp, &image, shape);
            for channel in 0..3 {
                let of = |values: &[f32]| values.iter().copied().skip(channel).step_by(3).collect::<Vec<f32>>();
                let (least, most) = of(&image).iter().fold((1.0_f32, 0.0_f32), |(a, b), &v| (a.min(v), b.max(v)));
                prop_assert!(of(&out).iter().all(|value| (least - 1e-5..=most + 1e-5).contains(value)));
            }
        }
    }
}
