//! Errors of the searches.

use std::error::Error;
use std::fmt;

use crate::label::Label;

/// The black box did not answer. The error of the adapter is opaque: the search knows no more of it than its meaning.
#[derive(Debug)]
pub struct OracleError(pub Box<dyn Error + Send + Sync>, pub Meaning);

/// What an error of a black box means for a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It failed. Its answers up to here count.
    Failure,
    /// A limit of the user is reached. Its answers up to here count.
    Limit,
    /// It is not the model that it was. No answer of the scan can be relied on.
    Changed,
}

impl OracleError {
    /// Wraps an adapter's error, which is a failure.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into(), Meaning::Failure)
    }

    /// The same error with another meaning.
    #[must_use]
    pub fn meaning(self, meaning: Meaning) -> Self {
        Self(self.0, meaning)
    }
}

impl fmt::Display for OracleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for OracleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Parameters or images that a search cannot start from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// A parameter is out of its range.
    #[error("{parameter} is {found}, expected {expected}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// Value found.
        found: String,
        /// Values allowed.
        expected: &'static str,
    },
    /// Origin and start differ in length, or are empty.
    #[error("the origin has {origin} values and the start {start}; both need the same number, at least one")]
    Shape {
        /// Values of the origin.
        origin: usize,
        /// Values of the start.
        start: usize,
    },
    /// A value lies outside `[0, 1]`.
    #[error("value {index} of the {image} image is {found}, expected a value in [0, 1]")]
    Range {
        /// "origin" or "start".
        image: &'static str,
        /// Its index.
        index: usize,
        /// Value found.
        found: f32,
    },
}

/// A scan that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A label of the data or of a range does not exist in the model.
    #[error("label {label} does not exist: the model has {classes} classes (0 to {})", classes.saturating_sub(1))]
    Label {
        /// The label.
        label: Label,
        /// Classes of the model.
        classes: u32,
    },
    /// Truth and prediction differ in length.
    #[error("there are {truth} true labels but {predicted} predicted ones")]
    Length {
        /// Number of true labels.
        truth: usize,
        /// Number of predicted labels.
        predicted: usize,
    },
    /// A class of the plan has no image that the model classifies correctly.
    #[error("class {class} has no usable image: {correct} of its {images} images are classified correctly")]
    NoCorrectImages {
        /// The class.
        class: Label,
        /// Its images in the data.
        images: usize,
        /// How many of them the model classifies correctly (zero).
        correct: usize,
    },
    /// No pair of different labels is left.
    #[error("sources and targets leave no pair of different labels")]
    NoPairs,
    /// There are more pairs of labels than can be planned.
    #[error("sources and targets form {found} pairs of labels; at most {limit} can be planned")]
    TooManyPairs {
        /// Pairs requested.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Zero samples were requested.
    #[error("a pair needs at least one sample")]
    NoSamples,
}

/// A scan that had to stop. Pairs that finished earlier have been handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The oracle failed.
    #[error("the model failed to classify a batch")]
    Oracle(#[source] OracleError),
    /// The oracle broke its promise of one label per image.
    #[error("the model answered {found} labels for {expected} images")]
    Answer {
        /// Images in the batch.
        expected: usize,
        /// Labels returned.
        found: usize,
    },
    /// No search can start from these images.
    #[error("search {source_label} -> {target}, sample {sample} cannot start")]
    Search {
        /// Source label of the search.
        source_label: Label,
        /// Its target label.
        target: Label,
        /// Its sample.
        sample: u32,
        /// The cause.
        source: SearchError,
    },
    /// Parameters that a search cannot start with.
    #[error("the parameters of the search cannot be used")]
    Parameters(#[from] SearchError),
    /// A finished pair could not be stored.
    #[error("a finished pair could not be stored")]
    Store(#[source] Box<dyn Error + Send + Sync>),
    /// The worker threads could not be started.
    #[error("cannot start the worker threads")]
    Threads(#[source] Box<dyn Error + Send + Sync>),
    /// The observer asked to stop, or a limit of the oracle is reached.
    #[error("the scan was stopped")]
    Stopped,
    /// Another process has finished the pass in the meantime ([`Peers`](crate::Peers)).
    #[error("another process has finished the pass")]
    FinishedElsewhere,
    /// There is no oracle.
    #[error("a scan needs at least one oracle")]
    NoOracle,
    /// Oracles of the same model take images of different shapes or have different labels.
    #[error("the oracles of a scan must take images of the same shape and have the same labels")]
    OraclesDiffer,
    /// The images do not have the shape that the model takes.
    #[error("the model takes images of shape {model:?} [h, w, c], the data has {data:?}")]
    ImageShape {
        /// Shape that the model takes, `[h, w, c]`.
        model: [usize; 3],
        /// Shape of the images.
        data: [usize; 3],
    },
    /// The images are not contiguous in memory.
    #[error("the images are not in standard layout")]
    Layout,
    /// A plan names an image that does not exist.
    #[error("the plan names image {index}, but there are {images}")]
    NoSuchImage {
        /// Index of the image.
        index: usize,
        /// Number of images.
        images: usize,
    },
    /// No search of a device comparison reached a boundary.
    #[error("no search reached a boundary, so the devices cannot be compared")]
    NoBoundary,
    /// A pass that a trigger setting does not have: random triggers are not refined, the smallest ones are not
    /// explored.
    #[error("there is no pass {pass}")]
    Pass {
        /// Name of the pass.
        pass: String,
    },
}

impl From<OracleError> for ScanError {
    fn from(error: OracleError) -> Self {
        match error.1 {
            Meaning::Limit => Self::Stopped,
            Meaning::Failure | Meaning::Changed => Self::Oracle(error),
        }
    }
}

impl ScanError {
    /// Whether no answer of the scan can be relied on.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Oracle(OracleError(_, Meaning::Changed)))
    }
}
