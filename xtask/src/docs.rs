//! `cargo xtask docs [--check]`: documentation that is made from the program.

use std::fs;

use anyhow::{Context, bail};
use xtask::files::write_atomically;
use xtask::process::{aeva, output, say};
use xtask::root;

pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let path = root().join("docs").join("cli.md");
    let made = output(aeva().arg("cli"))?;
    if !check {
        write_atomically(&path, made.as_bytes())?;
        say(&format!("wrote {}", path.display()));
        return Ok(());
    }
    let found = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if found.replace("\r\n", "\n") != made {
        bail!("{} is not up to date; run: cargo xtask docs", path.display());
    }
    say("the generated documentation is up to date");
    Ok(())
}
