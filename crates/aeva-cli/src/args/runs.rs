//! The arguments of commands on run folders.

use std::path::PathBuf;

use clap::Args;

use super::DataArgs;
use crate::effort::EffortChoice;
use crate::exit::FailOn;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  aeva diff before after")]
pub(crate) struct DiffArgs {
    /// The run folder of the model that is known.
    pub(crate) before: PathBuf,
    /// The run folder of the model that takes its place.
    pub(crate) after: PathBuf,
    /// Judge the passes that scans of this effort would have made.
    #[arg(long, value_enum, default_value_t = EffortChoice::Standard)]
    pub(crate) effort: EffortChoice,
    /// Print the difference as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Which verdicts are a failure, if the second one is worse than the first.
    #[arg(long, value_enum, default_value = "inconclusive", value_name = "VERDICT")]
    pub(crate) fail_on: FailOn,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  aeva inspect run")]
pub(crate) struct InspectArgs {
    /// An artifact (`.aeva`) or a run folder.
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// An artifact (`.aeva`) or a run folder.
    pub(crate) path: PathBuf,
    /// File to write: `.npy` for one artifact, `.npz` for one artifact or for a run.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  aeva stamp run --label 3 --data images.npz --out stamped.npz")]
pub(crate) struct StampArgs {
    /// The run folder.
    pub(crate) run: PathBuf,
    /// Images to stamp, as for `aeva scan`.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Target label of the trigger to stamp.
    #[arg(long, conflicts_with = "map", required_unless_present = "map")]
    pub(crate) label: Option<u32>,
    /// Stamp the trigger of a source-specific backdoor that works from this label alone.
    #[arg(long, requires = "label", value_name = "LABEL")]
    pub(crate) source: Option<u32>,
    /// Stamp the trigger of an all-to-all backdoor.
    #[arg(long)]
    pub(crate) map: bool,
    /// Where to write: a `.npz` file with `x` uint8 `[n, h, w, c]` and `y`, the true labels; or a folder for `.png` files.
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) images: DataArgs,
}
