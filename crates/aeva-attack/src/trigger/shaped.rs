//! What a shape of triggers has to offer.

use super::Setting;
use super::parts::{Parts, TriggerArray};
use super::stream::RandomStream;
use super::unfit::Unfit;

/// A trigger of one shape; images are `[h, w, c]` row-major.
pub(super) trait Shaped: Sized {
    /// Writes `image` with the trigger into `out`.
    fn stamp(&self, image: &[f32], shape: [usize; 3], out: &mut [f32]);

    /// Checks that a search over `setting` on images of `shape` can find it.
    fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit>;

    /// It as lists of numbers. What they mean never changes, because files hold them.
    fn parts(&self) -> Parts;

    /// The trigger that these lists are, bit for bit. Their counts are checked, not that it fits an image.
    fn from_parts(parts: Parts) -> Result<Self, Unfit>;

    /// Its arrays on images of `shape`, for those who want to compute with it.
    fn arrays(&self, shape: [usize; 3]) -> Vec<TriggerArray>;

    /// How it looks, values in `[0, 1]`: stamped on grey, unless its shape shows more otherwise.
    fn picture(&self, shape: [usize; 3]) -> Vec<f32> {
        let grey = vec![0.5; shape.iter().product()];
        let mut out = grey.clone();
        self.stamp(&grey, shape, &mut out);
        out
    }

    /// `name` with the size and place of the trigger in words.
    fn describe(&self, name: &str) -> String;

    /// A trigger that differs a little, of the same strength. `images` are whole images to take parts of.
    fn neighbour(&self, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Self;

    /// The same for a stronger setting.
    fn strengthened(&self, setting: Setting, shape: [usize; 3]) -> Self;

    /// The same for a weaker setting, in all ways that are worth a try.
    fn weakened(&self, setting: Setting, shape: [usize; 3]) -> Vec<Self>;
}
