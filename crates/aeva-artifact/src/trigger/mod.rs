//! The artifact of triggers: its domain type, its payload, and what cannot be true of it.

mod artifact;
mod check;
mod wire;

pub use artifact::TriggerArtifact;
