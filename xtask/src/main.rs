//! `cargo xtask`: the chores of this workspace, one file a task.

mod compare;
mod convert;
mod demo;
mod docs;
mod evaluate;
mod growth;
mod picture;
mod process;
mod python;
mod reproduce;
mod shared_data;
mod sweep;
mod test;
#[cfg_attr(not(unix), path = "torture/elsewhere.rs")]
mod torture;
mod train_demo;
mod train_zoo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the AEVA workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Scans the shipped infected model to a verdict, installing what that needs.
    Demo,
    /// Runs all tests, installing what they need.
    Test,
    /// Converts a Keras model (.h5, .keras) to ONNX, checks that labels agree, and writes the manifest beside it.
    Convert(convert::Args),
    /// Trains the shipped demo models anew.
    TrainDemo,
    /// Draws the README's picture of a scan.
    Picture,
    /// Runs the published experiments again and prints them beside the published figures.
    ReproducePaper(reproduce::Args),
    /// Trains a zoo of small clean and infected models.
    TrainZoo(train_zoo::Args),
    /// Scans every model of a zoo and measures how often the verdict is right.
    Evaluate(evaluate::Args),
    /// Scans the clean models that a zoo has for that purpose: the null distributions of the verdict.
    Calibrate(evaluate::calibrate::Args),
    /// Scans one model deeply and prints what the published rule says at every depth up to there.
    Sweep(sweep::Args),
    /// Runs the same searches through `aeva`, a common toolbox and the published program's way, and compares their speed.
    Compare(compare::Args),
    /// Measures how time and memory of a scan grow, and draws `docs/growth.svg`.
    Growth {
        /// Two steps in each direction, only to see that it works.
        #[arg(long)]
        quick: bool,
    },
    /// Tries the built program under kills, full disks, damaged files, crafted inputs and signals.
    Torture(torture::Args),
    /// Writes the generated documentation.
    Docs {
        /// Fail when it is not up to date instead of writing it.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Demo => demo::run(),
        Task::Test => test::run(),
        Task::Convert(args) => convert::run(&args),
        Task::TrainDemo => train_demo::run(),
        Task::Picture => picture::run(),
        Task::ReproducePaper(args) => reproduce::run(&args),
        Task::TrainZoo(args) => train_zoo::run(&args),
        Task::Evaluate(args) => evaluate::run(&args),
        Task::Calibrate(args) => evaluate::calibrate::run(&args),
        Task::Sweep(args) => sweep::run(&args),
        Task::Compare(args) => compare::run(&args),
        Task::Growth { quick } => growth::run(quick),
        Task::Torture(args) => torture::run(&args),
        Task::Docs { check } => docs::run(check),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
