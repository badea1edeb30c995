//! Runs the parts one after the other and prints the table at the end.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use xtask::process::{self, built_aeva, say};
use xtask::root;

use super::context::Context;
use super::findings::Findings;
use super::run::Call;
use super::{
    Args, corruption, determinism, disk, environment, folder, kills, oracles, readers, security, shards, signals,
    together,
};

type Part = fn(&Context, &mut Findings) -> anyhow::Result<()>;

const PARTS: [(&str, Part); 11] = [
    ("kills", kills::run),
    ("shards", shards::run),
    ("disk", disk::run),
    ("together", together::run),
    ("corruption", corruption::run),
    ("readers", readers::run),
    ("signals", signals::run),
    ("oracles", oracles::run),
    ("environment", environment::run),
    ("security", security::run),
    ("determinism", determinism::run),
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    for name in &args.only {
        ensure!(PARTS.iter().any(|(part, _)| part == name), "there is no part named {name}; see --help");
    }
    let aeva = match &args.aeva {
        Some(path) => path.clone(),
        None => built_aeva()?,
    };
    let aeva = aeva.canonicalize().with_context(|| format!("cannot find {}", aeva.display()))?;
    let temporary = tempfile::tempdir()?;
    let scratch = match &args.scratch {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            folder.canonicalize()?
        }
        None => temporary.path().canonicalize()?,
    };
    let help = Call::new(&aeva).args(["scan", "--help"]).run()?;
    ensure!(help.exited(0), "{} is not the program: {}", aeva.display(), help.line());
    say(&format!("{}, seed {}, effort {}, in {}", aeva.display(), args.seed, args.effort, scratch.display()));
    let mut table = Vec::new();
    let mut failed = Vec::new();
    for (name, part) in PARTS {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == name) {
            continue;
        }
        let context = Context {
            aeva: aeva.clone(),
            models: root().join("models"),
            scratch: scratch.join(name),
            seed: args.seed,
            effort: args.effort as usize,
            answer_timeout: help.out.contains("--answer-timeout"),
        };
        let (findings, seconds) = try_part(&context, name, part)?;
        if !findings.right() {
            failed.push(name);
        }
        let line = findings.line(seconds);
        say(&line);
        table.push(line);
    }
    process::print(&table.join("\n"));
    if failed.is_empty() {
        return Ok(());
    }
    bail!("lost or wrong: {}", failed.join(", "))
}

/// A part that cannot continue counts as wrong; the others still run.
fn try_part(context: &Context, name: &'static str, part: Part) -> anyhow::Result<(Findings, f64)> {
    folder::make_empty(&context.scratch)?;
    let begin = Instant::now();
    let mut findings = Findings::new(name);
    say(&format!("{name} ..."));
    if let Err(error) = part(context, &mut findings) {
        findings.check(false, || format!("could not go on: {error:#}"));
    }
    make_writable(&context.scratch);
    Ok((findings, begin.elapsed().as_secs_f64()))
}

/// Makes a temporary folder removable.
fn make_writable(folder: &Path) {
    let _ = Call::new("chmod").args(["-R", "u+rwX"]).arg(folder).run();
}
