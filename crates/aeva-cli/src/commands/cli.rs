//! The reference of all commands, from which `docs/cli.md` is made.

use anstream::print;
use clap::CommandFactory;

use crate::args::Cli;
use crate::exit::Ending;

pub(crate) fn run() -> Ending {
    let mut command = Cli::command().term_width(100);
    command.build();
    print!("# Commands\n\nMade by `cargo xtask docs`; do not edit.\n");
    print!("\n## `aeva`\n\n```text\n{}\n```\n", command.render_long_help().to_string().trim_end());
    for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let text = sub.render_long_help().to_string();
        print!("\n## `aeva {}`\n\n```text\n{}\n```\n", sub.get_name(), text.trim_end());
    }
    Ending::Success
}
