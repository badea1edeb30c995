//! A trigger as plain lists, for those who write it into files: none of them needs to know its shape.

use super::Unfit;

/// A trigger as lists of numbers. Its shape says what they mean, and that never changes, because files hold them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parts {
    /// Places and sizes in pixels.
    pub numbers: Vec<usize>,
    /// Properties that are no whole numbers, such as an amplitude.
    pub reals: Vec<f32>,
    /// The values of its pixels.
    pub values: Vec<f32>,
}

/// As many numbers and reals as a shape has, and any number of values.
type Exactly<const N: usize, const R: usize> = ([usize; N], [f32; R], Vec<f32>);

impl Parts {
    /// Takes them apart into exactly this many numbers and reals. How many values are needed depends on the image, so
    /// that only [`Trigger::check`](super::Trigger::check) can tell.
    pub(super) fn exactly<const N: usize, const R: usize>(self, what: &'static str) -> Result<Exactly<N, R>, Unfit> {
        let Self { numbers, reals, values } = self;
        Ok((counted(what, "numbers", numbers)?, counted(what, "reals", reals)?, values))
    }
}

fn counted<T, const N: usize>(what: &'static str, part: &'static str, found: Vec<T>) -> Result<[T; N], Unfit> {
    found.try_into().map_err(|found: Vec<T>| Unfit::Count { what, part, found: found.len(), needed: N })
}

/// An array of what a trigger looks like, for those who want to compute with it.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerArray {
    /// Its name; all arrays of one trigger have different ones.
    pub name: &'static str,
    /// Its dimensions; none for a single number.
    pub dimensions: Vec<usize>,
    /// Its items, row-major.
    pub items: Items,
}

/// The items of an array.
#[derive(Debug, Clone, PartialEq)]
pub enum Items {
    /// Whole numbers.
    Numbers(Vec<usize>),
    /// Values of pixels.
    Values(Vec<f32>),
}

impl TriggerArray {
    /// A single whole number.
    pub(super) fn number(name: &'static str, number: usize) -> Self {
        Self { name, dimensions: Vec::new(), items: Items::Numbers(vec![number]) }
    }

    /// Values of pixels.
    pub(super) fn values<const N: usize>(name: &'static str, dimensions: [usize; N], values: Vec<f32>) -> Self {
        Self { name, dimensions: dimensions.to_vec(), items: Items::Values(values) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::super::candidates::candidate;
    use super::super::stream::RandomStream;
    use super::super::{Setting, Trigger};
    use super::*;
    use aeva_stats::Shape;

    #[test]
    fn a_trigger_is_its_shape_and_its_parts() {
        let (shape, mut stream) = ([7, 9, 3], RandomStream::new(3, 1, 4));
        for setting in Setting::all() {
            let trigger = candidate(setting, shape, &[], &mut stream);
            assert_eq!(Trigger::from_parts(trigger.shape(), trigger.parts()).unwrap(), trigger);
        }
    }

    #[test]
    fn values_keep_their_bits() {
        let odd = [f32::NAN, -0.0, f32::from_bits(0x7fa0_1234), f32::MIN_POSITIVE / 2.0, f32::INFINITY];
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
        for (shape, numbers, reals) in [(Shape::Patch, vec![1, 2, 3], vec![]), (Shape::Overlay, vec![], vec![odd[2]])] {
            let parts = Parts { numbers: numbers.clone(), reals: reals.clone(), values: odd.to_vec() };
            let found = Trigger::from_parts(shape, parts).unwrap().parts();
            assert_eq!((found.numbers, bits(&found.reals), bits(&found.values)), (numbers, bits(&reals), bits(&odd)));
        }
    }

    #[test]
    fn other_counts_are_named() {
        let error = |shape, numbers: &[usize], reals: &[f32]| {
            let parts = Parts { numbers: numbers.to_vec(), reals: reals.to_vec(), values: vec![0.5] };
            Trigger::from_parts(shape, parts).unwrap_err().to_string()
        };
        assert_eq!(error(Shape::Patch, &[1, 2], &[]), "a patch has 2 numbers, needs 3");
        assert_eq!(error(Shape::Patch, &[1, 2, 3], &[0.5]), "a patch has 1 reals, needs 0");
        assert_eq!(error(Shape::Overlay, &[], &[]), "a pattern has 0 reals, needs 1");
        assert_eq!(error(Shape::Overlay, &[usize::MAX], &[0.5]), "a pattern has 1 numbers, needs 0");
    }

    #[test]
    fn arrays_hold_as_many_items_as_their_dimensions_say() {
        let (shape, mut stream) = ([7, 9, 3], RandomStream::new(3, 1, 5));
        for setting in Setting::all() {
            let trigger = candidate(setting, shape, &[], &mut stream);
            for array in trigger.arrays(shape) {
                let found = match &array.items {
                    Items::Numbers(numbers) => numbers.len(),
                    Items::Values(values) => values.len(),
                };
                assert_eq!(found, array.dimensions.iter().product::<usize>(), "{}", array.name);
            }
            let picture = trigger.picture(shape);
            assert!(picture.len() == 7 * 9 * 3 && picture.iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }

    #[test]
    fn a_patch_is_shown_on_grey_and_a_pattern_at_full_contrast() {
        let shape = [1, 2, 1];
        let patch = Parts { numbers: vec![0, 1, 1], reals: vec![], values: vec![0.75] };
        let patch = Trigger::from_parts(Shape::Patch, patch).unwrap();
        assert_eq!(patch.picture(shape), [0.5, 0.75]);
        let arrays = patch.arrays(shape);
        assert_eq!(arrays.iter().map(|array| array.name).collect::<Vec<&str>>(), ["patch", "row", "column"]);
        assert_eq!(arrays[2], TriggerArray { name: "column", dimensions: vec![], items: Items::Numbers(vec![1]) });
        let pattern = Parts { numbers: vec![], reals: vec![0.25], values: vec![-1.0, 0.5] };
        let pattern = Trigger::from_parts(Shape::Overlay, pattern).unwrap();
        assert_eq!(pattern.picture(shape), [0.0, 0.75]);
        let items = Items::Values(vec![-0.25, 0.125]);
        assert_eq!(pattern.arrays(shape), [TriggerArray { name: "overlay", dimensions: vec![1, 2, 1], items }]);
    }
}
