//! What is ahead of all others, and by how much.

use super::standout::StandsOut;

/// A lead without its pass.
pub(super) struct Ahead {
    pub(super) what: StandsOut,
    pub(super) gap: f64,
    pub(super) at_least: f64,
    pub(super) excess: Option<f64>,
}
