//! One targeted HopSkipJump search (Chen, Jordan and Wainwright, 2020; L2, as AEVA uses it), as a state machine.
//!
//! `params` has the parameters; `state` has the phases and their order; `bisect`, `gradient` and `step` implement the
//! phases.

mod bisect;
mod gradient;
mod params;
mod state;
mod step;

pub use params::{HopSkipJumpBuilder, HopSkipJumpParams, QUICK_SAMPLES};
pub use state::{HopSkipJump, IterationTrace};

/// Value type of the rows that a search writes: `f32` for models, `f64` for tests of exactness.
pub trait Element: Copy + Into<f64> + Send + Sync {
    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
}

impl Element for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the value is rounded to the type of the model on purpose")]
    fn from_f64(value: f64) -> Self {
        value as Self
    }
}

impl Element for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
}

/// `||a - b||_2`.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// `||a||_2`.
fn norm(a: &[f64]) -> f64 {
    a.iter().map(|a| a * a).sum::<f64>().sqrt()
}
