//! What can go wrong with files.

mod decode;
mod folder;
mod run_info;

pub use decode::DecodeError;
pub use folder::ArtifactError;
pub use run_info::RunInfoError;
