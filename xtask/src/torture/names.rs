//! Odd or long names, and links in place of folders and files.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::context::{Context, INFECTED, Recipe};
use super::findings::Findings;
use super::folder::{self, Finished};
use super::run::printable;

const RECIPE: Recipe = Recipe::INFECTED_TRIGGERS;

pub(crate) fn run(context: &Context, findings: &mut Findings, reference: &Finished) -> anyhow::Result<()> {
    odd_names(context, findings, reference)?;
    long_paths(context, findings)?;
    links(context, findings, reference)
}

fn odd_names(context: &Context, findings: &mut Findings, reference: &Finished) -> anyhow::Result<()> {
    let long = "x".repeat(255);
    let base = context.scratch.join("names");
    for name in [
        "with space",
        "ünïcödé-日本-🦀",
        "new\nline",
        "\u{1b}[31mred",
        "-dash",
        "quote'\"$(touch touched)`",
        &long,
        "a/../b",
        "trailing. ",
        "\u{202e}gnp.exe",
    ] {
        folder::make_empty(&base.join("a"))?;
        let out = base.join(name);
        // Relative, so that a dash comes first.
        let ended = context.recipe(RECIPE, Path::new(&format!("./{name}"))).folder(&base).run()?;
        let difference = reference.disturbance(&ended, &out);
        let shown = printable(name, 20);
        findings.check(difference.is_none() || ended.refused(), || {
            format!("a folder named {shown}: {}", difference.unwrap_or_default())
        });
        if name.starts_with('-') || name.contains('/') || name.len() > 200 {
            continue;
        }
        let (model, data) = (base.join(format!("{name}.onnx")), base.join(format!("{name}.npz")));
        fs::copy(context.model(INFECTED), &model)?;
        fs::copy(context.data(), &data)?;
        let ended = context.aeva(["scan", "-q"]).arg(&model).arg("--data").arg(&data).folder(&base).run()?;
        findings.check(ended.exited(1), || format!("a model named {shown}: {}", ended.line()));
        let touched = base.join("touched").exists() || context.scratch.join("touched").exists();
        findings.check(!touched, || format!("a shell has run what is in the name {shown}"));
    }
    let name = OsStr::from_bytes(b"no-\xff-text");
    let out = context.scratch.join(name);
    let ended = context.recipe(RECIPE, &out).run()?;
    let difference = reference.disturbance(&ended, &out);
    findings.check(difference.is_none(), || format!("a name that is no text: {}", difference.unwrap_or_default()));
    Ok(())
}

fn long_paths(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    for (depth, length) in [(20, 200), (1, 256)] {
        let name = OsString::from("y".repeat(length));
        let out = (0..depth).fold(context.scratch.join("long"), |path, _| path.join(&name));
        let ended = context.recipe(RECIPE, &out).run()?;
        findings
            .check(ended.exited(1) || ended.refused(), || format!("a path of {depth} x {length}: {}", ended.line()));
    }
    Ok(())
}

/// A folder behind a link is used. A file that is a link is replaced, and its target stays.
fn links(context: &Context, findings: &mut Findings, reference: &Finished) -> anyhow::Result<()> {
    let (real, link) = (context.folder("real")?, context.nothing("link")?);
    symlink(&real, &link)?;
    let ended = context.recipe(RECIPE, &link).run()?;
    let difference = reference.disturbance(&ended, &real);
    findings.check(difference.is_none(), || format!("a link to a folder: {}", difference.unwrap_or_default()));
    let treasure = context.scratch.join("treasure");
    fs::write(&treasure, "keep")?;
    let kept = || fs::read(&treasure).is_ok_and(|text| text == b"keep");
    for name in ["report.json", "evidence/label-3.png", "triggers-v1/corners-04.aeva"] {
        let file = real.join(name);
        folder::remove(&file)?;
        symlink(&treasure, &file)?;
        let ended = context.recipe(RECIPE, &link).run()?;
        findings.check(kept(), || format!("{name} is a link: what it points to was written"));
        findings.check(ended.exited(1) || ended.refused(), || format!("{name} is a link: {}", ended.line()));
        folder::remove(&file)?;
    }
    let dangling = context.nothing("dangling")?;
    symlink(context.scratch.join("nowhere"), &dangling)?;
    let ended = context.recipe(RECIPE, &dangling).run()?;
    findings.check(ended.exited(1) || ended.refused(), || format!("a link to nothing: {}", ended.line()));
    let ended = context.recipe(RECIPE, &treasure).run()?;
    findings.check(ended.refused() && kept(), || format!("a file in the place of the folder: {}", ended.line()));
    Ok(())
}
