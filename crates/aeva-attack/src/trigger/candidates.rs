//! Random candidates for the trigger search.

use std::f32::consts::{PI, TAU};

use aeva_stats::Family;

use super::stream::RandomStream;
use super::{Overlay, Patch, Setting, Trigger};

/// A random trigger of a setting. `images` are whole images `[h, w, c]` to crop from.
pub(super) fn candidate(setting: Setting, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Trigger {
    match setting.family {
        Family::Patch => Trigger::Patch(patch(setting.side(shape), shape, images, stream)),
        Family::Overlay => overlay(setting, pattern(shape, images, stream)),
        Family::Wave => overlay(setting, wave(shape, stream)),
        Family::Noise => overlay(setting, noise(shape, stream)),
        Family::Square => Trigger::Patch(anywhere(setting.side(shape), shape, images, stream)),
    }
}

fn overlay(setting: Setting, pattern: Vec<f32>) -> Trigger {
    Trigger::Overlay(Overlay { amplitude: setting.amplitude(), pattern })
}

/// A patch at a random place: a quarter in the corners and a quarter along the edges, where attackers tend to put them.
fn patch(side: usize, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Patch {
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

/// A patch at a random place, uniformly distributed.
fn anywhere(side: usize, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Patch {
    let [height, width, channels] = shape;
    let (row, column) = (stream.below(height - side + 1), stream.below(width - side + 1));
    Patch { row, column, side, values: square(side, shape, images, stream, channels) }
}

fn square(side: usize, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream, channels: usize) -> Vec<f32> {
    let pixels = side * side;
    match stream.below(6) {
        0 | 1 => stream.colour(channels).repeat(pixels),
        2 => {
            // Two colours, in a checkerboard or at random.
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

/// A pattern over the whole image in `[-1, 1]`: a wave, noise of some grain size, or an image.
pub(super) fn pattern(shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Vec<f32> {
    match stream.below(8) {
        0..=4 => wave(shape, stream),
        5 | 6 => noise(shape, stream),
        _ if images.is_empty() => wave(shape, stream),
        _ => images[stream.below(images.len())].iter().map(|value| 2.0 * value - 1.0).collect(),
    }
}

/// Squares of one to eight pixels, each at an end of the range, either separately in every channel or the same in all.
fn noise([height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Vec<f32> {
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

/// A sine along the rows, the columns or a diagonal, either coloured or grey.
#[expect(clippy::cast_precision_loss, reason = "pixels of an image")]
fn wave([height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Vec<f32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_fit_the_image_and_its_range() {
        let image = [0.25_f32; 7 * 9 * 3];
        let mut stream = RandomStream::new(1, 2, 3);
        for setting in Setting::all() {
            for _ in 0..200 {
                match candidate(setting, [7, 9, 3], &[&image], &mut stream) {
                    Trigger::Patch(patch) => {
                        assert!(patch.row + patch.side <= 7 && patch.column + patch.side <= 9);
                        assert_eq!(patch.values.len(), patch.side * patch.side * 3);
                        assert!(patch.values.iter().all(|value| (0.0..=1.0).contains(value)));
                    }
                    Trigger::Overlay(overlay) => {
                        assert_eq!(overlay.pattern.len(), 7 * 9 * 3);
                        assert!(overlay.pattern.iter().all(|value| (-1.0..=1.0).contains(value)));
                    }
                }
            }
        }
    }
}
