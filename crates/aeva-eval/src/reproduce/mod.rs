//! `cargo xtask reproduce-paper`: the published experiments, run again, beside the published figures.

mod assets;
mod published;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::Value;
use xtask::process::{built_aeva, exit_code, say};
use xtask::{convert, demo, root};

use self::assets::Assets;
use self::published::{MODELS, Published};
use self::report::{Found, Row};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder that holds models and images, anywhere below it; they are recognised by their content. Without it they are fetched.
    #[arg(long, value_name = "FOLDER")]
    assets: Option<PathBuf>,
    /// How deep to look, as `--preset` of `aeva scan`.
    #[arg(long, value_enum, default_value = "quick")]
    scale: Scale,
    /// Where the models run, as `--device` of `aeva scan`.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Seed of the noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for converted models, runs and the report; what is there is not done again.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scale {
    /// Minutes on a laptop for ten labels.
    Quick,
    /// 40 samples, 50 iterations.
    Published,
}

impl Scale {
    fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Published => "published",
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
    let differing: Vec<&str> =
        rows.iter().filter(|row| row.as_published() == Some(false)).map(|row| row.published.name).collect();
    if !differing.is_empty() {
        bail!("another verdict than published: {}", differing.join(", "));
    }
    Ok(())
}

/// Converts and scans one model; the scan continues where an earlier one was stopped. Its report.
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
    command.args(["--preset", args.scale.name(), "--device", &args.device]).arg("--seed").arg(args.seed.to_string());
    // Images are divided by 255 in the published program, and nothing else.
    command.args(["--value-range", "0..1"]).stdout(Stdio::null());
    match exit_code(&mut command)? {
        0 | 1 | 3 => {}
        130 => bail!("interrupted; the same command continues"),
        code => bail!("the scan of {} ended with exit code {code}", model.name),
    }
    let text = fs::read(run.join("report.json")).context("the scan left no report")?;
    serde_json::from_slice(&text).context("the scan's report cannot be read")
}

#[expect(clippy::print_stdout, reason = "programs print")]
fn print(text: &str) {
    println!("{text}");
}
