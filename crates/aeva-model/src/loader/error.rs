//! Why a model is not ready for a scan.

use std::path::PathBuf;

use aeva_attack::conformance::Nonconformance;
use aeva_attack::{Label, OracleError, PlanError, ScanError};
use aeva_endpoint::EndpointError;

use super::precision::Precision;
use crate::conventions::Fit;
use crate::diagnosis::Diagnosis;
use crate::{ModelError, ProgramError, RuntimeError, ValueRange};

/// A model that cannot be scanned with the given data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// ONNX Runtime cannot be loaded.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The service behind the model fails.
    #[error(transparent)]
    Service(EndpointError),
    /// The form of requests to a service is not known.
    #[error("the protocol of the service is not stated")]
    NoProtocol,
    /// An option that only files have a use for.
    #[error("{option} is for model files; the model is a service")]
    NotForServices {
        /// The option.
        option: &'static str,
    },
    /// An option about numbers, for a service that takes pictures or pixels of 8 bits.
    #[error("{option} is for numbers; the service takes pixels of 8 bits")]
    NotForPictures {
        /// The option.
        option: &'static str,
    },
    /// The service answers the same image differently however often it is asked.
    #[error(
        "{model} answers the same images differently, also where each is asked about {asks} times and the most frequent label counts: nothing can be said about it"
    )]
    Wobbles {
        /// The model.
        model: PathBuf,
        /// How often each image was asked about.
        asks: usize,
    },
    /// The program behind the model fails.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The manifest that was named does not exist.
    #[error("there is no manifest {path}")]
    NoManifest {
        /// Its path.
        path: PathBuf,
    },
    /// The data has a label that the model does not have.
    #[error("the labels of {data} do not fit {model}")]
    Labels {
        /// The data.
        data: PathBuf,
        /// The model.
        model: PathBuf,
        /// The label.
        source: PlanError,
    },
    /// The labels cannot be sorted by class.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The model runs on the device only.
    #[error("the model cannot be loaded on the CPU for comparison")]
    Reference(#[source] ModelError),
    /// The model failed on clean images.
    #[error("the clean images could not be classified")]
    Classify(#[source] OracleError),
    /// Several conventions explain the answers, and only the user knows which one is right.
    #[error(
        "{model} gets {:.1} % of the clean images right with pixels in {}, and clearly more in several other ways: which one it was made for cannot be told from here",
        100.0 * accuracy, ValueRange::UNIT
    )]
    Ambiguous {
        /// The model.
        model: PathBuf,
        /// Share of the clean images that are right with pixels in `[0, 1]`.
        accuracy: f64,
        /// The conventions that fit, best first.
        fits: Vec<Fit>,
    },
    /// The model misclassifies most clean images for a reason that was found.
    #[error("{} classifies only {:.1} % of the clean images correctly", .0.model.display(), 100.0 * .0.accuracy)]
    Misunderstood(Box<Misunderstanding>),
    /// The model gives one label to all images.
    #[error(
        "{model} gives label {label} to all {images} clean images: a model that always says the same cannot be scanned"
    )]
    OneLabel {
        /// The model.
        model: PathBuf,
        /// The label.
        label: Label,
        /// Number of clean images.
        images: usize,
    },
    /// The answers have little to do with the true labels.
    #[error(
        "{model} is at chance level: it gets {:.1} % of the clean images right, which is {kappa:.2} beyond chance (Cohen's kappa) where {needed} is needed: nothing can be said about it",
        100.0 * accuracy
    )]
    ChanceLevel {
        /// The model.
        model: PathBuf,
        /// Share of the clean images that are right.
        accuracy: f64,
        /// Cohen's kappa of the answers and the true labels.
        kappa: f64,
        /// The kappa that is needed.
        needed: f64,
    },
    /// The model breaks a promise that every oracle makes, such as the same answer to the same image.
    #[error("{model}: {broken}")]
    Nonconforming {
        /// The model.
        model: PathBuf,
        /// The promise.
        broken: Nonconformance,
    },
    /// The device computes too coarsely to see the probes of a search.
    #[error("{precision}, {:.0} % are needed: it computes too coarsely for the search", 100.0 * needed)]
    TooCoarse {
        /// How often the device and the CPU decide alike.
        precision: Precision,
        /// The share of probes that is needed.
        needed: f64,
    },
    /// The device cannot be compared with the CPU.
    #[error(transparent)]
    Agreement(#[from] ScanError),
    /// The user asked to stop.
    #[error("stopped")]
    Stopped,
}

/// Why a model misclassifies clean images.
#[derive(Debug, Clone, PartialEq)]
pub struct Misunderstanding {
    /// The model.
    pub model: PathBuf,
    /// Share of the clean images that are right.
    pub accuracy: f64,
    /// The likely cause.
    pub diagnosis: Diagnosis,
    /// Number of images that the cause was tried on.
    pub probes: usize,
    /// Names of the data's classes, where it has them.
    pub class_names: Option<Vec<String>>,
}
