//! How it is found out what a prediction service takes.

use std::path::PathBuf;

use clap::Args;

use super::input::DataArgs;
use super::service::AccessArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aeva probe http://127.0.0.1:8080/v2/models/digits --data images.npz\n  aeva probe http://127.0.0.1:8000/predict --data images.npz > endpoint.toml"
)]
pub(crate) struct ProbeArgs {
    /// The address of the service.
    pub(crate) url: String,
    /// Clean labelled images, as for `aeva scan`. The first one is sent.
    #[arg(long)]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) images: DataArgs,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}
