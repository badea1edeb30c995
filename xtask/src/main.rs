//! `cargo xtask`: the chores of this workspace, with one module for each task.

mod docs;
mod endpoints;
mod fuzz;
mod licences;
mod metadata;
mod picture;
mod provenance;
mod sbom;
mod slurm;
mod test;
#[cfg_attr(not(unix), path = "torture/elsewhere.rs")]
mod torture;
mod train_demo;
mod wheel;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::evaluation::Evaluation;
use xtask::{convert, demo, process};

/// Chores of the AEVA workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Scans the shipped infected model, after installing ONNX Runtime if it is missing.
    Demo,
    /// Runs all tests, after installing what they need.
    Test,
    /// Builds the Python package `aeva`, installs it into an environment of its own, and tries it.
    TestWheel,
    /// Scans the shipped models behind real prediction servers, in an environment of their own.
    TestEndpoints(endpoints::Args),
    /// Scans a shipped model in shares under a real Slurm on this machine, kills one and loses a node.
    TestSlurm(slurm::Args),
    /// Converts a Keras model (.h5, .keras) to ONNX, checks that the labels agree, and writes a manifest beside it.
    Convert(convert::Args),
    /// Trains the shipped models again.
    TrainDemo,
    /// Draws the picture of a scan in the README.
    Picture,
    #[command(flatten)]
    Evaluation(Evaluation),
    /// Tests the built program under kills, full disks, damaged files, crafted inputs and signals.
    Torture(torture::Args),
    /// Hands the readers what a fuzzer makes of the kept inputs.
    Fuzz(fuzz::Args),
    /// Checks the licences and sources of all packages against deny.toml.
    Licences,
    /// Writes what the program is made of, for CycloneDX, to target/sbom.
    Sbom,
    /// Writes where the files of a release come from, for SLSA, to target/provenance.
    Provenance(provenance::Args),
    /// Writes the generated documentation.
    Docs {
        /// Fail if it is not up to date, and write nothing.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Demo => demo::run(),
        Task::Test => test::run(),
        Task::TestWheel => wheel::run(),
        Task::TestEndpoints(args) => endpoints::run(&args),
        Task::TestSlurm(args) => slurm::run(&args),
        Task::Convert(args) => convert::run(&args),
        Task::TrainDemo => train_demo::run(),
        Task::Picture => picture::run(),
        Task::Evaluation(evaluation) => match process::exit_code(&mut evaluation.command()) {
            // The program has printed its own errors.
            Ok(code) => return ExitCode::from(u8::try_from(code).unwrap_or(2)),
            Err(error) => Err(error),
        },
        Task::Torture(args) => torture::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Licences => licences::run(),
        Task::Sbom => sbom::run(),
        Task::Provenance(args) => provenance::run(&args),
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
