//! The artifact of triggers: its domain type, its payload, and the checks of its content.

mod artifact;
mod check;
mod earlier;
mod payload;
mod wire;

pub use artifact::TriggerArtifact;
