//! Random candidates for the trigger search.

use aeva_stats::Family;

use super::stream::RandomStream;
use super::{Overlay, Setting, Trigger, overlay, patch};

/// A random trigger of a setting. `images` are whole images `[h, w, c]` to crop from.
pub(super) fn candidate(setting: Setting, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Trigger {
    match setting.family {
        Family::Patch => Trigger::Patch(patch::likely(setting.side(shape), shape, images, stream)),
        Family::Overlay => Trigger::Overlay(Overlay::at(setting, overlay::pattern(shape, images, stream))),
        Family::Wave => Trigger::Overlay(Overlay::at(setting, overlay::wave(shape, stream))),
        Family::Noise => Trigger::Overlay(Overlay::at(setting, overlay::noise(shape, stream))),
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
