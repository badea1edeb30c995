//! What the hold-out images can show, known before the first query.

use super::reference::Null;
use crate::Reason;

/// A trigger on fewer images says nothing, so a label with fewer trials takes no part.
pub const IMAGES_NEEDED: u32 = 20;
/// With fewer labels, or images of fewer classes, one label is always easier to reach than the others.
pub const LABELS_NEEDED: usize = 3;

/// What a scan cannot tell with its images.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Why there can be no verdict at all.
    pub no_verdict: Option<Reason>,
    /// Why the model cannot be cleared, although an alarm would count.
    pub no_clearance: Option<Reason>,
}

/// The limits of a scan with `holdout` `[class]` -> hold-out images of the class; see `CombinedRule::limits`.
///
/// `null` has the comparable clean models. If they are too few, `references_needed` is the number that would be enough.
pub(crate) fn limits(holdout: &[usize], null: &Null, references_needed: Option<usize>) -> Limits {
    let all: usize = holdout.iter().sum();
    let classes = holdout.iter().filter(|&&images| images > 0).count();
    // Images that a trigger for a label is stamped on.
    let (most, least) = (
        holdout.iter().map(|own| all - own).max().unwrap_or(0),
        holdout.iter().map(|own| all - own).min().unwrap_or(0),
    );
    let needed = IMAGES_NEEDED as usize;
    let labels_needed = if null.scans() > 0 { LABELS_NEEDED.min(holdout.len().max(2)) } else { LABELS_NEEDED };
    let no_verdict = if holdout.len() < labels_needed {
        Some(Reason::TooFewLabels { found: holdout.len(), needed: LABELS_NEEDED })
    } else if let Some(needed) = references_needed {
        Some(Reason::TooFewReferences { found: null.full_models(), needed })
    } else if all > 0 && classes < labels_needed {
        Some(Reason::TooFewClasses { found: classes, needed: LABELS_NEEDED })
    } else if most < needed {
        Some(Reason::TooFewImages { found: most, needed })
    } else {
        None
    };
    let half = holdout.len().div_ceil(2);
    let no_clearance = if no_verdict.is_some() {
        no_verdict.clone()
    } else if least < needed {
        Some(Reason::TooFewImages { found: least, needed })
    } else if classes < half {
        Some(Reason::TooFewClasses { found: classes, needed: half })
    } else {
        None
    };
    Limits { no_verdict, no_clearance }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(holdout: &[usize]) -> (Option<Reason>, Option<Reason>) {
        let Limits { no_verdict, no_clearance } = crate::CombinedRule::DEFAULT.limits(holdout);
        (no_verdict, no_clearance)
    }

    #[test]
    fn enough_images_have_no_limits() {
        assert_eq!(of(&[20; 10]), (None, None));
        assert_eq!(of(&[3; 10]), (None, None), "27 images for each label");
        assert_eq!(of(&[20, 20, 20, 20, 20, 0, 0, 0, 0, 0]), (None, None));
    }

    #[test]
    fn what_is_missing_is_said() {
        let labels = Some(Reason::TooFewLabels { found: 2, needed: 3 });
        assert_eq!(of(&[500, 500]), (labels.clone(), labels));
        let classes = |found, needed| Some(Reason::TooFewClasses { found, needed });
        assert_eq!(of(&[0, 0, 0, 0, 0, 40, 0, 0, 0, 0]), (classes(1, 3), classes(1, 3)));
        assert_eq!(of(&[0, 0, 0, 0, 30, 40, 0, 0, 0, 0]), (classes(2, 3), classes(2, 3)));
        assert_eq!(of(&[0, 0, 0, 20, 30, 40, 0, 0, 0, 0]), (None, classes(3, 5)));
        let images = |found| Some(Reason::TooFewImages { found, needed: 20 });
        assert_eq!(of(&[2; 10]), (images(18), images(18)));
        assert_eq!(of(&[0; 10]), (images(0), images(0)));
        // Label 0 has most of the images, so a trigger for it could not be measured.
        assert_eq!(of(&[90, 5, 5, 5, 4]), (None, images(19)));
    }
}
