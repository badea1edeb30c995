//! `cargo xtask torture`: the built program under kills, full disks, damaged files, crafted inputs and signals.
//!
//! Every part tries one kind of fault on the shipped models and on generated files, and checks the program's promises:
//! the same bytes after any interruption, a message for every error, and no verdict without evidence.

mod artifact;
mod clock;
mod compile;
mod context;
mod corruption;
mod deflate;
mod determinism;
mod disk;
mod environment;
mod external;
mod findings;
mod folder;
mod installed;
mod kills;
mod library;
mod models;
mod names;
mod npz;
mod onnx;
mod oracles;
mod parts;
mod pipes;
mod png;
mod random;
mod readers;
mod run;
mod scarce;
mod security;
mod setup;
mod shards;
mod signals;
mod together;
mod trace;
mod undisturbed;

use std::path::PathBuf;

/// What to try, and how hard.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Parts to try, of: kills, shards, disk, together, corruption, readers, signals, oracles, environment, security, determinism.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Seed of all random choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Factor for the number of random cases; at 4, every crafted input is read.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    effort: u32,
    /// Folder to work in, kept afterwards; a temporary one if not given.
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// The program to try; built from this workspace if not given.
    #[arg(long, value_name = "FILE")]
    aeva: Option<PathBuf>,
}

/// Runs the parts.
///
/// # Errors
/// If anything is lost or wrong.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    parts::run(args)
}
