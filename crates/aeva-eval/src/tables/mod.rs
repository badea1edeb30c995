//! `aeva-eval tables [--check]`: the tables of the documentation that are generated from the constants of the libraries and from the
//! figures of the evaluation. `cargo xtask docs` runs it.

mod markdown;
mod power;
mod triggers;

use std::fs;
use std::path::Path;

use aeva_artifact::write_atomically;
use anyhow::{Context, bail};
use xtask::process::say;
use xtask::root;

use crate::bank::{Decided, Figures};
use crate::evaluate::Evaluation;

/// The end of every generated block.
const END: &str = "<!-- end generated -->";

/// A block of a page: its name, and what belongs there.
type Block = (&'static str, String);

/// Writes the blocks into their pages, or checks that they are there.
///
/// # Errors
/// When a page or the figures cannot be read, a block has no place, or (with `check`) a page is not up to date.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let docs = root().join("docs");
    let evaluation = figures(&docs.join("evaluation.json"), Evaluation::from_json)?;
    let bank = figures(&docs.join("bank.json"), Figures::from_json)?;
    let before: Vec<Decided> = figures(&docs.join("power-before.json"), |text| Ok(serde_json::from_slice(text)?))?;
    for (name, expected) in [
        ("crates/aeva-stats/src/margins/table.rs", bank.calibration().margins_in_rust()),
        ("crates/aeva-stats/src/trigger/reference_table.rs", bank.calibration().reference_in_rust()),
        ("crates/aeva-scan/src/effort/table.rs", bank.power_in_rust()),
        ("docs/power.svg", power::chart(bank.power(), &before)),
    ] {
        generated(&root().join(name), &expected, check)?;
    }
    let pages: [(&str, &[Block]); 2] = [
        (
            "triggers.md",
            &[("families", triggers::families()), ("margins", triggers::margins()), ("null", triggers::null())],
        ),
        (
            "evaluation.md",
            &[
                ("bank", bank.markdown()),
                ("efforts", bank.efforts()),
                ("looks", bank.looks()),
                ("evaluation", evaluation.markdown()),
            ],
        ),
    ];
    for (name, blocks) in pages {
        let path = docs.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = text.replace("\r\n", "\n");
        let mut page = found.clone();
        for (block, content) in blocks {
            page = with_block(&page, block, content).with_context(|| format!("cannot update {}", path.display()))?;
        }
        if page == found {
            continue;
        }
        if check {
            bail!("the tables of {} are not up to date; run: cargo xtask docs", path.display());
        }
        write_atomically(&path, page.as_bytes())?;
        say(&format!("wrote the tables of {}", path.display()));
    }
    if check {
        say("the generated tables are up to date");
    }
    Ok(())
}

/// Writes a source file that is generated, or checks that it is up to date.
fn generated(path: &Path, expected: &str, check: bool) -> anyhow::Result<()> {
    // It may be missing before it is written for the first time.
    let found = fs::read_to_string(path);
    if found.is_ok_and(|found| found.replace("\r\n", "\n") == expected) {
        return Ok(());
    }
    if check {
        bail!("{} is not up to date; run: cargo xtask docs", path.display());
    }
    write_atomically(path, expected.as_bytes())?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

/// The figures in a file.
fn figures<T>(path: &Path, from_json: impl FnOnce(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    from_json(&text).with_context(|| format!("cannot use {}", path.display()))
}

/// The page with this content, which ends with a line break, in a block.
fn with_block(page: &str, name: &str, content: &str) -> anyhow::Result<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = page.split_once(&begin).with_context(|| format!("it lacks the line {}", begin.trim_end()))?;
    let end = rest.find(END).with_context(|| format!("the block `{name}` has no line {END}"))?;
    Ok(format!("{before}{begin}{content}{}", &rest[end..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_replaced_and_nothing_else() {
        let page = |content: &str| format!("# Page\n\n<!-- generated: a -->\n{content}{END}\n\nmore\n{END}\n");
        assert_eq!(with_block(&page("old\n"), "a", "new\n").unwrap(), page("new\n"));
        assert_eq!(with_block(&page(""), "a", "").unwrap(), page(""));
    }

    #[test]
    fn a_missing_marker_is_named() {
        let error = |page: &str| format!("{:#}", with_block(page, "a", "").unwrap_err());
        assert_eq!(error("<!-- generated: b -->\n"), "it lacks the line <!-- generated: a -->");
        assert_eq!(error("<!-- generated: a -->\n"), "the block `a` has no line <!-- end generated -->");
    }
}
