//! What can go wrong in a search.

use std::error::Error;

use crate::Label;

/// The black box failed to answer. Whatever the adapter reports, as the search must not know it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OracleError(#[from] pub Box<dyn Error + Send + Sync>);

impl OracleError {
    /// Wraps an adapter's error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Parameters or images that no search can start from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// A parameter is out of its range.
    #[error("{parameter} is {found}, expected {expected}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// What was given.
        found: String,
        /// What is allowed.
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
    /// A value lies outside of `[0, 1]`.
    #[error("value {index} of the {image} image is {found}, expected a value in [0, 1]")]
    Range {
        /// "origin" or "start".
        image: &'static str,
        /// Its position.
        index: usize,
        /// What was found.
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
    #[error("{truth} true labels, but {predicted} predicted ones")]
    Length {
        /// Number of true labels.
        truth: usize,
        /// Number of predicted labels.
        predicted: usize,
    },
    /// A class that takes part has no image that the model classifies correctly.
    #[error("class {class} has no usable image: {correct} of its {images} images are classified correctly")]
    NoCorrectImages {
        /// The class.
        class: Label,
        /// Its images in the data.
        images: usize,
        /// How many of them the model gets right (zero).
        correct: usize,
    },
    /// No pair of different labels is left.
    #[error("sources and targets leave no pair of different labels")]
    NoPairs,
    /// More pairs of labels than can be planned.
    #[error("sources and targets are {found} pairs of labels, at most {limit} can be planned")]
    TooManyPairs {
        /// Pairs that were asked for.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Zero samples were asked for.
    #[error("a pair needs at least one sample")]
    NoSamples,
}

/// A scan that had to stop. Finished pairs were handed out before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The oracle failed.
    #[error("the model failed to classify a batch")]
    Oracle(#[from] OracleError),
    /// The oracle broke its promise of one label an image.
    #[error("the model answered {found} labels for {expected} images")]
    Answer {
        /// Images that were asked.
        expected: usize,
        /// Labels that came.
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
        /// Why not.
        source: SearchError,
    },
    /// A finished pair could not be stored.
    #[error("a finished pair could not be stored")]
    Store(#[source] Box<dyn Error + Send + Sync>),
    /// The worker threads could not be started.
    #[error("cannot start the worker threads")]
    Threads(#[source] Box<dyn Error + Send + Sync>),
    /// The observer asked to stop.
    #[error("the scan was stopped")]
    Stopped,
    /// There is no oracle to ask, or it sees other images than those given.
    #[error("{0}")]
    Setup(String),
}
