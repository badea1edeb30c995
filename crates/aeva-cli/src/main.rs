//! The program `aeva`: parse, run, print, exit. The other crates do the work.

mod args;
mod commands;
mod effort;
mod exit;
mod hint;
mod imaging;
mod label_set;
mod lens;
mod output;
mod progress;
mod report;
mod seed;
mod signals;
mod supervise;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    switch_telemetry_off();
    let cli = Cli::parse();
    cli.color.write_global();
    // These commands run a model, which may crash the process.
    if matches!(cli.command, Command::Scan(_) | Command::Calibrate(_) | Command::Bench(_) | Command::Doctor(_)) {
        supervise::supervised(|| run(cli))
    } else {
        run(cli)
    }
}

/// ONNX Runtime sends telemetry to its makers as soon as it is loaded, unless the environment forbids it.
#[allow(unsafe_code, reason = "the environment is changed")]
fn switch_telemetry_off() {
    // SAFETY: this is the first statement of `main`, so no other thread can read the environment at the same time.
    unsafe { std::env::set_var(aeva_model::TELEMETRY_SWITCH, aeva_model::TELEMETRY_OFF) };
}

fn run(cli: Cli) -> ExitCode {
    progress::start_logging(cli.verbose, cli.quiet);
    aeva_model::on_unresponsive_model(exit::unresponsive);
    let result = match cli.command {
        Command::Scan(args) => commands::scan::run(&args),
        Command::ScanAll(args) => commands::fleet::run(&args),
        Command::Merge(args) => commands::merge::run(&args),
        Command::Calibrate(args) => commands::calibrate::run(&args),
        Command::Judge(args) => commands::judge::run(&args),
        Command::Report(args) => commands::judge::report(&args),
        Command::Probe(args) => commands::probe::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Diff(args) => commands::diff::run(&args),
        Command::Stamp(args) => commands::stamp::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Selftest(args) => commands::selftest::run(&args),
        Command::Completions(args) => commands::shell::completions(&args),
        Command::Man(args) => commands::shell::man(&args),
        Command::Setup(args) => commands::setup::run(&args),
        Command::Cli => commands::cli::run(),
    };
    exit::code(result)
}
