//! What a shape of triggers has to offer.

use aeva_stats::Shape;

use super::Setting;
use super::stream::RandomStream;
use super::unfit::Unfit;

/// A trigger of one shape; images are `[h, w, c]` row-major.
pub(super) trait Shaped: Sized {
    /// Which shape it is.
    const SHAPE: Shape;

    /// Writes `image` with the trigger into `out`.
    fn stamp(&self, image: &[f32], shape: [usize; 3], out: &mut [f32]);

    /// Checks that a search over `setting` on images of `shape` can find it.
    fn check(&self, setting: Setting, shape: [usize; 3]) -> Result<(), Unfit>;

    /// `name` with the size and place of the trigger in words.
    fn describe(&self, name: &str) -> String;

    /// A trigger that differs a little, of the same strength. `images` are whole images to take parts of.
    fn neighbour(&self, shape: [usize; 3], images: &[&[f32]], stream: &mut RandomStream) -> Self;

    /// The same for a stronger setting.
    fn strengthened(&self, setting: Setting, shape: [usize; 3]) -> Self;

    /// The same for a weaker setting, in all ways that are worth a try.
    fn weakened(&self, setting: Setting, shape: [usize; 3]) -> Vec<Self>;
}
