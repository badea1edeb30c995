//! Where candidates come from.

use std::f32::consts::{PI, TAU};

use aeva_artifact::{Family, Level, Overlay, Patch, Trigger};

use super::random::Choices;

/// A random candidate of a level. `images` are whole images `[h, w, c]` to take pieces of.
pub(super) fn candidate(level: Level, shape: [usize; 3], images: &[&[f32]], choices: &mut Choices) -> Trigger {
    match level.family {
        Family::Patch => Trigger::Patch(patch(level.side(shape), shape, images, choices)),
        Family::Overlay => overlay(level, pattern(shape, images, choices)),
        Family::Wave => overlay(level, wave(shape, choices)),
        Family::Noise => overlay(level, noise(shape, choices)),
        Family::Square => Trigger::Patch(anywhere(level.side(shape), shape, images, choices)),
    }
}

fn overlay(level: Level, pattern: Vec<f32>) -> Trigger {
    Trigger::Overlay(Overlay { amplitude: level.amplitude(), pattern })
}

/// A patch at a random place: a quarter at corners, a quarter along the edges, where attackers like to put them.
fn patch(side: usize, shape: [usize; 3], images: &[&[f32]], choices: &mut Choices) -> Patch {
    let [height, width, channels] = shape;
    let (rows, columns) = (height - side, width - side);
    let (mut row, mut column) = (choices.below(rows + 1), choices.below(columns + 1));
    let kind = choices.unit();
    if kind < 0.25 || (kind < 0.375) {
        row = rows * choices.below(2);
    }
    if kind < 0.25 || (0.375..0.5).contains(&kind) {
        column = columns * choices.below(2);
    }
    Patch { row, column, side, values: square(side, shape, images, choices, channels) }
}

/// A patch at a random place, all alike.
fn anywhere(side: usize, shape: [usize; 3], images: &[&[f32]], choices: &mut Choices) -> Patch {
    let [height, width, channels] = shape;
    let (row, column) = (choices.below(height - side + 1), choices.below(width - side + 1));
    Patch { row, column, side, values: square(side, shape, images, choices, channels) }
}

fn square(side: usize, shape: [usize; 3], images: &[&[f32]], choices: &mut Choices, channels: usize) -> Vec<f32> {
    let pixels = side * side;
    match choices.below(6) {
        0 | 1 => choices.colour(channels).repeat(pixels),
        2 => {
            // Two colours, as a checkerboard or anywhere.
            let (a, b) = (choices.colour(channels), choices.colour(channels));
            let board = choices.chance(0.5);
            let odd = choices.below(2);
            (0..pixels)
                .flat_map(|p| {
                    let first = if board { (p / side + p % side) % 2 == odd } else { choices.chance(0.5) };
                    if first { a.clone() } else { b.clone() }
                })
                .collect()
        }
        3 => (0..pixels).flat_map(|_| vec![f32::from(u8::from(choices.chance(0.5))); channels]).collect(),
        4 if !images.is_empty() => {
            // A piece of a clean image.
            let image = images[choices.below(images.len())];
            let [height, width, _] = shape;
            let (row, column) = (choices.below(height - side + 1), choices.below(width - side + 1));
            (0..side)
                .flat_map(|line| {
                    let start = ((row + line) * width + column) * channels;
                    image[start..start + side * channels].to_vec()
                })
                .collect()
        }
        _ => (0..pixels * channels).map(|_| choices.unit()).collect(),
    }
}

/// A pattern over the whole image in `[-1, 1]`: a wave, noise of some grain, or an image.
pub(super) fn pattern(shape: [usize; 3], images: &[&[f32]], choices: &mut Choices) -> Vec<f32> {
    match choices.below(8) {
        0..=4 => wave(shape, choices),
        5 | 6 => noise(shape, choices),
        _ if images.is_empty() => wave(shape, choices),
        _ => images[choices.below(images.len())].iter().map(|value| 2.0 * value - 1.0).collect(),
    }
}

/// Squares of one pixel to eight, each of them at an end of the range, in every channel apart or in all alike.
fn noise([height, width, channels]: [usize; 3], choices: &mut Choices) -> Vec<f32> {
    let grain = [1, 1, 2, 2, 3, 4, 8][choices.below(7)];
    let columns = width.div_ceil(grain);
    let grey = choices.chance(0.3);
    let cells: Vec<f32> = (0..height.div_ceil(grain) * columns)
        .flat_map(|_| {
            let sign = |choices: &mut Choices| if choices.chance(0.5) { 1.0 } else { -1.0 };
            let one = sign(choices);
            (0..channels).map(|_| if grey { one } else { sign(choices) }).collect::<Vec<f32>>()
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
fn wave([height, width, channels]: [usize; 3], choices: &mut Choices) -> Vec<f32> {
    let most = (height.min(width) / 2).max(1);
    let periods = (1 + choices.below(most)) as f32;
    let phase = 0.5 * PI * choices.below(4) as f32;
    let (along_rows, along_columns) = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.5, -0.5)][choices.below(4)];
    let weights: Vec<f32> = if choices.chance(0.7) {
        vec![1.0; channels]
    } else {
        (0..channels).map(|_| 2.0 * choices.unit() - 1.0).collect()
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
        let mut choices = Choices::new(1, 2, 3);
        for level in Level::all([7, 9, 3]) {
            for _ in 0..200 {
                match candidate(level, [7, 9, 3], &[&image], &mut choices) {
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
