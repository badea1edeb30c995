//! What is stated about the images, and how they become a model's input.

use std::path::{Path, PathBuf};

use aeva_model::{DataError, DataOptions, Dataset, ImageSize, Layout, MOST_CLASSES, ValueRange};
use clap::Args;

use super::seconds;
use super::service::ServiceArgs;

/// What the files of `--data` do not say.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Images")]
pub(crate) struct DataArgs {
    /// Labels of `--data IMAGES.npy`: a `.npy` file as well.
    #[arg(long, value_name = "FILE", requires = "data")]
    labels: Option<PathBuf>,
    /// Resize all pictures of a folder or list, for example `224x224` (height, width) or `224`. By default they must have one size.
    #[arg(long, value_name = "HxW", requires = "data")]
    resize: Option<ImageSize>,
    /// Order of the classes, where they have names: a text file with one name a line, in the order of the model's labels. By
    /// default the sorted names are numbered.
    #[arg(long, value_name = "FILE", requires = "data")]
    class_order: Option<PathBuf>,
}

impl DataArgs {
    /// Loads the images that `path` names.
    pub(crate) fn load(&self, path: &Path) -> Result<Dataset, DataError> {
        Dataset::load_with(path, &self.options())
    }

    fn options(&self) -> DataOptions {
        DataOptions { labels: self.labels.clone(), size: self.resize, class_order: self.class_order.clone() }
    }
}

/// How images become the model's input, in place of what the manifest states.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model input")]
pub(crate) struct InputArgs {
    /// Manifest of the model; by default `NAME.toml` beside `NAME.onnx`, if it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Order of the input's dimensions: `nhwc` or `nchw`. By default it is told from the shape.
    #[arg(long)]
    pub(crate) layout: Option<Layout>,
    /// Interval of the model's pixels, for example `0..255`. By default it is tried out on the clean images.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub(crate) value_range: Option<ValueRange>,
    /// Mean to subtract: one value, or one for each channel, in the unit of the value range.
    #[arg(long, value_delimiter = ',', value_name = "X,..", allow_hyphen_values = true)]
    pub(crate) mean: Option<Vec<f32>>,
    /// Standard deviation to divide by: one value, or one for each channel, in the unit of the value range.
    #[arg(long, value_delimiter = ',', value_name = "X,..")]
    pub(crate) std: Option<Vec<f32>>,
    /// The model takes the channels in reverse order (BGR).
    #[arg(long)]
    pub(crate) reverse_channels: bool,
    /// Output to read; the first one by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    /// Number of labels, for a model that answers labels in place of scores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=i64::from(MOST_CLASSES)))]
    pub(crate) classes: Option<u32>,
    /// Score above which label 1 begins, for a model with one score and two labels: 0.5 for a probability, 0 for a logit.
    #[arg(long, value_name = "SCORE", value_parser = score, allow_hyphen_values = true)]
    pub(crate) threshold: Option<f32>,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// Seconds that the model may take for each image of a batch; 10 by default. A model that takes longer counts as hanging.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) answer_timeout: Option<f64>,
}

fn score(text: &str) -> Result<f32, String> {
    text.parse::<f32>().ok().filter(|score| score.is_finite()).ok_or_else(|| "expected a number".to_owned())
}
