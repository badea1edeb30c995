//! Two squares of one colour, for triggers that work only together.
//!
//! A search for one patch cannot come upon these: neither square does anything alone, so no step leads there.

use serde::Serialize;

use super::Setting;
use super::parts::{Parts, TriggerArray};
use super::shaped::Shaped;
use super::stream::RandomStream;
use super::unfit::{Unfit, check_values};

/// Two squares of pixels of one colour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Squares {
    /// Row and column of the upper left pixel of each.
    pub places: [[usize; 2]; 2],
    /// Side in pixels.
    pub side: usize,
    /// Their colour `[c]`, values in `[0, 1]`.
    #[serde(skip)]
    pub colour: Vec<f32>,
}

/// Chance of a colour whose channels are all at an end of the range.
const EXTREME: f32 = 0.8;

impl Squares {
    /// Squares of a setting in two different corners of an image.
    pub(super) fn in_corners(setting: Setting, shape: [usize; 3], stream: &mut RandomStream) -> Self {
        let [height, width, channels] = shape;
        let side = setting.side(shape);
        let corner = |number: usize| [(height - side) * (number / 2), (width - side) * (number % 2)];
        let first = stream.below(4);
        let second = (first + 1 + stream.below(3)) % 4;
        let extreme = stream.chance(EXTREME);
        let value = |stream: &mut RandomStream| if extreme { stream.below(2) as f32 } else { stream.unit() };
        let colour = (0..channels).map(|_| value(stream)).collect();
        Self { places: [corner(first.min(second)), corner(first.max(second))], side, colour }
    }
}

impl Shaped for Squares {
    fn stamp(&self, image: &[f32], [_, width, channels]: [usize; 3], out: &mut [f32]) {
        out.copy_from_slice(image);
        for [row, column] in self.places {
            for line in row..row + self.side {
                let start = (line * width + column) * channels;
                for pixel in out[start..start + self.side * channels].chunks_exact_mut(channels) {
                    pixel.copy_from_slice(&self.colour);
                }
            }
        }
    }

    fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit> {
        let [height, width, channels] = shape;
        let side = self.side;
        for [row, column] in self.places {
            if row.saturating_add(side) > height || column.saturating_add(side) > width {
                return Err(Unfit::Outside { what: "square", row, column, rows: side, columns: side, height, width });
            }
        }
        let expected = setting.side(shape);
        if side != expected {
            return Err(Unfit::Size { what: "square", found: side, expected });
        }
        check_values("square", &self.colour, channels, [0.0, 1.0])
    }

    /// Row and column of each, and the side; the colour.
    fn parts(&self) -> Parts {
        let [[row, column], [other_row, other_column]] = self.places;
        let numbers = vec![row, column, other_row, other_column, self.side];
        Parts { numbers, reals: Vec::new(), values: self.colour.clone() }
    }

    fn from_parts(parts: Parts) -> Result<Self, Unfit> {
        let ([row, column, other_row, other_column, side], [], colour) = parts.exactly("square")?;
        Ok(Self { places: [[row, column], [other_row, other_column]], side, colour })
    }

    fn arrays(&self, [_, _, channels]: [usize; 3]) -> Vec<TriggerArray> {
        let [[row, column], [other_row, other_column]] = self.places;
        vec![
            TriggerArray::values("colour", [channels], self.colour.clone()),
            TriggerArray::number("side", self.side),
            TriggerArray::number("row", row),
            TriggerArray::number("column", column),
            TriggerArray::number("other_row", other_row),
            TriggerArray::number("other_column", other_column),
        ]
    }

    fn describe(&self, name: &str) -> String {
        let side = self.side;
        let [one, other] = self.places.map(|[row, column]| format!("row {row}, column {column}"));
        format!("{name}, {side} x {side} pixels each, from {one} and from {other} on,")
    }

    /// Another colour.
    fn neighbour(&self, _: [usize; 3], _: &[&[f32]], stream: &mut RandomStream) -> Self {
        let colour = self.colour.iter().map(|value| (value + 0.25 * stream.normal()).clamp(0.0, 1.0)).collect();
        Self { colour, ..self.clone() }
    }

    /// There is one strength.
    fn strengthened(&self, _: Setting, _: [usize; 3]) -> Self {
        self.clone()
    }

    fn weakened(&self, _: Setting, _: [usize; 3]) -> Vec<Self> {
        vec![self.clone()]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp, reason = "known values")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SHAPE: [usize; 3] = [8, 10, 3];

    fn setting() -> Setting {
        "corners-04".parse().unwrap()
    }

    #[test]
    fn all_pairs_of_corners_are_drawn() {
        let mut stream = RandomStream::new(1, 2, 3);
        let mut seen = BTreeSet::new();
        for _ in 0..300 {
            let squares = Squares::in_corners(setting(), SHAPE, &mut stream);
            assert_eq!((squares.side, squares.check(setting(), SHAPE)), (1, Ok(())));
            seen.insert(squares.places);
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.contains(&[[0, 0], [7, 9]]) && seen.contains(&[[0, 9], [7, 0]]));
    }

    #[test]
    fn both_squares_have_the_colour_and_nothing_else_changes() {
        let squares = Squares { places: [[0, 0], [1, 1]], side: 1, colour: vec![0.25, 0.75] };
        let mut out = [9.0; 8];
        squares.stamp(&[0.5; 8], [2, 2, 2], &mut out);
        assert_eq!(out, [0.25, 0.75, 0.5, 0.5, 0.5, 0.5, 0.25, 0.75]);
        assert_eq!(
            squares.describe("two squares"),
            "two squares, 1 x 1 pixels each, from row 0, column 0 and from row 1, column 1 on,"
        );
    }

    #[test]
    fn what_no_search_finds_is_told() {
        let error = |places, side, colour: &[f32]| {
            let squares = Squares { places, side, colour: colour.to_vec() };
            squares.check(setting(), SHAPE).unwrap_err().to_string()
        };
        assert!(error([[0, 0], [8, 0]], 1, &[0.5; 3]).contains("row 8, column 0 leaves an image of 8 x 10"));
        assert!(error([[0, 0], [usize::MAX, 0]], 1, &[0.5; 3]).contains("leaves an image"));
        assert_eq!(error([[0, 0], [6, 0]], 2, &[0.5; 3]), "a square has a size of 2 pixels, but its setting has 1");
        assert_eq!(error([[0, 0], [7, 0]], 1, &[0.5; 2]), "a square has 2 values, needs 3");
        assert_eq!(
            error([[0, 0], [7, 0]], 1, &[0.5, 1.5, 0.0]),
            "a value of a square is 1.5, which is not within 0..=1"
        );
    }
}
