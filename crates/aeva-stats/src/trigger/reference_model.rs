//! One of the clean models that a model is compared with.

/// A clean model that others are compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReferenceModel {
    /// Models of one origin count as one model, because they share code, data and habits. `None` if it stands for itself.
    pub origin: Option<u32>,
    /// Number of labels.
    pub labels: u32,
    /// How far anything stands out in it: the evidence of [`Strongest`](crate::Strongest).
    pub evidence: f64,
}
