//! Limits that no genuine artifact exceeds. Anybody can make a file with a valid checksum, so its values are checked
//! before they are used.

use crate::error::DecodeError;

/// Largest number of labels of a model. Photograph data sets have at most 22 000 labels; anything that works on pairs
/// of labels stops long before.
pub const MAX_CLASSES: u32 = 100_000;

/// Largest number of queries in a file. JSON numbers are exact up to here, and sums of several stay within 64 bits.
pub(crate) const MAX_QUERIES: u64 = 1 << 53;

/// Largest number of values of an image: 16 000 x 16 000 grey pixels, small enough for several images in memory.
const MAX_VALUES: usize = 1 << 28;

/// Largest number of images behind one figure; sums of several stay within 32 bits. A pass uses some thousands.
const MAX_IMAGES: u32 = 1 << 24;

/// Checks the shape `[h, w, c]` of an image; returns its number of values.
pub(crate) fn check_shape(shape: [usize; 3]) -> Result<usize, DecodeError> {
    let values = shape.iter().try_fold(1_usize, |product, &dimension| product.checked_mul(dimension));
    values
        .filter(|&values| (1..=MAX_VALUES).contains(&values))
        .ok_or(DecodeError::Shape { found: shape, limit: MAX_VALUES })
}

/// Checks the number of labels of a model; returns it.
pub(crate) fn check_classes(classes: u32) -> Result<u32, DecodeError> {
    if classes > MAX_CLASSES {
        return Err(DecodeError::Classes { found: classes, limit: MAX_CLASSES });
    }
    Ok(classes)
}

pub(crate) fn check_label(what: &'static str, found: u32, classes: u32) -> Result<(), DecodeError> {
    if found >= classes {
        return Err(DecodeError::Label { what, found, classes });
    }
    Ok(())
}

/// Checks that a pair has two different labels of the model.
pub(crate) fn check_pair(source: u32, target: u32, classes: u32) -> Result<(), DecodeError> {
    check_label("a source", source, classes)?;
    check_label("a target", target, classes)?;
    if source == target {
        return Err(DecodeError::SelfPair { label: source });
    }
    Ok(())
}

/// Checks the trials of one tally.
pub(crate) fn check_images(trials: u32) -> Result<(), DecodeError> {
    if trials > MAX_IMAGES {
        return Err(DecodeError::TooManyImages { found: u64::from(trials), limit: u64::from(MAX_IMAGES) });
    }
    Ok(())
}

/// Checks a sum of images that is kept in 32 bits.
pub(crate) fn check_sum(trials: impl Iterator<Item = u32>) -> Result<(), DecodeError> {
    // At most 2^24 each, and far fewer than 2^40 of them, so the sum cannot overflow.
    let found: u64 = trials.map(u64::from).sum();
    let limit = u64::from(u32::MAX);
    if found > limit {
        return Err(DecodeError::TooManyImages { found, limit });
    }
    Ok(())
}

/// Checks the sum of the queries of all parts of an artifact.
pub(crate) fn check_queries(mut parts: impl Iterator<Item = u64>) -> Result<(), DecodeError> {
    let found = parts.try_fold(0_u64, u64::checked_add).unwrap_or(u64::MAX);
    if found > MAX_QUERIES {
        return Err(DecodeError::TooManyQueries { found, limit: MAX_QUERIES });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_values_but_not_too_many() {
        assert_eq!(check_shape([2, 3, 4]).unwrap(), 24);
        assert_eq!(check_shape([1 << 14, 1 << 14, 1]).unwrap(), 1 << 28);
        for wrong in [[0, 3, 4], [2, 3, 0], [60_000, 60_000, 1], [usize::MAX, usize::MAX, 1]] {
            assert!(matches!(check_shape(wrong), Err(DecodeError::Shape { found, .. }) if found == wrong));
        }
    }

    #[test]
    fn counts_and_sums_stay_within_their_bits() {
        assert!(check_images(1 << 24).is_ok());
        assert!(matches!(check_images(u32::MAX), Err(DecodeError::TooManyImages { found: 0xffff_ffff, .. })));
        assert!(check_sum([u32::MAX, 0].into_iter()).is_ok());
        assert!(matches!(check_sum([u32::MAX, 1].into_iter()), Err(DecodeError::TooManyImages { .. })));
        assert!(check_queries([MAX_QUERIES, 0].into_iter()).is_ok());
        assert!(matches!(check_queries([MAX_QUERIES, 1].into_iter()), Err(DecodeError::TooManyQueries { .. })));
        let most = check_queries([u64::MAX, u64::MAX].into_iter());
        assert!(matches!(most, Err(DecodeError::TooManyQueries { found: u64::MAX, .. })));
    }
}
