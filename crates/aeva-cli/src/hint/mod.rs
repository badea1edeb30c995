//! Hints: one sentence on what to do about each error that a user can cause.

mod artifact;
mod attack;
mod load;
mod model;
mod program;

use std::fmt;

use aeva_artifact::ArtifactError;
use aeva_attack::{OracleError, PlanError};
use aeva_model::{DataError, EndpointError, LoadError, ModelError, ProgramError, RuntimeError};
use aeva_scan::Failure;

pub(crate) use self::load::preprocessing_options;

/// An error of this program itself, with its hint.
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
}

impl Hinted {
    /// An error whose hint is known where the error occurs.
    pub(crate) fn error(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self { message: message.into(), hint: hint.into() })
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// The hint for the first error in the chain that has one.
pub(crate) fn of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(hinted) = cause.downcast_ref::<Hinted>() {
            return Some(hinted.hint.clone());
        }
        if let Some(error) = cause.downcast_ref::<LoadError>() {
            return load::hint(error);
        }
        let known = cause
            .downcast_ref::<ModelError>()
            .map(model::model)
            .or_else(|| cause.downcast_ref::<OracleError>().map(oracle))
            .or_else(|| cause.downcast_ref::<DataError>().map(model::data))
            .or_else(|| cause.downcast_ref::<RuntimeError>().map(model::runtime))
            .or_else(|| cause.downcast_ref::<ArtifactError>().map(artifact::artifact))
            .or_else(|| cause.downcast_ref::<Failure>().map(failure))
            .or_else(|| cause.downcast_ref::<PlanError>().map(attack::plan));
        known.flatten().map(str::to_owned)
    })
}

/// Hints for a scan whose store failed; errors of the model have a cause of their own.
fn failure(error: &Failure) -> Option<&'static str> {
    match error {
        Failure::Store(error) => artifact::artifact(error),
        _ => None,
    }
}

/// The error of an oracle is opaque; it wraps the error of its adapter.
fn oracle(error: &OracleError) -> Option<&'static str> {
    let program = || error.0.downcast_ref::<ProgramError>().and_then(program::program);
    let service = || error.0.downcast_ref::<EndpointError>().and_then(load::service);
    error.0.downcast_ref::<ModelError>().and_then(model::model).or_else(program).or_else(service)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use aeva_model::{Device, FileFormat};

    fn hint(error: impl std::error::Error + Send + Sync + 'static) -> String {
        of(&anyhow::Error::new(error).context("in a scan")).unwrap()
    }

    #[test]
    fn hints_are_found_by_the_type_of_an_error_however_it_is_wrapped() {
        let model = || ModelError::Format { path: PathBuf::from("m"), found: FileFormat::Zip };
        let expected = hint(model());
        assert!(expected.starts_with("convert a Keras model first"), "{expected}");
        assert_eq!(hint(LoadError::Model(model())), expected);
        assert_eq!(hint(OracleError::new(model())), expected);
        assert_eq!(hint(LoadError::Classify(OracleError::new(model()))), expected);
        let other = ModelError::Format { path: PathBuf::from("m"), found: FileFormat::Ort };
        assert_eq!(hint(other), "the file must be an ONNX model");
        let vanished = || ArtifactError::Vanished { path: PathBuf::from("run") };
        assert_eq!(hint(Failure::from(vanished())), hint(vanished()));
        let missing = |device| hint(LoadError::Runtime(RuntimeError::NotFound { device, searched: Vec::new() }));
        assert!(missing(Device::CoreMl).starts_with("Core ML"));
        assert!(missing(Device::Cpu).starts_with("install it once"));
    }

    #[test]
    fn an_error_without_a_remedy_has_no_hint() {
        assert_eq!(of(&anyhow::Error::new(LoadError::Stopped)), None);
        assert_eq!(of(&anyhow::Error::new(OracleError::new("unknown"))), None);
    }
}
