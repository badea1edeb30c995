//! What can go wrong in a search.

use std::error::Error;

use crate::label::Label;

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
    /// Parameters that no search can start with.
    #[error("the parameters of the search cannot be used")]
    Parameters(#[from] SearchError),
    /// A finished pair could not be stored.
    #[error("a finished pair could not be stored")]
    Store(#[source] Box<dyn Error + Send + Sync>),
    /// The worker threads could not be started.
    #[error("cannot start the worker threads")]
    Threads(#[source] Box<dyn Error + Send + Sync>),
    /// The observer asked to stop.
    #[error("the scan was stopped")]
    Stopped,
    /// There is no oracle to ask.
    #[error("a scan needs at least one oracle")]
    NoOracle,
    /// Oracles that should be the same model take other images, or know other labels.
    #[error("the oracles of a scan must take the same images and know the same labels")]
    OraclesDiffer,
    /// The images have another shape than the model takes.
    #[error("the model takes images of shape {model:?} [h, w, c], the data has {data:?}")]
    ImageShape {
        /// Shape that the model takes, `[h, w, c]`.
        model: [usize; 3],
        /// Shape of the images.
        data: [usize; 3],
    },
    /// The images do not lie in memory one after the other.
    #[error("the images are not in standard layout")]
    Layout,
    /// A plan names an image that is not there.
    #[error("the plan names image {index}, but there are {images}")]
    NoSuchImage {
        /// Index of the image.
        index: usize,
        /// Number of images.
        images: usize,
    },
    /// No search of a comparison of devices came to a boundary.
    #[error("no search reached a boundary, so that devices cannot be compared")]
    NoBoundary,
    /// A pass that a setting of triggers does not have: random ones are not refined, the smallest not explored.
    #[error("there is no pass {pass}")]
    Pass {
        /// Name of the pass.
        pass: String,
    },
}
