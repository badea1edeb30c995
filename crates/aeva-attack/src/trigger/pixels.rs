//! The images that triggers are stamped on.

use super::Trigger;

/// A trigger and the index of the image that it is stamped on.
pub(super) type Row<'a> = (&'a Trigger, usize);

/// The images that triggers are stamped on.
#[derive(Clone, Copy)]
pub(super) struct Pixels<'a> {
    all: &'a [f32],
    shape: [usize; 3],
}

impl<'a> Pixels<'a> {
    /// Images `[n, h, w, c]` in standard layout, each with this shape `[h, w, c]`.
    pub(super) fn new(all: &'a [f32], shape: [usize; 3]) -> Self {
        Self { all, shape }
    }

    /// Shape `[h, w, c]` of one image.
    pub(super) fn shape(self) -> [usize; 3] {
        self.shape
    }

    /// Values of one image.
    pub(super) fn values(self) -> usize {
        self.shape.iter().product()
    }

    /// A whole image of the data set, `[h, w, c]` row-major.
    pub(super) fn image(self, index: usize) -> &'a [f32] {
        let values = self.values();
        &self.all[index * values..(index + 1) * values]
    }

    /// Writes an image with its trigger.
    pub(super) fn stamp(self, (trigger, image): Row<'_>, out: &mut [f32]) {
        trigger.stamp(self.image(image), self.shape, out);
    }
}
