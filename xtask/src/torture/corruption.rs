//! Damages files of finished runs, one at a time, and then runs `judge`, `inspect`, `export` and the same scan again.
//!
//! Either the damage is reported (exit 2), or the damaged file is computed again to the same bytes. A missing pass may
//! leave a verdict open, but never changes it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::context::{Context, Recipe};
use super::findings::Findings;
use super::folder::{self, Finished, without_seconds};
use super::random::Random;
use super::run::Ended;

/// Cases at the default effort.
const CASES: usize = 160;
const GIB: u64 = 1 << 30;

/// The damage to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Flip,
    /// A digit becomes another digit, or a letter another letter, so that JSON stays JSON.
    Digit,
    Cut,
    Empty,
    Zeros,
    Longer,
    Twice,
    OtherRun,
    OtherFile,
    Missing,
    Folder,
}

const ALL: [Damage; 11] = [
    Damage::Flip,
    Damage::Digit,
    Damage::Cut,
    Damage::Empty,
    Damage::Zeros,
    Damage::Longer,
    Damage::Twice,
    Damage::OtherRun,
    Damage::OtherFile,
    Damage::Missing,
    Damage::Folder,
];

/// A finished run with the program's outputs for it.
struct Whole {
    recipe: Recipe,
    folder: PathBuf,
    finished: Finished,
    stats: Value,
}

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let clean_short = Recipe { name: "clean-short-pairs", model: super::context::CLEAN, ..Recipe::SHORT_PAIRS };
    let mut runs = Vec::new();
    for recipe in [Recipe::INFECTED_TRIGGERS, Recipe::CLEAN_TRIGGERS, Recipe::SHORT_PAIRS, clean_short] {
        let finished = context.reference(recipe)?;
        let folder = context.reference_folder(recipe);
        let stats = context.aeva(["stats", "--json"]).arg(&folder).run()?;
        runs.push(Whole { recipe, folder, finished, stats: parsed(&stats) });
    }
    let mut random = context.random("corruption");
    for (run, file, damage) in cases(context, &runs, &mut random) {
        one_case(context, findings, &runs, run, &file, damage, &mut random)?;
    }
    Ok(())
}

/// Which run, which file of it, and which damage: some fixed cases, others at random.
fn cases(context: &Context, runs: &[Whole], random: &mut Random) -> Vec<(usize, PathBuf, Damage)> {
    let mut cases = vec![(0, PathBuf::from("run.json"), Damage::Digit); 20];
    for (index, run) in runs.iter().enumerate().take(2) {
        for file in relative_files(&run.folder) {
            cases.extend([(index, file.clone(), Damage::Flip), (index, file, Damage::Missing)]);
        }
    }
    let forced = random.spread(cases, CASES * context.effort / 2);
    let mut cases = forced;
    while cases.len() < CASES * context.effort {
        let index = random.below(runs.len());
        let files = relative_files(&runs[index].folder);
        let top: Vec<PathBuf> = files.iter().filter(|file| file.components().count() == 1).cloned().collect();
        let file = if random.chance(0.3) { random.pick(&top) } else { random.pick(&files) };
        cases.push((index, file.clone(), *random.pick(&ALL)));
    }
    cases
}

fn relative_files(folder: &Path) -> Vec<PathBuf> {
    let files = folder::files(folder);
    files.iter().filter_map(|file| file.strip_prefix(folder).ok().map(Path::to_owned)).collect()
}

/// The bytes after the damage; empty if the file is removed.
fn damaged(before: &[u8], damage: Damage, random: &mut Random) -> Vec<u8> {
    match damage {
        Damage::Flip => {
            let mut bytes = before.to_vec();
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= random.byte().max(1);
            }
            bytes
        }
        Damage::Digit => {
            let places: Vec<usize> = (0..before.len())
                .filter(|at| before[*at].is_ascii_digit() || before[*at].is_ascii_lowercase())
                .collect();
            let mut bytes = before.to_vec();
            let place = places.get(random.below(places.len())).copied().unwrap_or(0);
            let letters: &[u8] = if before.get(place).is_some_and(u8::is_ascii_digit) {
                b"0123456789"
            } else {
                b"abcdefghijklmnopqrstuvwxyz"
            };
            if let Some(byte) = bytes.get_mut(place) {
                *byte = *random.pick(letters);
            }
            bytes
        }
        Damage::Cut => random.cut(before),
        Damage::Zeros => vec![0; before.len()],
        Damage::Longer => [before, &vec![random.byte(); 1 + random.below(100)]].concat(),
        Damage::Twice => before.repeat(2),
        Damage::Empty | Damage::OtherRun | Damage::OtherFile | Damage::Missing | Damage::Folder => Vec::new(),
    }
}

/// Damages a file in place; false if nothing changed.
fn apply(runs: &[Whole], run: usize, victim: &Path, damage: Damage, random: &mut Random) -> anyhow::Result<bool> {
    let before = fs::read(victim)?;
    let after = match damage {
        Damage::Missing => {
            fs::remove_file(victim)?;
            return Ok(true);
        }
        Damage::Folder => {
            fs::remove_file(victim)?;
            fs::create_dir(victim)?;
            return Ok(true);
        }
        Damage::OtherRun => {
            // The run of the other model through the same lens, and its file of the same name, if there is one.
            let other = &runs[run ^ 1].folder;
            let same = folder::files(other).into_iter().find(|file| file.file_name() == victim.file_name());
            fs::read(same.unwrap_or_else(|| other.join("report.json")))?
        }
        Damage::OtherFile => {
            let neighbours = folder::files(victim.parent().unwrap_or(victim));
            let others: Vec<PathBuf> = neighbours.into_iter().filter(|file| file != victim).collect();
            if others.is_empty() {
                return Ok(false);
            }
            fs::read(random.pick(&others))?
        }
        _ => damaged(&before, damage, random),
    };
    fs::write(victim, &after)?;
    Ok(after != before)
}

fn one_case(
    context: &Context,
    findings: &mut Findings,
    runs: &[Whole],
    run: usize,
    file: &Path,
    damage: Damage,
    random: &mut Random,
) -> anyhow::Result<()> {
    let whole = &runs[run];
    let out = context.scratch.join("damaged");
    folder::copy(&whole.folder, &out)?;
    let victim = out.join(file);
    if !apply(runs, run, &victim, damage, random)? {
        return Ok(());
    }
    let is_run = file == Path::new("run.json");
    let is_artifact = folder::is_artifact(file);
    let what = format!("{}/{} {damage:?}", whole.recipe.name, file.display());
    let in_place = !matches!(damage, Damage::Missing | Damage::Folder);
    findings.add(
        if is_run {
            "of run.json"
        } else if is_artifact {
            "of artifacts"
        } else {
            "of other files"
        },
        1,
    );

    let stats = context.aeva(["stats", "--json"]).arg(&out).memory(4 * GIB).run()?;
    let right = match () {
        () if is_run => stats.refused(),
        () if is_artifact && in_place => stats.refused(),
        () if is_artifact => stats.refused() || stays(&whole.stats, &parsed(&stats)),
        () => stats.end == whole_end(whole) && without(file, parsed(&stats)) == without(file, whole.stats.clone()),
    };
    findings.check(right && !stats.broken(), || format!("{what}: stats {}", stats.line()));

    let inspect = context.aeva(["inspect"]).arg(&out).memory(4 * GIB).run()?;
    let right = match () {
        () if is_run || is_artifact && in_place => inspect.refused(),
        () if is_artifact => inspect.refused() || inspect.exited(0),
        () => inspect.exited(0),
    };
    findings.check(right, || format!("{what}: inspect {}", inspect.line()));

    if is_artifact {
        let one = context.aeva(["inspect"]).arg(&victim).memory(4 * GIB).run()?;
        // A complete file from another place or run is valid by itself.
        let foreign = matches!(damage, Damage::OtherRun | Damage::OtherFile) && one.exited(0);
        findings.check(one.refused() || foreign, || format!("{what}: inspect of the file {}", one.line()));
    }
    if whole.recipe.options.contains(&"perturbation") {
        let target = context.scratch.join("export.npz");
        let export = context.aeva(["export"]).arg(&out).arg("--out").arg(target).memory(4 * GIB).run()?;
        findings.check(export.refused() || !is_run && export.exited(0), || format!("{what}: export {}", export.line()));
    }
    let scan = context.recipe(whole.recipe, &out).memory(4 * GIB).limit(120).run()?;
    let difference = whole.finished.disturbance(&scan, &out);
    let refusable = is_run || damage == Damage::Folder;
    let right = if is_run && in_place { scan.refused() } else { difference.is_none() || refusable && scan.refused() };
    findings.check(right, || format!("{what}: scan {}", difference.unwrap_or_else(|| scan.line())));
    Ok(())
}

fn whole_end(whole: &Whole) -> super::run::End {
    whole.finished.end
}

fn parsed(stats: &Ended) -> Value {
    without_seconds(serde_json::from_str(&stats.out).unwrap_or(Value::Null))
}

/// What does not depend on a file. How many images were asked about for examples is known from these alone.
fn without(file: &Path, mut stats: Value) -> Value {
    if file == Path::new("examples.json") {
        stats["queries"] = Value::Null;
        stats["queries_by_phase"]["examples"] = Value::Null;
    }
    stats
}

/// Whether a verdict from less evidence is either the same, with the same suspects, or open.
fn stays(before: &Value, after: &Value) -> bool {
    after["verdict"] == "inconclusive"
        || after["verdict"] == before["verdict"]
            && (after["verdict"] == "clean" || after["suspects"] == before["suspects"])
}
