//! Squares that replace pixels.

use serde::Serialize;

use super::Setting;
use super::parts::{Parts, TriggerArray};
use super::shaped::Shaped;
use super::stream::RandomStream;
use super::unfit::{Unfit, check_values};

/// A square of pixels at a place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Patch {
    /// Row of its upper left pixel.
    pub row: usize,
    /// Column of its upper left pixel.
    pub column: usize,
    /// Side in pixels.
    pub side: usize,
    /// Its values `[side, side, c]` row-major, in `[0, 1]`.
    #[serde(skip)]
    pub values: Vec<f32>,
}

impl Shaped for Patch {
    fn stamp(&self, image: &[f32], [_, width, channels]: [usize; 3], out: &mut [f32]) {
        out.copy_from_slice(image);
        let length = self.side * channels;
        for (line, values) in self.values.chunks_exact(length).enumerate() {
            let start = ((self.row + line) * width + self.column) * channels;
            out[start..start + length].copy_from_slice(values);
        }
    }

    fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit> {
        let [height, width, channels] = shape;
        let &Self { row, column, side, ref values } = self;
        if row.saturating_add(side) > height || column.saturating_add(side) > width {
            return Err(Unfit::Outside { what: "patch", row, column, rows: side, columns: side, height, width });
        }
        let expected = setting.side(shape);
        if side != expected {
            return Err(Unfit::Size { what: "patch", found: side, expected });
        }
        // The patch lies within an image that fits in memory, so the product cannot overflow.
        check_values("patch", values, side * side * channels, [0.0, 1.0])
    }

    /// Row, column and side; the values.
    fn parts(&self) -> Parts {
        let &Self { row, column, side, ref values } = self;
        Parts { numbers: vec![row, column, side], reals: Vec::new(), values: values.clone() }
    }

    fn from_parts(parts: Parts) -> Result<Self, Unfit> {
        let ([row, column, side], [], values) = parts.exactly("patch")?;
        Ok(Self { row, column, side, values })
    }

    fn arrays(&self, [_, _, channels]: [usize; 3]) -> Vec<TriggerArray> {
        vec![
            TriggerArray::values("patch", [self.side, self.side, channels], self.values.clone()),
            TriggerArray::number("row", self.row),
            TriggerArray::number("column", self.column),
        ]
    }

    fn describe(&self, name: &str) -> String {
        let &Self { row, column, side, .. } = self;
        let (last_row, last_column) = ((row + side).saturating_sub(1), (column + side).saturating_sub(1));
        format!("{name} of {side} x {side} pixels at rows {row}..{last_row}, columns {column}..{last_column}")
    }

    fn neighbour(&self, [height, width, channels]: [usize; 3], _: &[&[f32]], stream: &mut RandomStream) -> Self {
        let mut new = self.clone();
        let side = self.side;
        match stream.below(5) {
            0 => {
                // Up to two pixels away; a step of none is as good as another step.
                let shifted = |at: usize, end: usize, stream: &mut RandomStream| {
                    (at + stream.below(5)).saturating_sub(2).min(end)
                };
                new.row = shifted(self.row, height - side, stream);
                new.column = shifted(self.column, width - side, stream);
            }
            1 => {
                let pixel = stream.below(side * side);
                let colour = stream.colour(channels);
                new.values[pixel * channels..(pixel + 1) * channels].copy_from_slice(&colour);
            }
            2 => {
                // A rectangle of one colour.
                let span = |stream: &mut RandomStream| {
                    let (a, b) = (stream.below(side), stream.below(side));
                    a.min(b)..=a.max(b)
                };
                let (rows, columns, colour) = (span(stream), span(stream), stream.colour(channels));
                for (row, column) in rows.flat_map(|row| columns.clone().map(move |column| (row, column))) {
                    let pixel = row * side + column;
                    new.values[pixel * channels..(pixel + 1) * channels].copy_from_slice(&colour);
                }
            }
            3 => {
                // All brighter or darker, each channel by itself.
                let change: Vec<f32> = (0..channels).map(|_| 0.25 * stream.normal()).collect();
                for (value, change) in new.values.iter_mut().zip(change.iter().cycle()) {
                    *value = (*value + change).clamp(0.0, 1.0);
                }
            }
            _ => new.values.iter_mut().for_each(|value| *value = (*value + 0.25 * stream.normal()).clamp(0.0, 1.0)),
        }
        new
    }

    /// A larger patch around it, of its mean colour.
    fn strengthened(&self, setting: Setting, shape: [usize; 3]) -> Self {
        let side = setting.side(shape);
        let [height, width, channels] = shape;
        let grow = side.saturating_sub(self.side);
        let row = self.row.saturating_sub(grow / 2).min(height - side);
        let column = self.column.saturating_sub(grow / 2).min(width - side);
        let pixels = self.values.len() as f32 / channels as f32;
        let mean: Vec<f32> = (0..channels)
            .map(|channel| self.values.iter().skip(channel).step_by(channels).sum::<f32>() / pixels)
            .collect();
        let mut values = mean.repeat(side * side);
        for (line, old) in self.values.chunks_exact(self.side * channels).enumerate() {
            let start = ((self.row - row + line) * side + self.column - column) * channels;
            values[start..start + old.len()].copy_from_slice(old);
        }
        Self { row, column, side, values }
    }

    /// Crops of it, from its corners, edges and middle.
    fn weakened(&self, setting: Setting, shape: [usize; 3]) -> Vec<Self> {
        let side = setting.side(shape);
        let (channels, free) = (shape[2], self.side.saturating_sub(side));
        let mut offsets = vec![0, free / 2, free];
        offsets.dedup();
        let piece = |down: usize, right: usize| {
            let values = (0..side.min(self.side))
                .flat_map(|line| {
                    let start = ((down + line) * self.side + right) * channels;
                    self.values[start..start + side.min(self.side) * channels].to_vec()
                })
                .collect();
            let (row, column) = (self.row + down, self.column + right);
            Self { row, column, side: side.min(self.side), values }
        };
        offsets
            .iter()
            .flat_map(|&down| offsets.iter().map(move |&right| (down, right)))
            .map(|(d, r)| piece(d, r))
            .collect()
    }
}

/// A patch at a random place: a quarter at corners, a quarter along the edges, where attackers like to put them.
pub(super) fn likely(side: usize, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Patch {
    let [height, width, channels] = shape;
    let (rows, columns) = (height - side, width - side);
    let (mut row, mut column) = (stream.below(rows + 1), stream.below(columns + 1));
    let kind = stream.unit();
    if kind < 0.375 {
        row = rows * stream.below(2);
    }
    if kind < 0.25 || (0.375..0.5).contains(&kind) {
        column = columns * stream.below(2);
    }
    Patch { row, column, side, values: square(side, shape, images, stream, channels) }
}

/// A patch at a random place, all places alike.
pub(super) fn anywhere(side: usize, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Patch {
    let [height, width, channels] = shape;
    let (row, column) = (stream.below(height - side + 1), stream.below(width - side + 1));
    Patch { row, column, side, values: square(side, shape, images, stream, channels) }
}

fn square(side: usize, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream, channels: usize) -> Vec<f32> {
    let pixels = side * side;
    match stream.below(6) {
        0 | 1 => stream.colour(channels).repeat(pixels),
        2 => {
            // Two colours, as a checkerboard or anywhere.
            let (a, b) = (stream.colour(channels), stream.colour(channels));
            let board = stream.chance(0.5);
            let odd = stream.below(2);
            (0..pixels)
                .flat_map(|p| {
                    let first = if board { (p / side + p % side) % 2 == odd } else { stream.chance(0.5) };
                    if first { a.clone() } else { b.clone() }
                })
                .collect()
        }
        3 => (0..pixels).flat_map(|_| vec![f32::from(u8::from(stream.chance(0.5))); channels]).collect(),
        4 if !images.is_empty() => {
            // A crop of a clean image.
            let image = images[stream.below(images.len())];
            let [height, width, _] = shape;
            let (row, column) = (stream.below(height - side + 1), stream.below(width - side + 1));
            (0..side)
                .flat_map(|line| {
                    let start = ((row + line) * width + column) * channels;
                    image[start..start + side * channels].to_vec()
                })
                .collect()
        }
        _ => (0..pixels * channels).map(|_| stream.unit()).collect(),
    }
}
