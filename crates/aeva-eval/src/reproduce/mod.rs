//! `cargo xtask reproduce-paper`: runs the published experiments again and shows the results beside the published figures.

mod assets;
mod published;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::Value;
use xtask::process::{built_aeva, exit_code, print, say};
use xtask::{convert, demo, root};

use self::assets::Assets;
use self::published::{MODELS, Published};
use self::report::{Found, Row};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder with the models and images, at any depth. They are recognised by their content. Without this option they are fetched.
    #[arg(long, value_name = "FOLDER")]
    assets: Option<PathBuf>,
    /// Parameters of the searches, as `--preset` of `aeva scan`.
    #[arg(long, value_enum, default_value = "quick")]
    scale: Scale,
    /// Where the models run, as `--device` of `aeva scan`.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Seed of the searches.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for converted models, runs and the report. What it has already is not made again.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Parameters of the searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scale {
    /// The quick preset: minutes on a laptop for ten labels.
    Quick,
    /// The published parameters: 40 samples and 50 iterations.
    Published,
    /// Too few queries for a verdict: to see that models and images are found, converted and scanned.
    Trial,
}

impl Scale {
    fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Published => "published",
            Self::Trial => "trial",
        }
    }

    /// Options of a scan.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Quick => &["--preset", "quick"],
            Self::Published => &["--preset", "published"],
            Self::Trial => &["--samples", "1", "--iterations", "2", "--initial-evaluations", "8"],
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    demo::setup()?;
    let aeva = built_aeva()?;
    let out = args.out.clone().unwrap_or_else(|| root().join("target").join("reproduce"));
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let assets = Assets::open(args.assets.as_deref())?;
    let mut rows = Vec::new();
    for model in MODELS {
        say(&format!("== {}", model.name));
        let found = match (assets.model(model)?, assets.images(model.data)?) {
            (Ok(model_file), Ok(images)) => {
                Found::Scanned(Box::new(scan(args, &aeva, model, &model_file, &images, &out)?))
            }
            (Err(why), _) | (_, Err(why)) => {
                say(&format!("not available: {why}"));
                Found::NotAvailable { why }
            }
        };
        rows.push(Row { published: model, found });
    }
    let (text, json) = (report::markdown(&rows, args.scale.name()), report::json(&rows, args.scale.name()));
    aeva_artifact::write_atomically(&out.join("report.md"), text.as_bytes())?;
    aeva_artifact::write_atomically(&out.join("report.json"), &serde_json::to_vec_pretty(&json)?)?;
    print(&text);
    say(&format!("wrote {}", out.join("report.md").display()));
    if args.scale == Scale::Trial {
        say("a trial: its verdicts say nothing");
        return Ok(());
    }
    let differing: Vec<&str> =
        rows.iter().filter(|row| row.as_published() == Some(false)).map(|row| row.published.name).collect();
    if !differing.is_empty() {
        bail!("the verdict differs from the published one: {}", differing.join(", "));
    }
    Ok(())
}

/// Converts and scans one model, and returns the report of the scan. A scan that was stopped continues.
fn scan(args: &Args, aeva: &Path, model: &Published, file: &Path, images: &Path, out: &Path) -> anyhow::Result<Value> {
    let digest = aeva_artifact::sha256_hex(&fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    let onnx = out.join("models").join(format!("{}-{}.onnx", model.name, &digest[..12]));
    if !onnx.is_file() {
        convert::run(&convert::Args::new(file.to_owned(), onnx.clone()))?;
    }
    let run = out.join("runs").join(format!("{}-{}-{}-{}", model.name, args.scale.name(), args.device, args.seed));
    let mut command = Command::new(aeva);
    command.arg("scan").arg(&onnx).arg("--data").arg(images).arg("--out").arg(&run).arg("--json");
    command.args(["--rule", "published"]);
    command.args(args.scale.options()).args(["--device", &args.device]).arg("--seed").arg(args.seed.to_string());
    // The published program divides images by 255 and does nothing else to them.
    command.args(["--value-range", "0..1"]).stdout(Stdio::null());
    match exit_code(&mut command)? {
        0 | 1 | 3 => {}
        130 => bail!("interrupted; run the same command again to continue"),
        code => bail!("the scan of {} ended with exit code {code}", model.name),
    }
    let text = fs::read(run.join("report.json"))
        .with_context(|| format!("cannot read the report of the scan in {}", run.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("the report of the scan in {} is not JSON", run.display()))
}
