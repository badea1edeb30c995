//! `aeva-eval`: measures the method on models of known truth. `cargo xtask COMMAND` runs it, and its help says `cargo xtask`.
//!
//! Whatever does not need the libraries of AEVA (other programs, Python environments, conversion) is in the library of `xtask`.

mod bank;
mod cluster;
mod compare;
mod evaluate;
mod growth;
mod reproduce;
mod small_zoo;
mod sweep;
mod tables;
mod train_large;
mod train_zoo;
mod wheels;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::process;

/// Measures AEVA on models of known truth.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs the published experiments again and prints the results beside the published figures.
    ReproducePaper(reproduce::Args),
    /// Trains a zoo of small clean and infected models.
    TrainZoo(train_zoo::Args),
    /// Trains models for images of 224 x 224, clean and infected.
    TrainLarge(train_large::Args),
    /// Scans every model of a zoo and measures how often the verdict is right.
    Evaluate(evaluate::Args),
    /// Scans the calibration models of a zoo, which are clean: the null distributions of the verdict.
    Calibrate(evaluate::calibrate::Args),
    /// Scans models that other people made and measures how often the verdict is right.
    Bank(bank::Args),
    /// Scans one model deeply and prints what the published rule says at every smaller depth.
    Sweep(sweep::Args),
    /// Compares the speed of `aeva`, a common toolbox and the method of the published program on the same searches.
    Compare(compare::Args),
    /// Measures how time and memory of a scan grow, and draws `docs/growth.svg`.
    Growth {
        /// Measure two values of each parameter only, to see that it works.
        #[arg(long)]
        quick: bool,
    },
    /// Simulates shares of the published search on a cluster, and prints what it costs with many labels.
    Cluster(cluster::Args),
    /// Trains two models on shipped data and evaluates them: a part of `cargo xtask test`.
    #[command(hide = true)]
    SmallZoo,
    /// Writes the generated tables of the documentation: a part of `cargo xtask docs`.
    #[command(hide = true)]
    Tables {
        /// Fail if a table is not up to date, and write nothing.
        #[arg(long)]
        check: bool,
    },
    /// Prints the packages of ONNX Runtime that `aeva setup` accepts: a part of `cargo xtask sbom`.
    #[command(hide = true)]
    Wheels,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::ReproducePaper(args) => reproduce::run(&args),
        Task::TrainZoo(args) => train_zoo::run(&args),
        Task::TrainLarge(args) => train_large::run(&args),
        Task::Evaluate(args) => evaluate::run(&args),
        Task::Calibrate(args) => evaluate::calibrate::run(&args),
        Task::Bank(args) => bank::run(&args),
        Task::Sweep(args) => sweep::run(&args),
        Task::Compare(args) => compare::run(&args),
        Task::Growth { quick } => growth::run(quick),
        Task::Cluster(args) => cluster::run(&args),
        Task::SmallZoo => small_zoo::run(),
        Task::Tables { check } => tables::run(check),
        Task::Wheels => wheels::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use xtask::evaluation::Evaluation;

    use super::*;

    #[test]
    fn xtask_passes_on_every_command_with_the_same_words() {
        let listed = |command: clap::Command| -> Vec<(String, Option<String>)> {
            let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
            shown.map(|shown| (shown.get_name().to_owned(), shown.get_about().map(ToString::to_string))).collect()
        };
        let own = listed(Cli::command());
        assert!(!own.is_empty());
        assert_eq!(own, listed(Evaluation::augment_subcommands(clap::Command::new("cargo xtask"))));
    }
}
