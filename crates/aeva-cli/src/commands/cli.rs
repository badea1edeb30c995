//! The reference of all commands, the source of `docs/cli.md`.

use clap::CommandFactory;

use crate::args::Cli;
use crate::exit::ExitStatus;
use crate::output::show;

pub(crate) fn run() -> anyhow::Result<ExitStatus> {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut pages = vec!["# Commands\n\nMade by `cargo xtask docs`; do not edit.\n".to_owned()];
    pages.push(page("aeva", &command.render_long_help().to_string()));
    for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let name = format!("aeva {}", sub.get_name());
        pages.push(page(&name, &sub.render_long_help().to_string()));
    }
    show(&pages.join("\n"))?;
    Ok(ExitStatus::Success)
}

fn page(name: &str, help: &str) -> String {
    // clap indents blank lines, too.
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    format!("## `{name}`\n\n```text\n{}\n```\n", lines.join("\n"))
}
