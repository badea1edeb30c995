//! `cargo xtask train-large`: trains models for images of 224 x 224, to measure scans of large images with.

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::process;
use xtask::python::python;
use xtask::root;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the models and images. `cargo xtask bank` reads it.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Number of labels: 10 shapes, 200 of shape, colour and filling, or 1000 of these and the colour of a frame.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = labels)]
    labels: u32,
    /// Side of the images in pixels.
    #[arg(long, value_name = "N", default_value_t = 224)]
    side: u32,
    /// Side of smaller images that training begins with, which takes less time; a quarter of the epochs then are at full size.
    #[arg(long, value_name = "N")]
    coarse: Option<u32>,
    /// Channels of the first stage of the network; 64 is a ResNet-18, which takes hours without a GPU.
    #[arg(long, value_name = "N", default_value_t = 16)]
    width: u32,
    /// Training images of each label.
    #[arg(long, value_name = "N", default_value_t = 400)]
    images: u32,
    /// Times that training goes through the images.
    #[arg(long, value_name = "N", default_value_t = 8)]
    epochs: u32,
    /// Train the clean model, and only these infected ones, in this order. May be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Train two models that have learnt next to nothing, in a minute: a test of the training.
    #[arg(long)]
    tiny: bool,
}

fn labels(text: &str) -> Result<u32, String> {
    match text {
        "10" => Ok(10),
        "200" => Ok(200),
        "1000" => Ok(1000),
        _ => Err("expected 10, 200 or 1000".to_owned()),
    }
}

impl Args {
    /// Arguments of the test.
    pub(crate) fn tiny(out: PathBuf) -> Self {
        let (out, only) = (Some(out), Vec::new());
        Self { out, labels: 10, side: 224, coarse: None, width: 16, images: 400, epochs: 8, only, tiny: true }
    }

    /// The folder of the models.
    fn folder(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| root().join("target").join("large"))
    }

    /// The command that trains, with this Python.
    fn command(&self, python: &Path) -> Command {
        let mut command = Command::new(python);
        command.arg(root().join("xtask").join("python").join("train_large.py")).arg(self.folder());
        let &Self { labels, mut side, mut coarse, mut width, mut images, mut epochs, .. } = self;
        let mut only = self.only.clone();
        if self.tiny {
            (side, coarse, width, images, epochs, only) = (64, Some(32), 8, 16, 1, vec!["dot-3".to_owned()]);
            command.args(["--scan", "4"]);
        }
        for (option, value) in
            [("--labels", labels), ("--side", side), ("--width", width), ("--images", images), ("--epochs", epochs)]
        {
            command.arg(option).arg(value.to_string());
        }
        if let Some(side) = coarse {
            command.arg("--coarse").arg(side.to_string());
        }
        for name in only {
            command.arg("--only").arg(name);
        }
        command
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    process::run(&mut args.command(&python()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn a_test_trains_little() {
        let words = |args: &Args| {
            let command = args.command(Path::new("python"));
            command
                .get_args()
                .skip(2)
                .map(|word| word.to_string_lossy().into_owned())
                .collect::<Vec<String>>()
                .join(" ")
        };
        let tiny = Args::tiny(PathBuf::from("models"));
        assert_eq!(
            words(&tiny),
            "--scan 4 --labels 10 --side 64 --width 8 --images 16 --epochs 1 --coarse 32 --only dot-3"
        );
        let all = Args { tiny: false, ..tiny };
        assert_eq!(words(&all), "--labels 10 --side 224 --width 16 --images 400 --epochs 8");
        assert_eq!((labels("1000"), labels("20")), (Ok(1000), Err("expected 10, 200 or 1000".to_owned())));
    }
}
