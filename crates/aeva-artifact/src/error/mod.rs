//! Errors of files and folders.

mod decode;
mod encode;
mod folder;
mod run_info;

pub use decode::DecodeError;
pub use encode::EncodeError;
pub use folder::ArtifactError;
pub use run_info::RunInfoError;
