//! Labels.

/// A class label, from 0.
pub type Label = u32;
