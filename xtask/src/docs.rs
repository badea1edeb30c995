//! `cargo xtask docs [--check]`: documentation that is generated from the programs.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use xtask::evaluation::aeva_eval;
use xtask::files::write_atomically;
use xtask::process::{self, aeva, output, say};
use xtask::root;

pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    commands(&root().join("docs").join("cli.md"), check)?;
    // The tables repeat constants of the libraries, which this program does not link.
    let mut tables = aeva_eval();
    tables.arg("tables");
    if check {
        tables.arg("--check");
    }
    process::run(&mut tables)
}

/// The page of all commands of `aeva`.
fn commands(path: &Path, check: bool) -> anyhow::Result<()> {
    let expected = output(aeva().arg("cli"))?;
    if !check {
        write_atomically(path, expected.as_bytes())?;
        say(&format!("wrote {}", path.display()));
        return Ok(());
    }
    let found = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    if found.replace("\r\n", "\n") != expected {
        bail!("{} is not up to date; run: cargo xtask docs", path.display());
    }
    say(&format!("{} is up to date", path.display()));
    Ok(())
}
