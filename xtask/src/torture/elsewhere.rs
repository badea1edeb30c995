//! `cargo xtask torture` on systems without signals, process groups and shell limits.

/// The arguments; the error repeats them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Reports that this needs Unix.
///
/// # Errors
/// Always.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("this needs Unix: signals, process groups, limits of a shell (asked for: {:?})", args.words)
}
