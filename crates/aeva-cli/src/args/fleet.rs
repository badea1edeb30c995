//! Options of commands for several machines or several models.

use std::ffi::OsString;
use std::path::PathBuf;

use aeva_scan::Shard;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  aeva merge run\n  aeva merge run part-1 part-2")]
pub(crate) struct MergeArgs {
    /// The run folder that is to have everything. It is created if it is missing.
    pub(crate) run: PathBuf,
    /// Run folders with shares of the same scan; none if all shares were made in one folder.
    pub(crate) folders: Vec<PathBuf>,
    /// Print which shares are complete as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aeva scan-all models.txt --out fleet -- --data images.npz --seed 7\n  aeva scan-all models.txt --out fleet --shard 1/8 -- --data images.npz --seed 7"
)]
pub(crate) struct ScanAllArgs {
    /// A text file that names a model a line, as for `aeva scan`; `#` begins a comment.
    pub(crate) list: PathBuf,
    /// Folder for the fleet: for each model its run folder and its log, and for all of them `fleet.json` and `fleet.md`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Scan the K-th of N parts of the list, for several machines. The table is about all models that have been scanned.
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    /// Print the table as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Options of `aeva scan`, the same for all models.
    #[arg(last = true, required = true, value_name = "SCAN OPTIONS")]
    pub(crate) options: Vec<OsString>,
}
