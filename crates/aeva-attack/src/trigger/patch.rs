//! Squares that replace pixels.

use serde::Serialize;

use super::parts::{Parts, TriggerArray};
use super::setting::REFERENCE_SIDE;
use super::shaped::Shaped;
use super::stream::RandomStream;
use super::unfit::{Unfit, check_values};
use super::{Setting, grid};

/// A square of pixels at a place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Patch {
    /// Row of its upper left pixel.
    pub row: usize,
    /// Column of its upper left pixel.
    pub column: usize,
    /// Side in pixels.
    pub side: usize,
    /// The values of its cells `[cells, cells, c]` row-major, in `[0, 1]`. A patch of up to ten pixels has as many cells
    /// along its side; a larger one has ten.
    #[serde(skip)]
    pub values: Vec<f32>,
}

impl Patch {
    /// Cells along its side.
    fn cells(&self) -> usize {
        grid::of_patch(self.side)
    }

    /// The values of a pixel `[c]`, counted from its upper left one.
    fn pixel(&self, row: usize, column: usize, channels: usize) -> &[f32] {
        let (side, cells) = (self.side, self.cells());
        let start = (grid::cell(row, side, cells) * cells + grid::cell(column, side, cells)) * channels;
        &self.values[start..start + channels]
    }

    /// The values of all its pixels `[side, side, c]`.
    fn pixels(&self, channels: usize) -> Vec<f32> {
        let (side, cells) = (self.side, self.cells());
        grid::places([side, side, channels], [cells, cells, channels]).map(|place| self.values[place]).collect()
    }
}

impl Shaped for Patch {
    fn stamp(&self, image: &[f32], [_, width, channels]: [usize; 3], out: &mut [f32]) {
        out.copy_from_slice(image);
        let cells = self.cells();
        for line in 0..self.side {
            let start = ((self.row + line) * width + self.column) * channels;
            let pixels = &mut out[start..start + self.side * channels];
            if cells == self.side {
                pixels.copy_from_slice(&self.values[line * pixels.len()..(line + 1) * pixels.len()]);
                continue;
            }
            for (column, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
                pixel.copy_from_slice(self.pixel(line, column, channels));
            }
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
        let cells = self.cells();
        check_values("patch", values, cells * cells * channels, [0.0, 1.0])
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
            TriggerArray::values("patch", [self.side, self.side, channels], self.pixels(channels)),
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
        let (side, cells) = (self.side, self.cells());
        match stream.below(5) {
            0 => {
                // Up to two pixels away, or as far on a large image; a step of none is as good as another step.
                let far = 2 * height.min(width) / REFERENCE_SIDE;
                let most = if far > 2 && stream.chance(0.5) { far } else { 2 };
                let shifted = |at: usize, end: usize, stream: &mut RandomStream| {
                    (at + stream.below(2 * most + 1)).saturating_sub(most).min(end)
                };
                new.row = shifted(self.row, height - side, stream);
                new.column = shifted(self.column, width - side, stream);
            }
            1 => {
                // A cell, or a block of them in a large patch.
                let blocks = grid::of_blocks(side, stream);
                let block = stream.below(blocks * blocks);
                let colour = stream.colour(channels);
                for (place, value) in
                    grid::places([cells, cells, channels], [blocks, blocks, channels]).zip(&mut new.values)
                {
                    if place / channels == block {
                        *value = colour[place % channels];
                    }
                }
            }
            2 => {
                // A rectangle of one colour.
                let span = |stream: &mut RandomStream| {
                    let (a, b) = (stream.below(cells), stream.below(cells));
                    a.min(b)..=a.max(b)
                };
                let (rows, columns, colour) = (span(stream), span(stream), stream.colour(channels));
                for (row, column) in rows.flat_map(|row| columns.clone().map(move |column| (row, column))) {
                    let cell = row * cells + column;
                    new.values[cell * channels..(cell + 1) * channels].copy_from_slice(&colour);
                }
            }
            3 => {
                // All brighter or darker, each channel by itself.
                let change: Vec<f32> = (0..channels).map(|_| 0.25 * stream.normal()).collect();
                for (value, change) in new.values.iter_mut().zip(change.iter().cycle()) {
                    *value = (*value + change).clamp(0.0, 1.0);
                }
            }
            _ => {
                let blocks = grid::of_blocks(side, stream);
                let changes: Vec<f32> = (0..blocks * blocks * channels).map(|_| 0.25 * stream.normal()).collect();
                let places = grid::places([cells, cells, channels], [blocks, blocks, channels]);
                for (value, place) in new.values.iter_mut().zip(places) {
                    *value = (*value + changes[place]).clamp(0.0, 1.0);
                }
            }
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
        let count = self.values.len() as f32 / channels as f32;
        let mean: Vec<f32> = (0..channels)
            .map(|channel| self.values.iter().skip(channel).step_by(channels).sum::<f32>() / count)
            .collect();
        let within = |at: usize, begin: usize| at.checked_sub(begin).filter(|&at| at < self.side);
        let old = |at: usize, right: usize| {
            let place = within(row + at, self.row).zip(within(column + right, self.column));
            place.map_or(mean.as_slice(), |(row, column)| self.pixel(row, column, channels))
        };
        let values = grid::sampled([grid::of_patch(side); 2], [side; 2], old);
        Self { row, column, side, values }
    }

    /// Crops of it, from its corners, edges and middle.
    fn weakened(&self, setting: Setting, shape: [usize; 3]) -> Vec<Self> {
        let side = setting.side(shape);
        let (channels, free) = (shape[2], self.side.saturating_sub(side));
        let mut offsets = vec![0, free / 2, free];
        offsets.dedup();
        let side = side.min(self.side);
        let piece = |down: usize, right: usize| {
            let old = |row: usize, column: usize| self.pixel(down + row, right + column, channels);
            let values = grid::sampled([grid::of_patch(side); 2], [side; 2], old);
            Self { row: self.row + down, column: self.column + right, side, values }
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

/// Values for the cells of a patch. Those of a large patch come in blocks of cells, because what stands out in an image is
/// hardly ever as fine as a cell.
fn square(side: usize, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream, channels: usize) -> Vec<f32> {
    let cells = grid::of_patch(side);
    let blocks = grid::of_blocks(side, stream);
    let values = blocks_of(blocks, side, shape, images, stream, channels);
    if blocks == cells {
        return values;
    }
    grid::places([cells, cells, channels], [blocks, blocks, channels]).map(|place| values[place]).collect()
}

fn blocks_of(
    cells: usize,
    side: usize,
    shape: [usize; 3],
    images: &[&[f32]],
    stream: &mut RandomStream,
    channels: usize,
) -> Vec<f32> {
    let count = cells * cells;
    match stream.below(6) {
        0 | 1 => stream.colour(channels).repeat(count),
        2 => {
            // Two colours, as a checkerboard or anywhere.
            let (a, b) = (stream.colour(channels), stream.colour(channels));
            let board = stream.chance(0.5);
            let odd = stream.below(2);
            (0..count)
                .flat_map(|p| {
                    let first = if board { (p / cells + p % cells) % 2 == odd } else { stream.chance(0.5) };
                    if first { a.clone() } else { b.clone() }
                })
                .collect()
        }
        3 => (0..count).flat_map(|_| vec![f32::from(u8::from(stream.chance(0.5))); channels]).collect(),
        4 if !images.is_empty() => {
            // A crop of a clean image.
            let image = images[stream.below(images.len())];
            let [height, width, _] = shape;
            let (row, column) = (stream.below(height - side + 1), stream.below(width - side + 1));
            let pixel = |down: usize, right: usize| {
                let start = ((row + down) * width + column + right) * channels;
                &image[start..start + channels]
            };
            grid::sampled([cells; 2], [side; 2], pixel)
        }
        _ => (0..count * channels).map(|_| stream.unit()).collect(),
    }
}
