//! The program `aeva`: parse, run, print, exit. The crates behind it do the work.

mod args;
mod commands;
mod exit;
mod hint;
mod output;
mod progress;
mod report;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    progress::start_logging(cli.verbose, cli.quiet);
    let result = match cli.command {
        Command::Scan(args) => commands::scan::run(&args),
        Command::Stats(args) => commands::stats::run(&args),
        Command::Stamp(args) => commands::stamp::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Setup(args) => commands::setup::run(&args),
        Command::Cli => commands::cli::run(),
    };
    exit::code(result)
}
