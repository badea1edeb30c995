//! Starts `aeva-eval` for the commands that measure the method. It links the libraries of AEVA, so that the chores build without them.

use std::ffi::OsString;
use std::process::Command;

use clap::Subcommand;

use crate::process;

/// The commands that measure the method. `aeva-eval` has their options.
#[derive(Debug, Subcommand)]
pub enum Evaluation {
    /// Runs the published experiments again and prints the results beside the published figures.
    #[command(disable_help_flag = true)]
    ReproducePaper(Arguments),
    /// Trains a zoo of small clean and infected models.
    #[command(disable_help_flag = true)]
    TrainZoo(Arguments),
    /// Trains models for images of 224 x 224, clean and infected.
    #[command(disable_help_flag = true)]
    TrainLarge(Arguments),
    /// Scans every model of a zoo and measures how often the verdict is right.
    #[command(disable_help_flag = true)]
    Evaluate(Arguments),
    /// Scans the calibration models of a zoo, which are clean: the null distributions of the verdict.
    #[command(disable_help_flag = true)]
    Calibrate(Arguments),
    /// Scans models that other people made and measures how often the verdict is right.
    #[command(disable_help_flag = true)]
    Bank(Arguments),
    /// Scans one model deeply and prints what the published rule says at every smaller depth.
    #[command(disable_help_flag = true)]
    Sweep(Arguments),
    /// Compares the speed of `aeva`, a common toolbox and the method of the published program on the same searches.
    #[command(disable_help_flag = true)]
    Compare(Arguments),
    /// Measures how time and memory of a scan grow, and draws `docs/growth.svg`.
    #[command(disable_help_flag = true)]
    Growth(Arguments),
    /// Simulates shares of the published search on a cluster, and prints what it costs with many labels.
    #[command(disable_help_flag = true)]
    Cluster(Arguments),
}

/// The arguments of a command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Options and values of the command; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    rest: Vec<OsString>,
}

impl Evaluation {
    /// The command of `aeva-eval`.
    pub fn command(&self) -> Command {
        let (name, Arguments { rest }) = match self {
            Self::ReproducePaper(arguments) => ("reproduce-paper", arguments),
            Self::TrainZoo(arguments) => ("train-zoo", arguments),
            Self::TrainLarge(arguments) => ("train-large", arguments),
            Self::Evaluate(arguments) => ("evaluate", arguments),
            Self::Calibrate(arguments) => ("calibrate", arguments),
            Self::Bank(arguments) => ("bank", arguments),
            Self::Sweep(arguments) => ("sweep", arguments),
            Self::Compare(arguments) => ("compare", arguments),
            Self::Growth(arguments) => ("growth", arguments),
            Self::Cluster(arguments) => ("cluster", arguments),
        };
        let mut command = aeva_eval();
        command.arg(name).args(rest);
        command
    }
}

/// `aeva-eval`, built from this workspace. It runs in the current folder, to which paths among its arguments are relative.
pub fn aeva_eval() -> Command {
    process::program("aeva-eval", "aeva-eval")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]
mod tests {
    use std::ffi::OsStr;

    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn everything_after_the_name_is_passed_on() {
        for words in [
            &["evaluate", "target/zoo", "--seed", "1", "--against", "docs/evaluation.json"][..],
            &["sweep", "m.onnx", "d.npz", "--value-range", "-1..1"],
            &["growth", "--help"],
            &["calibrate", "-h"],
            &["compare", "--version"],
            &["train-zoo"],
            &["train-large", "--tiny"],
        ] {
            let program = Evaluation::augment_subcommands(clap::Command::new("cargo xtask").no_binary_name(true));
            let evaluation = Evaluation::from_arg_matches(&program.try_get_matches_from(words).unwrap()).unwrap();
            let command = evaluation.command();
            // Before them are those of cargo, if it builds the program.
            let arguments: Vec<_> = command.get_args().collect();
            assert!(arguments.ends_with(&words.iter().map(OsStr::new).collect::<Vec<_>>()), "{arguments:?}");
        }
    }
}
