//! Errors of a program that answers for a model.

use std::io;

/// A program that answers for a model cannot be started, or does not answer as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The command is empty, or a quotation mark has no end.
    #[error("`{command}` is no command: {why}")]
    Command {
        /// What was given.
        command: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The program cannot be started.
    #[error("cannot start `{command}`")]
    Start {
        /// The command.
        command: String,
        /// What the system reports.
        source: io::Error,
    },
    /// The program ended, or closed its output, while an answer was expected.
    #[error("{name} ended without an answer{}", status.as_ref().map(|status| format!(" ({status})")).unwrap_or_default())]
    Ended {
        /// What the program is called.
        name: String,
        /// How it ended, where that is known.
        status: Option<String>,
    },
    /// The program took too long.
    #[error("{name} gave no answer within {seconds} s to {what}")]
    Silent {
        /// What the program is called.
        name: String,
        /// The limit in seconds.
        seconds: u64,
        /// What it was asked.
        what: String,
    },
    /// The program says that it failed.
    #[error("{name} reports: {why}")]
    Failed {
        /// What the program is called.
        name: String,
        /// What it says.
        why: String,
    },
    /// The program answered something else.
    #[error("{name} answered {found}, expected {expected}")]
    Answer {
        /// What the program is called.
        name: String,
        /// What it answered.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// An option that only files have a use for.
    #[error("{option} says how images go into a model file; {name} is a program")]
    Option {
        /// What the program is called.
        name: String,
        /// The option.
        option: &'static str,
    },
    /// Images cannot be made up.
    #[error("{name} does not say which images it takes")]
    NoImages {
        /// What the program is called.
        name: String,
    },
}
