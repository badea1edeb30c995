//! Triggers of any shape.

use aeva_stats::Shape;
use serde::Serialize;

use super::shaped::Shaped;
use super::stream::RandomStream;
use super::{Parts, Setting, TriggerArray, Unfit};

/// Makes the enum of triggers from the list of their shapes, which are those of [`Shape`].
macro_rules! triggers {
    ($($(#[$meaning:meta])* $shape:ident,)*) => {
        /// A change that is the same for every image.
        /// Serialised, it is its shape with place and size, without values.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "shape", rename_all = "snake_case")]
        pub enum Trigger {
            $($(#[$meaning])* $shape(super::$shape),)*
        }

        impl Trigger {
            /// Its shape, which is that of its family.
            pub fn shape(&self) -> Shape {
                match self {
                    $(Self::$shape(_) => Shape::$shape,)*
                }
            }

            /// Writes `image` with the trigger into `out`, both `[h, w, c]` row-major with this shape.
            pub fn stamp(&self, image: &[f32], shape: [usize; 3], out: &mut [f32]) {
                match self {
                    $(Self::$shape(trigger) => trigger.stamp(image, shape, out),)*
                }
            }

            /// Checks that a search over `setting` on images `[h, w, c]` can find it. The shape must be possible in memory.
            ///
            /// # Errors
            /// [`Unfit`].
            pub fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit> {
                let expected = setting.family.spec().shape;
                if self.shape() != expected {
                    return Err(Unfit::Family { setting: setting.to_string(), expected: expected.spec().noun });
                }
                match self {
                    $(Self::$shape(trigger) => trigger.check(setting, shape),)*
                }
            }

            /// It as lists of numbers. With its shape, they are all there is to know of it.
            pub fn parts(&self) -> Parts {
                match self {
                    $(Self::$shape(trigger) => trigger.parts(),)*
                }
            }

            /// The trigger of a shape that these lists are, bit for bit.
            /// Whether it fits an image is for [`Trigger::check`] to say.
            ///
            /// # Errors
            /// [`Unfit::Count`] if a trigger of this shape has more or fewer numbers.
            pub fn from_parts(shape: Shape, parts: Parts) -> Result<Self, Unfit> {
                match shape {
                    $(Shape::$shape => super::$shape::from_parts(parts).map(Self::$shape),)*
                }
            }

            /// Most values of a trigger on images `[h, w, c]`: those of a pattern's cells.
            pub fn most_values(shape: [usize; 3]) -> usize {
                super::grid::of_pattern(shape).iter().product()
            }

            /// Its arrays on images `[h, w, c]` with this shape, which it fits ([`Trigger::check`]).
            pub fn arrays(&self, shape: [usize; 3]) -> Vec<TriggerArray> {
                match self {
                    $(Self::$shape(trigger) => trigger.arrays(shape),)*
                }
            }

            /// How it looks on images `[h, w, c]` with this shape, which it fits: row-major, in `[0, 1]`.
            pub fn picture(&self, shape: [usize; 3]) -> Vec<f32> {
                match self {
                    $(Self::$shape(trigger) => trigger.picture(shape),)*
                }
            }

            /// `name` with its size and place in words.
            pub fn describe(&self, name: &str) -> String {
                match self {
                    $(Self::$shape(trigger) => trigger.describe(name),)*
                }
            }

            /// A trigger that differs a little, of the same strength.
            pub(super) fn neighbour(&self, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Self {
                match self {
                    $(Self::$shape(trigger) => Self::$shape(trigger.neighbour(shape, images, stream)),)*
                }
            }

            /// The same for a stronger setting.
            pub(super) fn strengthened(&self, setting: Setting, shape: [usize; 3]) -> Self {
                match self {
                    $(Self::$shape(trigger) => Self::$shape(trigger.strengthened(setting, shape)),)*
                }
            }

            /// The same for a weaker setting, in all ways that are worth a try.
            pub(super) fn weakened(&self, setting: Setting, shape: [usize; 3]) -> Vec<Self> {
                match self {
                    $(Self::$shape(trigger) => {
                        trigger.weakened(setting, shape).into_iter().map(Self::$shape).collect()
                    })*
                }
            }
        }
    };
}

triggers! {
    /// Replaces a square of pixels.
    Patch,
    /// Is added to the whole image.
    Overlay,
    /// Changes the tones of the whole image.
    Tone,
    /// Replaces two squares of pixels.
    Squares,
    /// Moves all pixels a little.
    Warp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::{Overlay, Patch, candidates};
    use aeva_stats::Family;

    #[test]
    fn a_patch_replaces_its_square_alone() {
        // 3 x 4 pixels of 2 channels; a patch of side 2 at row 1, column 2.
        let image: Vec<f32> = (0_u8..24).map(|i| f32::from(i) / 100.0).collect();
        let trigger = Trigger::Patch(Patch { row: 1, column: 2, side: 2, values: vec![0.9; 8] });
        let mut out = vec![0.0; 24];
        trigger.stamp(&image, [3, 4, 2], &mut out);
        let changed: Vec<usize> = (0..24).filter(|&i| out[i].to_bits() != image[i].to_bits()).collect();
        assert_eq!(changed, [12, 13, 14, 15, 20, 21, 22, 23]);
        assert!(changed.iter().all(|&i| out[i].to_bits() == 0.9_f32.to_bits()));
    }

    #[test]
    fn an_overlay_stays_in_the_range_of_images() {
        let trigger = Trigger::Overlay(Overlay { amplitude: 0.2, pattern: vec![1.0, -1.0, 0.5] });
        let mut out = [0.0; 3];
        trigger.stamp(&[0.9, 0.1, 0.5], [1, 3, 1], &mut out);
        assert!(
            out.iter().zip([1.0, 0.0, 0.6_f32]).all(|(found, expected)| (found - expected).abs() < 1e-6),
            "{out:?}"
        );
    }

    #[test]
    fn neighbours_stay_within_image_range_and_strength() {
        let shape = [8, 11, 3];
        let mut stream = RandomStream::new(4, 5, 6);
        for setting in Setting::all() {
            let mut trigger = candidates::candidate(setting, shape, &[], &mut stream);
            for _ in 0..300 {
                trigger = trigger.neighbour(shape, &[], &mut stream);
                assert_eq!(trigger.check(setting, shape), Ok(()));
            }
        }
    }

    #[test]
    fn a_larger_patch_holds_the_smaller_one() {
        let (shape, mut stream) = ([16, 16, 3], RandomStream::new(1, 1, 1));
        let setting = |strength| Setting { family: Family::Patch, strength };
        for _ in 0..100 {
            let small = candidates::candidate(setting(6), shape, &[], &mut stream);
            let large = small.strengthened(setting(10), shape);
            let image = vec![0.5; 16 * 16 * 3];
            let stamped = |trigger: &Trigger| {
                let mut out = vec![0.0; image.len()];
                trigger.stamp(&image, shape, &mut out);
                out
            };
            // Stamping the small one over the large one changes nothing.
            let (large, mut both) = (stamped(&large), vec![0.0; image.len()]);
            small.stamp(&large, shape, &mut both);
            assert_eq!(large, both);
        }
    }

    #[test]
    fn pieces_of_a_patch_lie_where_it_lay() {
        let (shape, mut stream) = ([16, 16, 3], RandomStream::new(1, 1, 2));
        let setting = |strength| Setting { family: Family::Patch, strength };
        let stamped = |trigger: &Trigger| {
            let mut out = vec![0.0; 16 * 16 * 3];
            trigger.stamp(&[2.0; 16 * 16 * 3], shape, &mut out);
            out
        };
        let large = candidates::candidate(setting(8), shape, &[], &mut stream);
        let crops = large.weakened(setting(4), shape);
        assert_eq!(crops.len(), 9);
        for piece in crops {
            let (whole, piece) = (stamped(&large), stamped(&piece));
            assert_eq!(piece.iter().filter(|value| **value < 2.0).count(), 2 * 2 * 3);
            let same = |a: f32, b: f32| a.total_cmp(&b).is_eq();
            assert!(piece.iter().zip(&whole).all(|(&piece, &whole)| same(piece, 2.0) || same(piece, whole)));
        }
    }
}
