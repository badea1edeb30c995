//! Small changes of a trigger, for hill climbing.

use super::candidates;
use super::stream::RandomStream;
use super::{Overlay, Patch, Trigger};

/// A neighbour of a trigger, with the same strength.
pub(super) fn neighbour(trigger: &Trigger, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Trigger {
    match trigger {
        Trigger::Patch(patch) => Trigger::Patch(patch_neighbour(patch, shape, stream)),
        Trigger::Overlay(overlay) => Trigger::Overlay(overlay_neighbour(overlay, shape, images, stream)),
    }
}

fn patch_neighbour(patch: &Patch, [height, width, channels]: [usize; 3], stream: &mut RandomStream) -> Patch {
    let mut new = patch.clone();
    let side = patch.side;
    match stream.below(5) {
        0 => {
            // Moved by up to two pixels; not moving at all is allowed.
            let shifted =
                |at: usize, end: usize, stream: &mut RandomStream| (at + stream.below(5)).saturating_sub(2).min(end);
            new.row = shifted(patch.row, height - side, stream);
            new.column = shifted(patch.column, width - side, stream);
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
            // Brighter or darker everywhere, by a separate amount in each channel.
            let change: Vec<f32> = (0..channels).map(|_| 0.25 * stream.normal()).collect();
            for (value, change) in new.values.iter_mut().zip(change.iter().cycle()) {
                *value = (*value + change).clamp(0.0, 1.0);
            }
        }
        _ => new.values.iter_mut().for_each(|value| *value = (*value + 0.25 * stream.normal()).clamp(0.0, 1.0)),
    }
    new
}

fn overlay_neighbour(overlay: &Overlay, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Overlay {
    let [height, width, channels] = shape;
    let mut new = overlay.clone();
    if stream.chance(0.2) {
        // Shifted by some pixels, wrapping around at the edges.
        let (down, right) = (stream.below(height), stream.below(width));
        for (i, value) in new.pattern.iter_mut().enumerate() {
            let (row, column, channel) = (i / (width * channels), i / channels % width, i % channels);
            let (row, column) = ((row + down) % height, (column + right) % width);
            *value = overlay.pattern[(row * width + column) * channels + channel];
        }
    } else {
        let weight = [0.25, 0.5, 1.0][stream.below(3)];
        let other = candidates::pattern(shape, images, stream);
        for (value, other) in new.pattern.iter_mut().zip(other) {
            *value = (*value + weight * other).clamp(-1.0, 1.0);
        }
    }
    new
}

/// Enlarges a trigger to a stronger setting: a patch gets a border of its mean colour, an overlay a larger amplitude.
pub(super) fn strengthened(trigger: &Trigger, side: usize, amplitude: f32, shape: [usize; 3]) -> Trigger {
    match trigger {
        Trigger::Overlay(overlay) => Trigger::Overlay(Overlay { amplitude, pattern: overlay.pattern.clone() }),
        Trigger::Patch(patch) => {
            let [height, width, channels] = shape;
            let grow = side.saturating_sub(patch.side);
            let row = patch.row.saturating_sub(grow / 2).min(height - side);
            let column = patch.column.saturating_sub(grow / 2).min(width - side);
            let pixels = patch.values.len() as f32 / channels as f32;
            let mean: Vec<f32> = (0..channels)
                .map(|channel| patch.values.iter().skip(channel).step_by(channels).sum::<f32>() / pixels)
                .collect();
            let mut values = mean.repeat(side * side);
            for (line, old) in patch.values.chunks_exact(patch.side * channels).enumerate() {
                let start = ((patch.row - row + line) * side + patch.column - column) * channels;
                values[start..start + old.len()].copy_from_slice(old);
            }
            Trigger::Patch(Patch { row, column, side, values })
        }
    }
}

/// Reduces a trigger to a weaker setting: a patch becomes several crops, from its corners, edges and middle; an overlay
/// gets a smaller amplitude.
pub(super) fn weakened(trigger: &Trigger, side: usize, amplitude: f32, shape: [usize; 3]) -> Vec<Trigger> {
    match trigger {
        Trigger::Overlay(overlay) => vec![Trigger::Overlay(Overlay { amplitude, pattern: overlay.pattern.clone() })],
        Trigger::Patch(patch) => {
            let (channels, free) = (shape[2], patch.side.saturating_sub(side));
            let mut offsets = vec![0, free / 2, free];
            offsets.dedup();
            let piece = |down: usize, right: usize| {
                let values = (0..side.min(patch.side))
                    .flat_map(|line| {
                        let start = ((down + line) * patch.side + right) * channels;
                        patch.values[start..start + side.min(patch.side) * channels].to_vec()
                    })
                    .collect();
                let (row, column) = (patch.row + down, patch.column + right);
                Trigger::Patch(Patch { row, column, side: side.min(patch.side), values })
            };
            offsets
                .iter()
                .flat_map(|&down| offsets.iter().map(move |&right| (down, right)))
                .map(|(d, r)| piece(d, r))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::Setting;
    use aeva_stats::Family;

    #[test]
    fn neighbours_stay_within_image_range_and_strength() {
        let shape = [8, 11, 3];
        let mut stream = RandomStream::new(4, 5, 6);
        for setting in Setting::all() {
            let mut trigger = candidates::candidate(setting, shape, &[], &mut stream);
            for _ in 0..300 {
                trigger = neighbour(&trigger, shape, &[], &mut stream);
                match &trigger {
                    Trigger::Patch(patch) => {
                        assert!(patch.row + patch.side <= 8 && patch.column + patch.side <= 11);
                        assert_eq!(patch.side, setting.side(shape));
                        assert!(patch.values.iter().all(|value| (0.0..=1.0).contains(value)));
                    }
                    Trigger::Overlay(overlay) => assert!(overlay.pattern.iter().all(|v| v.abs() <= 1.0)),
                }
            }
        }
    }

    #[test]
    fn a_larger_patch_holds_the_smaller_one() {
        let (shape, mut stream) = ([16, 16, 3], RandomStream::new(1, 1, 1));
        let setting = |strength| Setting { family: Family::Patch, strength };
        for _ in 0..100 {
            let small = candidates::candidate(setting(6), shape, &[], &mut stream);
            let large = strengthened(&small, 5, 0.0, shape);
            let image = vec![0.5; 16 * 16 * 3];
            let stamped = |trigger: &Trigger| {
                let mut out = vec![0.0; image.len()];
                trigger.stamp(&image, shape, &mut out);
                out
            };
            // Stamping the small patch over the large one changes nothing.
            let (large, mut both) = (stamped(&large), vec![0.0; image.len()]);
            small.stamp(&large, shape, &mut both);
            assert_eq!(large, both);
        }
    }

    #[test]
    fn pieces_of_a_patch_lie_where_it_lay() {
        let (shape, mut stream) = ([16, 16, 3], RandomStream::new(1, 1, 2));
        let setting = Setting { family: Family::Patch, strength: 8 };
        let stamped = |trigger: &Trigger| {
            let mut out = vec![0.0; 16 * 16 * 3];
            trigger.stamp(&[2.0; 16 * 16 * 3], shape, &mut out);
            out
        };
        let large = candidates::candidate(setting, shape, &[], &mut stream);
        let crops = weakened(&large, 2, 0.0, shape);
        assert_eq!(crops.len(), 9);
        for piece in crops {
            let (whole, piece) = (stamped(&large), stamped(&piece));
            assert_eq!(piece.iter().filter(|value| **value < 2.0).count(), 2 * 2 * 3);
            let same = |a: f32, b: f32| a.total_cmp(&b).is_eq();
            assert!(piece.iter().zip(&whole).all(|(&piece, &whole)| same(piece, 2.0) || same(piece, whole)));
        }
    }
}
