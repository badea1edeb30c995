//! Random candidates for the trigger search.

use aeva_stats::Family;

use super::stream::RandomStream;
use super::{Overlay, Setting, Squares, Tone, Trigger, Warp, grid, patch, pattern};

/// A random trigger of a setting. `images` are whole images `[h, w, c]` to crop from.
pub(super) fn candidate(setting: Setting, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Trigger {
    match setting.family {
        Family::Patch | Family::Dot => Trigger::Patch(patch::likely(setting.side(shape), shape, images, stream)),
        Family::Overlay => Trigger::Overlay(Overlay::random(setting, shape, images, stream)),
        Family::Wave => Trigger::Overlay(Overlay::at(setting, pattern::wave(grid::of_pattern(shape), stream))),
        Family::Noise => Trigger::Overlay(Overlay::at(setting, pattern::noise(grid::of_pattern(shape), stream))),
        Family::Tone => Trigger::Tone(Tone::random(shape, stream)),
        Family::Corners => Trigger::Squares(Squares::in_corners(setting, shape, stream)),
        Family::Warp => Trigger::Warp(Warp::random(setting, shape, stream)),
        Family::Square => Trigger::Patch(patch::anywhere(setting.side(shape), shape, images, stream)),
    }
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
                let found = candidate(setting, [7, 9, 3], &[&image], &mut stream);
                assert_eq!(found.check(setting, [7, 9, 3]), Ok(()));
            }
        }
    }
}
