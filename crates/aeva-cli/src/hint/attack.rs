//! What to do about scans that cannot be planned.

use aeva_attack::PlanError;

pub(super) fn plan(error: &PlanError) -> Option<&'static str> {
    Some(match error {
        PlanError::Label { .. } => {
            "the data and the model do not belong together, or labels do not start at 0; for --sources and --targets: stay below the class count"
        }
        PlanError::NoCorrectImages { images: 0, .. } => {
            "add images of this class to the data, or leave the class out with --sources and --targets (the verdict is then inconclusive)"
        }
        PlanError::NoCorrectImages { .. } => {
            "check that the labels of the data are the model's, and its value range; add images of this class, or leave it out with --sources and --targets"
        }
        PlanError::TooManyPairs { .. } => {
            "name fewer labels with --sources and --targets, or search triggers alone (--lens trigger)"
        }
        PlanError::NoPairs => "a search needs a source and another target: widen --sources or --targets",
        _ => return None,
    })
}
