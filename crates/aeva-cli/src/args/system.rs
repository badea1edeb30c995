//! The arguments of commands that are about the program itself.

use std::path::PathBuf;

use aeva_model::Device;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// Install the build with this device, as `--device` of `aeva scan` takes it. CUDA (Linux x86-64) needs CUDA 13 and cuDNN 9.
    /// TensorRT needs TensorRT 10 as well.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: Device,
    /// Short for `--device cuda`.
    #[arg(long, conflicts_with = "device")]
    pub(crate) cuda: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {
    /// Where the models run, as for `aeva scan`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: Device,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder to write `aeva.1` and a page for each command into.
    pub(crate) folder: PathBuf,
}
