//! `aeva-eval`: measures the method on models of known truth. `cargo xtask COMMAND` runs it; its commands are shown as those of
//! `cargo xtask`.
//!
//! What does not touch the libraries (other programs, Python environments, conversion) is in the library of `xtask`.

mod compare;
mod evaluate;
mod growth;
mod reproduce;
mod small_zoo;
mod sweep;
mod train_zoo;

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
    /// Trains a few models on shipped data and measures on them: a part of `cargo xtask test`.
    #[command(hide = true)]
    SmallZoo,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::ReproducePaper(args) => reproduce::run(&args),
        Task::TrainZoo(args) => train_zoo::run(&args),
        Task::Evaluate(args) => evaluate::run(&args),
        Task::Calibrate(args) => evaluate::calibrate::run(&args),
        Task::Sweep(args) => sweep::run(&args),
        Task::Compare(args) => compare::run(&args),
        Task::Growth { quick } => growth::run(quick),
        Task::SmallZoo => small_zoo::run(),
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
