//! The arguments of commands that are about the program itself.

use std::path::PathBuf;

use aeva_model::Device;
use clap::Args;

use super::{DataArgs, InputArgs};

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
#[command(after_help = "Examples:\n  aeva doctor\n  aeva doctor model.onnx --data images.npz")]
pub(crate) struct DoctorArgs {
    /// A model to look at, as for `aeva scan`.
    #[arg(requires = "data")]
    pub(crate) model: Option<PathBuf>,
    /// Its images, as for `aeva scan`.
    #[arg(long, requires = "model")]
    pub(crate) data: Option<PathBuf>,
    /// Where the model runs, as for `aeva scan`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) images: DataArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aeva convert model.keras --out model.onnx\n  aeva convert model.pt --out model.onnx --shape 32,32,3"
)]
pub(crate) struct ConvertArgs {
    /// The model: a Keras file (.h5, .keras) or a TorchScript file (.pt). Loading it runs code that it contains.
    pub(crate) model: PathBuf,
    /// The ONNX file to write. A manifest gets the same name with `.toml`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Shape of an image; needed for TorchScript.
    #[arg(long, value_name = "H,W,C")]
    pub(crate) shape: Option<String>,
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
