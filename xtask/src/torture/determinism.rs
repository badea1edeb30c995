//! Threads, batch sizes, partial scans and data formats: the bytes must be the same.

use std::fs;
use std::path::Path;

use super::context::{CLEAN, Context, INFECTED, Recipe};
use super::findings::Findings;
use super::folder::{self, Finished};
use super::npz::{self, Array, Digits, PIXELS, SIDE};

/// Options that must not change a result.
const VARIANTS: [&[&str]; 9] = [
    &["--threads", "1"],
    &["--threads", "2"],
    &["--threads", "3"],
    &["--threads", "7"],
    &["--batch-size", "1"],
    &["--batch-size", "3"],
    &["--batch-size", "33"],
    &["--batch-size", "1000"],
    &["--threads", "1", "--batch-size", "7"],
];

const PAIRS: Recipe =
    Recipe { name: "pairs", model: INFECTED, options: &["--lens", "perturbation", "--iterations", "6"] };

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let exhaustive =
        Recipe { name: "exhaustive", model: CLEAN, options: &["--effort", "exhaustive", "--lens", "trigger"] };
    for recipe in [Recipe::INFECTED_TRIGGERS, Recipe::CLEAN_TRIGGERS, PAIRS, exhaustive] {
        let reference = context.reference(recipe)?;
        // An exhaustive scan takes long; two variants of it are enough.
        let variants = if recipe.name == "exhaustive" { &VARIANTS[1..3] } else { &VARIANTS[..] };
        for variant in variants {
            let out = context.nothing("variant")?;
            let ended = context.recipe(recipe, &out).args(*variant).limit(300).run()?;
            let difference = reference.disturbance(&ended, &out);
            findings.check(difference.is_none(), || {
                format!("{} {}: {}", recipe.name, variant.join(" "), difference.unwrap_or_default())
            });
            findings.add("runs", 1);
        }
        findings.add("files compared", reference.artifacts.len());
    }
    in_parts(context, findings)?;
    forms_of_data(context, findings)?;
    after_a_thorough_scan(context, exhaustive, findings)
}

/// Source labels in several runs, in any order.
fn in_parts(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let out = context.nothing("parts")?;
    for sources in ["7-9", "0-2", "5,6", "3-4"] {
        let ended = context.recipe(PAIRS, &out).args(["--sources", sources]).run()?;
        findings.check(!ended.broken() && !ended.exited(2), || format!("sources {sources}: {}", ended.line()));
    }
    let only = |folder: &Path| {
        let mut artifacts = folder::artifacts(folder);
        artifacts.retain(|name, _| folder::is_artifact(name.as_ref()));
        artifacts
    };
    let wanted = only(&context.reference_folder(PAIRS));
    findings.check(only(&out) == wanted && !wanted.is_empty(), || "a scan in parts: other artifacts".to_owned());
    Ok(())
}

/// The same images in an archive, in an archive in Fortran order, and as pictures.
fn forms_of_data(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let digits = Digits::read(&context.data())?;
    let sorted: Vec<usize> = (0..10).flat_map(|label| digits.of_label(label)).collect();
    let sorted = digits.part(&sorted);
    let (archive, pictures) = (context.scratch.join("sorted.npz"), context.folder("pictures")?);
    sorted.write(&archive)?;
    sorted.write_folder(&pictures)?;
    let turned = context.scratch.join("fortran.npz");
    npz::write(&turned, &[("x.npy", &fortran(&sorted).bytes()), ("y.npy", &sorted.truth().bytes())])?;
    let mut found = Vec::new();
    for (index, data) in [&archive, &pictures, &turned].into_iter().enumerate() {
        let out = context.nothing(&format!("form-{index}"))?;
        let ended = context.scan(&context.model(INFECTED), data, &out).run()?;
        found.push(Finished::new(&ended, &out).artifacts);
    }
    for (other, form) in [(1, "a folder"), (2, "the order of Fortran")] {
        findings.check(found[0] == found[other] && !found[0].is_empty(), || {
            format!("the same images in an archive and in {form}: other artifacts")
        });
    }
    Ok(())
}

/// The images in Fortran order: the first index varies fastest.
fn fortran(digits: &Digits) -> Array {
    let count = digits.labels.len();
    let mut pixels = vec![0; digits.pixels.len()];
    for (image, values) in digits.pixels.chunks(PIXELS).enumerate() {
        for (place, value) in values.iter().enumerate() {
            let (row, column) = (place / SIDE, place % SIDE);
            pixels[image + count * (row + SIDE * column)] = *value;
        }
    }
    Array::new("|u1", npz::shape(&[count as u64, 16, 16, 1]), pixels).fortran()
}

/// In the folder of an exhaustive scan, the figures of a shorter scan may differ, but not its verdict.
fn after_a_thorough_scan(context: &Context, thorough: Recipe, findings: &mut Findings) -> anyhow::Result<()> {
    let shorter = Recipe { name: "shorter", model: CLEAN, options: &["--lens", "trigger"] };
    let reference = context.reference(shorter)?;
    let out = context.scratch.join("history");
    folder::copy(&context.reference_folder(thorough), &out)?;
    let ended = context.recipe(shorter, &out).run()?;
    findings.check(ended.end == reference.end, || format!("after a thorough scan: {}", ended.line()));
    let figures = |report: &serde_json::Value| format!("p = {}, {} queries", report["p_value"], report["queries"]);
    let (alone, after) = (figures(&reference.report), figures(&folder::report(&out)));
    if alone != after {
        findings.note(&format!("the same command says {after} after a thorough scan, {alone} in a new folder"));
    }
    fs::remove_dir_all(&out)?;
    Ok(())
}
