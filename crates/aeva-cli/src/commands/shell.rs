//! `aeva completions SHELL` and `aeva man FOLDER`: what shells and `man` know of the command line.

use std::fs;

use anyhow::Context;
use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::exit::ExitStatus;
use crate::output::show;

pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "aeva", &mut script);
    show(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Success)
}

/// Writes `aeva.1`, and a page for each command.
pub(crate) fn man(args: &ManArgs) -> anyhow::Result<ExitStatus> {
    fs::create_dir_all(&args.folder).with_context(|| format!("cannot create {}", args.folder.display()))?;
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &args.folder)
        .with_context(|| format!("cannot write into {}", args.folder.display()))?;
    Ok(ExitStatus::Success)
}
