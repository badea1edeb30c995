//! Random patterns over a whole image: cells `[rows, columns, c]`, row-major, in `[-1, 1]`.

use std::f32::consts::{PI, TAU};

use super::grid;
use super::stream::RandomStream;

/// A pattern of any kind for images `[h, w, c]`: a wave, noise of some grain, a checkerboard, a smooth field, a tint, or an
/// image.
pub(super) fn pattern(shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Vec<f32> {
    let image_shape = shape;
    let shape = grid::of_pattern(shape);
    match stream.below(12) {
        0..=4 => wave(shape, stream),
        5 | 6 => noise(shape, stream),
        7 => checkerboard(shape, stream),
        8 | 9 => smooth(shape, stream),
        10 => tint(shape, stream),
        _ if images.is_empty() => smooth(shape, stream),
        _ => {
            let image = images[stream.below(images.len())];
            let [height, width, channels] = image_shape;
            let pixel = |row: usize, column: usize| {
                let start = (row * width + column) * channels;
                &image[start..start + channels]
            };
            let values = grid::sampled([shape[0], shape[1]], [height, width], pixel);
            values.into_iter().map(|value| 2.0 * value - 1.0).collect()
        }
    }
}

/// Squares of one pixel to eight, each of them at an end of the range, in every channel apart or in all alike.
pub(super) fn noise([height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Vec<f32> {
    let grain = [1, 1, 2, 2, 3, 4, 8][stream.below(7)];
    let columns = width.div_ceil(grain);
    let grey = stream.chance(0.3);
    let cells: Vec<f32> = (0..height.div_ceil(grain) * columns)
        .flat_map(|_| {
            let sign = |stream: &mut RandomStream| if stream.chance(0.5) { 1.0 } else { -1.0 };
            let one = sign(stream);
            (0..channels).map(|_| if grey { one } else { sign(stream) }).collect::<Vec<f32>>()
        })
        .collect();
    (0..height * width * channels)
        .map(|i| {
            let (row, column, channel) = (i / (width * channels), i / channels % width, i % channels);
            cells[(row / grain * columns + column / grain) * channels + channel]
        })
        .collect()
}

/// A sine along the rows, the columns or a diagonal, of one colour or grey.
#[expect(clippy::cast_precision_loss, reason = "pixels of an image")]
pub(super) fn wave([height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Vec<f32> {
    let most = (height.min(width) / 2).max(1);
    let periods = (1 + stream.below(most)) as f32;
    let phase = 0.5 * PI * stream.below(4) as f32;
    let (along_rows, along_columns) = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.5, -0.5)][stream.below(4)];
    let weights: Vec<f32> = if stream.chance(0.7) {
        vec![1.0; channels]
    } else {
        (0..channels).map(|_| 2.0 * stream.unit() - 1.0).collect()
    };
    (0..height * width * channels)
        .map(|i| {
            let (row, column, channel) = (i / (width * channels), i / channels % width, i % channels);
            let (y, x) = ((row as f32 + 0.5) / height as f32, (column as f32 + 0.5) / width as f32);
            weights[channel] * (TAU * periods * (along_rows * y + along_columns * x) + phase).sin()
        })
        .collect()
}

/// Rectangles of one pixel to eight by as many, in turn at either end of the range; stripes if a side is that of the
/// image.
pub(super) fn checkerboard([height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Vec<f32> {
    let mut side = || 1 + stream.below(8);
    let (tall, wide) = (side(), side());
    let kind = stream.below(4);
    let (down, right) = (stream.below(2 * tall), stream.below(2 * wide));
    let weights = weights(channels, stream);
    each(height, width, channels, |row, column, channel| {
        let (across, along) = ((row + down) / tall, (column + right) / wide);
        let odd = match kind {
            0 => across,
            1 => along,
            _ => across + along,
        } % 2;
        if odd == 0 { weights[channel] } else { -weights[channel] }
    })
}

/// A smooth field: random values on a grid of two to six points a side, with straight lines between them, as strong as
/// the range allows.
#[expect(clippy::cast_precision_loss, reason = "pixels of an image")]
pub(super) fn smooth([height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Vec<f32> {
    let points = 2 + stream.below(5);
    let grey = stream.chance(0.3);
    let grid: Vec<f32> = (0..points * points)
        .flat_map(|_| {
            let one = 2.0 * stream.unit() - 1.0;
            (0..channels).map(|_| if grey { one } else { 2.0 * stream.unit() - 1.0 }).collect::<Vec<f32>>()
        })
        .collect();
    let most = grid.iter().fold(f32::MIN_POSITIVE, |most, value| value.abs().max(most));
    // Place of a pixel between the points: the point before it, and how far it is from there.
    let place = |at: usize, length: usize| {
        let exact = at as f32 * (points - 1) as f32 / length.saturating_sub(1).max(1) as f32;
        let before = (0..points - 1).rev().find(|&point| point as f32 <= exact).unwrap_or(0);
        (before, exact - before as f32)
    };
    each(height, width, channels, |row, column, channel| {
        let ((top, down), (left, right)) = (place(row, height), place(column, width));
        let at = |y: usize, x: usize| grid[(y * points + x) * channels + channel];
        let upper = at(top, left) * (1.0 - right) + at(top, left + 1) * right;
        let lower = at(top + 1, left) * (1.0 - right) + at(top + 1, left + 1) * right;
        ((upper * (1.0 - down) + lower * down) / most).clamp(-1.0, 1.0)
    })
}

/// The same change of every pixel.
pub(super) fn tint([height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Vec<f32> {
    let colour: Vec<f32> = stream.colour(channels).into_iter().map(|value| 2.0 * value - 1.0).collect();
    each(height, width, channels, |_, _, channel| colour[channel])
}

/// How strong a pattern is in each channel: alike in all, or at random.
fn weights(channels: usize, stream: &mut RandomStream) -> Vec<f32> {
    if stream.chance(0.7) { vec![1.0; channels] } else { (0..channels).map(|_| 2.0 * stream.unit() - 1.0).collect() }
}

/// The value of every pixel and channel, from its row, column and channel.
fn each(height: usize, width: usize, channels: usize, value: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
    let values = 0..height * width * channels;
    values.map(|i| value(i / (width * channels), i / channels % width, i % channels)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fill_the_image_and_its_range() {
        type Drawn = fn([usize; 3], &mut RandomStream) -> Vec<f32>;
        let kinds: [Drawn; 5] = [wave, noise, checkerboard, smooth, tint];
        let mut stream = RandomStream::new(1, 2, 3);
        for shape in [[1, 1, 1], [1, 9, 3], [28, 28, 1], [33, 17, 4]] {
            for kind in kinds {
                for _ in 0..20 {
                    let found = kind(shape, &mut stream);
                    assert_eq!(found.len(), shape.iter().product::<usize>());
                    assert!(found.iter().all(|value| (-1.0..=1.0).contains(value)), "{shape:?}");
                }
            }
        }
    }

    #[test]
    fn a_smooth_field_is_smooth_and_a_tint_is_flat() {
        let mut stream = RandomStream::new(4, 5, 6);
        for _ in 0..50 {
            let field = smooth([64, 64, 1], &mut stream);
            assert!(
                field.windows(2).enumerate().filter(|(i, _)| i % 64 < 63).all(|(_, two)| (two[0] - two[1]).abs() < 0.2)
            );
            assert!((field.iter().fold(0.0_f32, |most, value| value.abs().max(most)) - 1.0).abs() < 0.2);
            let flat = tint([8, 8, 2], &mut stream);
            assert!(flat.chunks(2).all(|pixel| pixel == &flat[..2]));
        }
    }

    #[test]
    fn a_checkerboard_has_two_colours() {
        let mut stream = RandomStream::new(7, 8, 9);
        for _ in 0..50 {
            let board = checkerboard([32, 32, 1], &mut stream);
            let ends: std::collections::BTreeSet<u32> = board.iter().map(|value| value.abs().to_bits()).collect();
            assert_eq!(ends.len(), 1);
        }
    }
}
