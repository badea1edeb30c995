//! Errors of the runtime, of models and of data. Messages name the file, what was found and what was expected.

mod data;
mod model;
mod program;
mod runtime;

pub use data::DataError;
pub use model::{ExpectedInput, ExpectedOutput, FileFormat, ModelError};
pub use program::ProgramError;
pub use runtime::RuntimeError;
