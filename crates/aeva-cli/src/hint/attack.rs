//! Hints for scans that cannot be planned.

use aeva_attack::PlanError;

pub(super) fn plan(error: &PlanError) -> Option<&'static str> {
    Some(match error {
        PlanError::Label { .. } => {
            "the data does not belong to the model, or its labels do not start at 0; labels of --sources and --targets must be below the number of classes"
        }
        PlanError::NoCorrectImages { images: 0, .. } => {
            "add images of this class to the data, or leave the class out with --sources and --targets (the verdict is then inconclusive)"
        }
        PlanError::NoCorrectImages { .. } => {
            "check the value range, and that the data uses the labels of the model; add images of this class, or leave it out with --sources and --targets"
        }
        PlanError::TooManyPairs { .. } => {
            "name fewer labels with --sources and --targets, or search triggers alone (--lens trigger)"
        }
        PlanError::NoPairs => "a search needs a source and another target: widen --sources or --targets",
        _ => return None,
    })
}
