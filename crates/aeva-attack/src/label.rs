//! Labels.

/// The label of a class, counted from 0.
pub type Label = u32;

/// What a model answers that has no label for an image, because its scores are no numbers (NaN). It equals no label, so
/// such an image reaches no target, and does not keep its own label either.
pub const NO_LABEL: Label = Label::MAX;

/// Stands for a query without an answer in the ordered answers of a search that was stopped. No model has this label.
pub const UNANSWERED: Label = Label::MAX - 1;
