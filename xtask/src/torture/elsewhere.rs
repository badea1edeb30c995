//! `cargo xtask torture` where there are no signals, process groups and limits of a shell.

/// What would be tried.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Says that this needs Unix.
///
/// # Errors
/// Always.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("this needs Unix: signals, process groups, limits of a shell (asked for: {:?})", args.words)
}
