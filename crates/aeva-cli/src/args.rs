//! The command line.

mod fleet;
mod input;
mod probe;
mod runs;
mod service;
mod system;

use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aeva_attack::HopSkipJumpBuilder;
use aeva_attack::hop_skip_jump::QUICK_SAMPLES;
use aeva_model::Device;
use aeva_scan::{DecisionRule, Effort, Shard};
use aeva_stats::{CombinedRule, StatsError};
use clap::{ArgAction, Args, FromArgMatches, Parser, Subcommand, ValueEnum};

pub(crate) use self::fleet::{MergeArgs, ScanAllArgs};
pub(crate) use self::input::{DataArgs, InputArgs};
pub(crate) use self::probe::ProbeArgs;
pub(crate) use self::runs::{DiffArgs, ExportArgs, InspectArgs, StampArgs};
pub(crate) use self::system::{CompletionsArgs, ConvertArgs, DoctorArgs, ManArgs, SelftestArgs, SetupArgs};
use crate::effort::EffortChoice;
use crate::exit::FailOn;
use crate::label_set::LabelSet;
use crate::lens::Lens;
use crate::report::Format;
use crate::seed::Seed;

/// Tells whether an image classifier carries a backdoor, when labels are all that it answers (AEVA, ICLR 2022).
///
/// Exit codes: 0 clean (or done), 1 backdoor suspected, 2 error, 3 inconclusive, 130 interrupted (run the same command to
/// continue).
#[derive(Debug, Parser)]
#[command(name = "aeva", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print more. Give it twice for details.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Print results and errors only.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// When to use colour. `NO_COLOR` is respected.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: ColorChoice,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scans a model and gives a verdict.
    Scan(Box<ScanArgs>),
    /// Scans many models, goes on after any failure, and writes one table.
    ScanAll(ScanAllArgs),
    /// Brings the shares of a scan together (`aeva scan --shard`), and says which are complete.
    Merge(MergeArgs),
    /// Scans clean models of your own, so that others can be compared with them (`--reference`).
    Calibrate(Box<CalibrateArgs>),
    /// Judges a run folder again, without asking the model anything.
    #[command(alias = "stats")]
    Judge(JudgeArgs),
    /// Writes the page of a run folder again, `report.html`, without asking the model anything.
    Report(JudgeArgs),
    /// Compares two run folders: what a model says now that it did not say before.
    Diff(DiffArgs),
    /// Stamps a trigger that a scan found onto images, so that anyone can check it.
    Stamp(StampArgs),
    /// Prints what an artifact or a run folder contains.
    Inspect(InspectArgs),
    /// Writes perturbations for NumPy: `[samples, h, w, c]`, f32, as `.npy` or `.npz`.
    Export(ExportArgs),
    /// Measures how fast a model answers, and how much of that speed a scan reaches.
    Bench(Box<BenchArgs>),
    /// Installs ONNX Runtime into the user's cache folder with pip, and checks it against a pinned SHA-256.
    Setup(SetupArgs),
    /// Finds out how a prediction service is asked: tries the known forms with one image and prints what it saw.
    Probe(Box<ProbeArgs>),
    /// Looks at the runtime, and at a model and its images, and says what a scan would take. Nothing is searched.
    Doctor(Box<DoctorArgs>),
    /// Converts a Keras file (.h5, .keras) or a TorchScript file (.pt) to ONNX, with the Python package.
    Convert(ConvertArgs),
    /// Scans two small models that the program carries, one of them infected, to see that it works here.
    Selftest(SelftestArgs),
    /// Prints a script that completes commands and options in a shell.
    Completions(CompletionsArgs),
    /// Writes manual pages.
    Man(ManArgs),
    /// Prints the reference of all commands as Markdown.
    #[command(hide = true)]
    Cli,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  aeva scan model.onnx --data images.npz\n  aeva scan model.onnx --data images.npz --seed random --out run\n  aeva scan model.onnx --data images.npz --dry-run\n  aeva scan model.onnx --data images.npz --max-time 10m\n  aeva scan \"program:python3 my_model.py\" --data images.npz"
)]
pub(crate) struct ScanArgs {
    /// The model: an ONNX file; the address of a prediction service (docs/endpoints.md); or `program:COMMAND` for a program that
    /// answers with labels (docs/programs.md), which `-` is if it started this one. (`cargo xtask convert` makes an ONNX file of a Keras model.)
    #[arg(required_unless_present = "endpoint")]
    model: Option<PathBuf>,
    /// The address of a prediction service, another way to name it as the model.
    #[arg(long, value_name = "URL", conflicts_with = "model", requires = "protocol")]
    endpoint: Option<PathBuf>,
    /// Clean labelled images: a `.npz` file, a `.npy` file (with `--labels`), a `.csv` list of paths and labels, a CIFAR `.bin` file, or
    /// a folder with one sub-folder of images for each class.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Which detectors to run.
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) lens: Lens,
    /// How to judge. The default is `combined`, and `published` with `--lens perturbation`. `published` uses perturbations alone.
    #[arg(long, value_enum)]
    pub(crate) rule: Option<Rule>,
    /// The share of clean models that the combined rule may call backdoored.
    #[arg(long, default_value_t = CombinedRule::DEFAULT.false_positive_rate(), value_parser = rate, value_name = "RATE")]
    pub(crate) false_positive_rate: f64,
    /// Clean models to compare with, besides those that are built in: a model (it is scanned first, on the same images), a run folder,
    /// or a folder of run folders (`aeva calibrate`). With 19 of the same task, a verdict is possible for any number of labels.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) reference: Vec<PathBuf>,
    /// How thoroughly to search perturbations: sets samples, iterations and initial evaluations.
    #[arg(long, value_enum, default_value = "quick")]
    pub(crate) preset: Preset,
    /// Samples for each ordered pair of labels, in place of the preset's.
    #[arg(long, value_name = "N")]
    pub(crate) samples: Option<NonZeroU32>,
    /// Iterations of each search for perturbations, in place of the preset's.
    #[arg(long, value_name = "N")]
    pub(crate) iterations: Option<NonZeroU32>,
    /// Evaluations of the first gradient estimate, in place of the preset's. Iteration `j` takes `sqrt(j)` times as many.
    #[arg(long, value_name = "N")]
    pub(crate) initial_evaluations: Option<NonZeroU32>,
    /// Source labels of the perturbations, for example `0-4,7` (ends included), with `--lens perturbation`. The verdict needs all of
    /// them, in one run or in several.
    #[arg(long, value_name = "LABELS")]
    pub(crate) sources: Option<LabelSet>,
    /// Target labels of the perturbations, for example `0-4,7` (ends included), with `--lens perturbation`.
    #[arg(long, value_name = "LABELS")]
    pub(crate) targets: Option<LabelSet>,
    /// Where the model runs: `cpu`, `cuda[:N]`, `tensorrt[:N]`, `openvino[:cpu|bf16|gpu|npu]`, `coreml` or `directml[:N]`. A
    /// missing device is an error. A device that computes too coarsely for the search is refused.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: Device,
    /// Seed of all random choices: a number, or `random`. A maker of models who knows the seed can hide a backdoor from it, so use
    /// `random` for a gate. The report names the number, which repeats and continues the scan.
    #[arg(long, default_value = "0", value_name = "SEED")]
    pub(crate) seed: Seed,
    /// Threads; all cores by default. They do not change the result.
    #[arg(long, value_name = "N", value_parser = at_most::<MOST_THREADS>)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Images per batch. It does not change the result.
    #[arg(long, value_name = "N", value_parser = at_most::<MOST_ROWS>)]
    pub(crate) batch_size: Option<NonZeroUsize>,
    /// Run folder; `runs/MODEL-KEY` by default. A folder with the same scan is continued.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// How much of the trigger search to make.
    #[arg(long, value_enum, default_value_t = EffortChoice::Standard)]
    pub(crate) effort: EffortChoice,
    /// Queries that perturbations may be expected to take with `--lens both`, and with `--lens all` where triggers cannot be
    /// measured. If they would take more, as with many labels, they are left out. It has no effect with `--lens perturbation`.
    #[arg(long, default_value_t = aeva_scan::PERTURBATION_BUDGET, value_name = "N")]
    pub(crate) perturbation_budget: u64,
    /// Most queries of the whole scan, those of earlier runs included. The scan ends there, inconclusive unless the verdict was already
    /// clear. With a higher limit the same command continues.
    #[arg(long, value_name = "N")]
    pub(crate) max_queries: Option<u64>,
    /// Longest time of this run, for example `90s`, `10m` or `2h`. The scan ends there likewise.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) max_time: Option<Duration>,
    /// Write no `report.html`. It takes four queries for each trigger that is found, to show what it does to images.
    #[arg(long)]
    pub(crate) no_html: bool,
    /// Load the model, measure it on the clean images and print what a scan would take. Nothing is searched or written.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Queries after which one search for perturbations gives up.
    #[arg(long, value_name = "N")]
    pub(crate) query_budget: Option<u64>,
    /// Make the K-th of N shares of the scan, for several machines (docs/clusters.md). A share gives no verdict: `aeva merge` brings
    /// them together, and the same command without this option gives it.
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    /// Divide passes over triggers further, among the shares that run at the same time in the same folder: a share that is complete
    /// helps the others. For all shares of a scan or none.
    #[arg(long, requires = "shard")]
    pub(crate) together: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) images: DataArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aeva calibrate clean-1.onnx clean-2.onnx --data images.npz --out own\n  aeva scan model.onnx --data images.npz --reference own"
)]
pub(crate) struct CalibrateArgs {
    /// Clean models: ONNX files, of the task of the models that you want to judge.
    #[arg(required = true)]
    pub(crate) models: Vec<PathBuf>,
    /// Clean labelled images, as for `aeva scan`.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Folder of the reference: one run folder a model. Finished scans in it are kept, and those of other models join them.
    #[arg(long, default_value = "references", value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Seed of all random choices.
    #[arg(long, default_value = "0", value_name = "SEED")]
    pub(crate) seed: Seed,
    /// Threads; all cores by default. They do not change the result.
    #[arg(long, value_name = "N", value_parser = at_most::<MOST_THREADS>)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Where the models run, as for `aeva scan`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) images: DataArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

/// How the report is printed.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// How to print the report.
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    format: Format,
    /// Short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Names of the labels: a text file with one name a line, in the order of the labels. They are kept in the run folder. Data whose
    /// classes have names brings them.
    #[arg(long, value_name = "FILE")]
    pub(crate) class_names: Option<PathBuf>,
    /// Which verdicts are a failure, for the exit code: with `backdoored`, an inconclusive scan ends with 0.
    #[arg(long, value_enum, default_value = "inconclusive", value_name = "VERDICT")]
    pub(crate) fail_on: FailOn,
}

impl ScanArgs {
    /// What is scanned.
    pub(crate) fn model(&self) -> &Path {
        named(self.model.as_ref(), self.endpoint.as_ref())
    }

    /// The same scan of another model into another folder, without models to compare with.
    pub(crate) fn with_model(self, model: PathBuf, out: PathBuf) -> Self {
        Self { model: Some(model), endpoint: None, out: Some(out), reference: Vec::new(), shard: None, ..self }
    }

    /// The search for triggers of a scan with the defaults, as for the models to compare with.
    pub(crate) fn of_reference(model: PathBuf, args: &CalibrateArgs, out: PathBuf) -> anyhow::Result<Self> {
        let command = Self::augment_args(clap::Command::new("scan"));
        let defaults: [OsString; 4] = ["scan".into(), model.into(), "--data".into(), args.data.clone().into()];
        let defaults = Self::from_arg_matches(&command.try_get_matches_from(defaults)?)?;
        let (threads, device, seed) = (args.threads, args.device, args.seed);
        let (images, input) = (args.images.clone(), args.input.clone());
        Ok(Self { out: Some(out), threads, device, seed, images, input, ..defaults })
    }
}

impl ScanArgs {
    /// A dry run with the defaults.
    pub(crate) fn of_doctor(model: PathBuf, data: PathBuf, args: &DoctorArgs) -> anyhow::Result<Self> {
        let command = Self::augment_args(clap::Command::new("scan"));
        let defaults: [OsString; 5] = ["scan".into(), "--dry-run".into(), model.into(), "--data".into(), data.into()];
        let defaults = Self::from_arg_matches(&command.try_get_matches_from(defaults)?)?;
        let (images, input) = (args.images.clone(), args.input.clone());
        Ok(Self { device: args.device, images, input, ..defaults })
    }
}

impl JudgeArgs {
    /// With the defaults.
    pub(crate) fn of_run(run: PathBuf) -> anyhow::Result<Self> {
        let command = Self::augment_args(clap::Command::new("judge"));
        let words: [OsString; 2] = ["judge".into(), run.into()];
        Ok(Self::from_arg_matches(&command.try_get_matches_from(words)?)?)
    }
}

impl OutputArgs {
    /// The format that was asked for.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  aeva bench model.onnx\n  aeva bench model.onnx --data images.npz --json")]
pub(crate) struct BenchArgs {
    /// The model: an ONNX file, or any other that `aeva scan` takes, with `--data`.
    #[arg(required_unless_present = "endpoint")]
    model: Option<PathBuf>,
    /// The address of a prediction service, another way to name it as the model.
    #[arg(long, value_name = "URL", conflicts_with = "model", requires_all = ["protocol", "data"])]
    endpoint: Option<PathBuf>,
    /// Images to search on, as for `aeva scan`. By default they are made up, with the labels that the model gives them.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Parameters of the searches.
    #[arg(long, value_enum, default_value = "quick")]
    pub(crate) preset: Preset,
    /// Where the model runs, as for `aeva scan`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: Device,
    /// Threads; all cores by default.
    #[arg(long, value_name = "N", value_parser = at_most::<MOST_THREADS>)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Images per batch of the scan.
    #[arg(long, value_name = "N", value_parser = at_most::<MOST_ROWS>)]
    pub(crate) batch_size: Option<NonZeroUsize>,
    /// How often raw and scan throughput are measured, by turns. Medians are reported.
    #[arg(long, value_name = "N", default_value = "11")]
    pub(crate) rounds: NonZeroU32,
    /// Length of each of these measurements, in seconds.
    #[arg(long, default_value_t = 1.5, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Print the figures as JSON in place of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) images: DataArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

impl BenchArgs {
    /// What is measured.
    pub(crate) fn model(&self) -> &Path {
        named(self.model.as_ref(), self.endpoint.as_ref())
    }
}

/// The model, of which there is one: an argument, or the value of `--endpoint`.
fn named<'a>(model: Option<&'a PathBuf>, endpoint: Option<&'a PathBuf>) -> &'a Path {
    model.or(endpoint).map_or(Path::new(""), PathBuf::as_path)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|&rate| CombinedRule::at_rate(rate).is_ok());
    rate.ok_or_else(|| "expected a rate from 0.0001 to 0.5".to_owned())
}

/// More threads, or images per batch, than any machine has a use for would only fill the memory.
fn at_most<const LIMIT: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= LIMIT);
    number.ok_or_else(|| format!("expected a number from 1 to {LIMIT}"))
}

const MOST_THREADS: usize = 1024;
const MOST_ROWS: usize = 65_536;

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.trim().parse::<f64>().ok().map(|number| number * factor);
    let time = seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "expected a time with its unit, for example 90s, 10m or 2h".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "expected a number of seconds from 0.01 to 3600".to_owned())
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  aeva judge run --format markdown\n  aeva judge run --false-positive-rate 0.2")]
pub(crate) struct JudgeArgs {
    /// The run folder.
    pub(crate) run: PathBuf,
    /// How to judge. The default is `combined` where the run has triggers, else `published`.
    #[arg(long, value_enum)]
    pub(crate) rule: Option<Rule>,
    /// The share of clean models that the combined rule may call backdoored.
    #[arg(long, default_value_t = CombinedRule::DEFAULT.false_positive_rate(), value_parser = rate, value_name = "RATE")]
    pub(crate) false_positive_rate: f64,
    /// Clean models to compare with, besides those that are built in: a run folder, or a folder of run folders (`aeva calibrate`).
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) reference: Vec<PathBuf>,
    /// Judge the passes that a scan of this effort would have made.
    #[arg(long, value_enum, default_value_t = EffortChoice::Standard)]
    pub(crate) effort: EffortChoice,
    /// Judge perturbations that were searched with other parameters than those of the first scan of this run: those in the sub-folder
    /// `pairs-v1-KEY`.
    #[arg(long, value_name = "KEY")]
    pub(crate) perturbations: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// At a stated rate of false alarms, over the lenses that were used.
    Combined,
    /// An anomaly index above 4, as published.
    Published,
}

impl Rule {
    /// The rule with its rate of false alarms, over the passes of a scan of this effort.
    pub(crate) fn decision(self, false_positive_rate: f64, effort: Effort) -> Result<DecisionRule, StatsError> {
        match self {
            Self::Published => Ok(DecisionRule::Published),
            Self::Combined => {
                CombinedRule::at_rate(false_positive_rate).map(|rule| DecisionRule::of_effort(rule, effort))
            }
        }
    }
}

/// How thoroughly to search perturbations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// The cheapest parameters that were right on all models at hand: 2 samples, with evaluations and iterations by the size of the
    /// images (docs/method.md).
    Quick,
    /// The published parameters: 40 samples, 50 iterations, 100 initial evaluations.
    Published,
}

impl Preset {
    /// Samples for each pair.
    pub(crate) fn samples(self) -> u32 {
        match self {
            Self::Quick => QUICK_SAMPLES,
            Self::Published => 40,
        }
    }

    /// Parameters of a search for images of `values` values.
    pub(crate) fn search(self, values: usize) -> HopSkipJumpBuilder {
        match self {
            Self::Quick => HopSkipJumpBuilder::quick(values),
            Self::Published => HopSkipJumpBuilder::PUBLISHED,
        }
    }
}

impl ColorChoice {
    /// Sets it for everything that is printed.
    pub(crate) fn write_global(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_a_unit() {
        let seconds = |text: &str| time(text).map(|time| time.as_secs_f64());
        assert_eq!((seconds("90s"), seconds("1.5m"), seconds("2h")), (Ok(90.0), Ok(90.0), Ok(7200.0)));
        for bad in ["", "90", "-1s", "0s", "nans", "infs", "1d", "1e300h", "s"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
