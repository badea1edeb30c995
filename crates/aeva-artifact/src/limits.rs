//! What no artifact can honestly exceed. A file with a right checksum may still have been made by anybody: what it says is checked
//! before anything is computed with it.

use crate::{DecodeError, MAX_CLASSES, Provenance, run_info::MAX_QUERIES};

/// Most values of an image: one of 16 000 x 16 000 grey pixels, and small enough that a few of them fit the memory.
const MAX_VALUES: usize = 1 << 28;

/// Most images that one figure may be about; sums of some of them stay within 32 bits. A look asks about some thousands.
const MAX_IMAGES: u32 = 1 << 24;

/// Whether images `[h, w, c]` can be that large; the number of their values.
pub(crate) fn check_shape(shape: [usize; 3]) -> Result<usize, DecodeError> {
    let values = shape.iter().try_fold(1_usize, |product, &dimension| product.checked_mul(dimension));
    values
        .filter(|&values| (1..=MAX_VALUES).contains(&values))
        .ok_or(DecodeError::Shape { found: shape, limit: MAX_VALUES })
}

/// Labels of the model, if they can be that many.
pub(crate) fn check_classes(provenance: &Provenance) -> Result<u32, DecodeError> {
    let classes = provenance.model.classes;
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

/// A pair of two different labels of the model.
pub(crate) fn check_pair(source: u32, target: u32, classes: u32) -> Result<(), DecodeError> {
    check_label("a source", source, classes)?;
    check_label("a target", target, classes)?;
    if source == target {
        return Err(DecodeError::SelfPair { label: source });
    }
    Ok(())
}

/// How many images did as is meant, of how many.
pub(crate) fn check_count(turned: u32, asked: u32) -> Result<(), DecodeError> {
    if turned > asked {
        return Err(DecodeError::Inconsistent(format!("{turned} of {asked} images turned")));
    }
    if asked > MAX_IMAGES {
        return Err(DecodeError::TooManyImages { found: u64::from(asked), limit: u64::from(MAX_IMAGES) });
    }
    Ok(())
}

/// A sum of images that is kept in 32 bits.
pub(crate) fn check_sum(asked: impl Iterator<Item = u32>) -> Result<(), DecodeError> {
    // At most 2^24 each, and far fewer than 2^40 of them.
    let found: u64 = asked.map(u64::from).sum();
    let limit = u64::from(u32::MAX);
    if found > limit {
        return Err(DecodeError::TooManyImages { found, limit });
    }
    Ok(())
}

/// Queries of all parts of an artifact together.
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
        assert!(check_count(3, 3).is_ok());
        assert!(matches!(check_count(4, 3), Err(DecodeError::Inconsistent(_))));
        assert!(matches!(check_count(0, u32::MAX), Err(DecodeError::TooManyImages { found: 0xffff_ffff, .. })));
        assert!(check_sum([u32::MAX, 0].into_iter()).is_ok());
        assert!(matches!(check_sum([u32::MAX, 1].into_iter()), Err(DecodeError::TooManyImages { .. })));
        assert!(check_queries([MAX_QUERIES, 0].into_iter()).is_ok());
        assert!(matches!(check_queries([MAX_QUERIES, 1].into_iter()), Err(DecodeError::TooManyQueries { .. })));
        let most = check_queries([u64::MAX, u64::MAX].into_iter());
        assert!(matches!(most, Err(DecodeError::TooManyQueries { found: u64::MAX, .. })));
    }
}
