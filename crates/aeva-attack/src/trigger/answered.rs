//! A change that was tried for one goal, with all its answers: they say as much about every other goal.

use std::collections::HashMap;

use aeva_stats::TargetMap;

use super::Trigger;
use crate::Label;

/// A trigger with the labels of stamped images.
pub(super) struct Answered {
    pub(super) trigger: Trigger,
    /// Data set index -> label.
    labels: HashMap<usize, Label>,
}

impl Answered {
    pub(super) fn new(trigger: Trigger, images: &[usize], labels: &[Label]) -> Self {
        Self { trigger, labels: images.iter().copied().zip(labels.iter().copied()).collect() }
    }

    /// How many of these images reach the target label, as far as they were asked about. None for a map, which has no single
    /// target.
    pub(super) fn hits(&self, goal: TargetMap, images: &[usize]) -> usize {
        let target = goal.target();
        images.iter().filter(|image| target.is_some() && self.labels.get(image) == target.as_ref()).count()
    }

    /// The label of an image, if it was asked about.
    pub(super) fn label(&self, image: usize) -> Option<Label> {
        self.labels.get(&image).copied()
    }
}
