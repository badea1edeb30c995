//! Artifacts with forged content and a valid checksum.

use std::fs;
use std::path::{Path, PathBuf};

use super::forged::{forged_pairs, forged_triggers};
use super::{Case, GIB, Shared, Step};
use crate::torture::artifact::Container;
use crate::torture::context::Recipe;
use crate::torture::folder;

/// Numbers that tend to break sizes and labels.
pub(crate) const NUMBERS: [u32; 9] = [0, 1, 2, 3, 9, 10, 255, 1 << 31, u32::MAX];
const LARGE: [u64; 6] = [0, 1, 11, 1 << 32, 1 << 62, u64::MAX];

/// A file of a run, and the run that contains it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) run: PathBuf,
    /// Name within the run.
    pub(crate) file: PathBuf,
}

/// All commands that read a run in which this file has these bytes. If `alone` is set, no later results exist, so a
/// scan starts from the content of this file.
pub(crate) fn commands(
    shared: &Shared,
    target: &Target,
    bytes: &[u8],
    alone: bool,
    place: &Path,
) -> anyhow::Result<Vec<Step>> {
    let run = place.join("run");
    folder::copy(&target.run, &run)?;
    let victim = run.join(&target.file);
    if alone {
        let neighbours = folder::files(victim.parent().unwrap_or(&run));
        for file in neighbours.iter().filter(|file| **file != victim) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("patch") || name.starts_with("overlay") {
                fs::remove_file(file)?;
            }
        }
    }
    fs::write(&victim, bytes)?;
    // A copy to keep if the case goes wrong.
    fs::write(place.join("forged"), bytes)?;
    let aeva = |words: &[&str]| shared.context.aeva(words).memory(4 * GIB).limit(20);
    let mut calls = vec![
        aeva(&["stats"]).arg(&run),
        aeva(&["stats", "--json", "--rule", "combined"]).arg(&run),
        aeva(&["inspect"]).arg(&run),
    ];
    if folder::is_artifact(&victim) {
        calls.push(aeva(&["inspect"]).arg(&victim));
        calls.push(aeva(&["export"]).arg(&victim).arg("--out").arg(place.join("one.npy")));
    }
    calls.push(aeva(&["export"]).arg(&run).arg("--out").arg(place.join("all.npz")));
    let recipe = if target.run == shared.pairs { Recipe::SHORT_PAIRS } else { Recipe::CLEAN_SCREEN };
    if target.run == shared.triggers {
        for aim in [&["--label", "3"][..], &["--map"]] {
            let call = aeva(&["stamp"]).arg(&run).arg("--data").arg(shared.context.data()).args(aim);
            calls.push(call.arg("--out").arg(place.join("stamped.npz")));
        }
    }
    calls.push(shared.context.recipe(recipe, &run).memory(4 * GIB).limit(30));
    Ok(calls.into_iter().map(Step::any).collect())
}

/// A case of a file with these bytes.
fn forged<'shared>(
    shared: &'shared Shared,
    name: String,
    target: &Target,
    bytes: Vec<u8>,
    alone: bool,
) -> Case<'shared> {
    let target = target.clone();
    Case::new(name, move |place, _| commands(shared, &target, &bytes, alone, place))
}

fn target(run: &Path, folder_name: &str, word: &str) -> anyhow::Result<(Target, Container, String)> {
    let files = folder::files(&run.join(folder_name));
    let found = files
        .into_iter()
        .find(|file| file.to_string_lossy().rsplit('/').next().is_some_and(|name| name.contains(word)));
    let path = found.ok_or_else(|| anyhow::anyhow!("the run has no artifact {word}"))?;
    let bytes = fs::read(&path)?;
    let container = Container::open(&bytes)?;
    // A forged file must fail for its content, not for its form.
    anyhow::ensure!(container.close() == bytes, "the container of artifacts is another one than here");
    let shape: Vec<u8> = [16_u32, 16, 1].into_iter().flat_map(u32::to_le_bytes).collect();
    anyhow::ensure!(container.payload.get(8..20) == Some(&shape[..]), "payloads are others than here");
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok((Target { run: run.to_owned(), file: path.strip_prefix(run)?.to_owned() }, container, stem))
}

/// The payload with a number of four or eight bytes replaced at one position.
fn with(payload: &[u8], at: usize, number: &[u8]) -> Option<Vec<u8>> {
    let mut changed = payload.to_vec();
    changed.get_mut(at..at + number.len())?.copy_from_slice(number);
    (changed != payload).then_some(changed)
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> anyhow::Result<Vec<Case<'shared>>> {
    let mut cases = Vec::new();
    for word in ["patch", "wave"] {
        let (place, container, stem) = target(&shared.triggers, "triggers-v1", word)?;
        for (name, payload) in fields(&container.payload) {
            let bytes = container.with_payload(payload).close();
            cases.push(forged(shared, format!("{stem} {name}"), &place, bytes, false));
        }
        if word == "patch" {
            let strength = container.payload.get(4..8).unwrap_or(&[2, 0, 0, 0]).to_vec();
            for (name, payload) in forged_triggers(&strength) {
                let bytes = container.with_payload(payload).close();
                cases.push(forged(shared, format!("{stem} {name}"), &place, bytes.clone(), false));
                cases.push(forged(shared, format!("{stem} {name}, then searched"), &place, bytes, true));
            }
        }
        random_cases(shared, &mut cases, &place, &container, &stem, 40);
        for index in 0..15 * shared.times {
            let (container, place) = (container.clone(), place.clone());
            cases.push(Case::new(format!("{stem} header {index}"), move |folder, random| {
                let header = random.changed(&container.header, 1, container.header.len());
                commands(shared, &place, &container.with_header(header).close(), false, folder)
            }));
        }
        let end = container.header.len().saturating_sub(1);
        let nested = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        let header = [&container.header[..end], b",\"x\":", nested.as_bytes(), b"}"].concat();
        cases.push(forged(
            shared,
            format!("{stem} nested header"),
            &place,
            container.with_header(header).close(),
            false,
        ));
    }
    let (place, container, stem) = target(&shared.pairs, "pairs-v1", "0")?;
    for (name, payload) in forged_pairs() {
        cases.push(forged(shared, format!("{stem} {name}"), &place, container.with_payload(payload).close(), false));
    }
    random_cases(shared, &mut cases, &place, &container, &stem, 30);
    Ok(cases)
}

fn random_cases<'shared>(
    shared: &'shared Shared,
    cases: &mut Vec<Case<'shared>>,
    place: &Target,
    container: &Container,
    stem: &str,
    count: usize,
) {
    for index in 0..count * shared.times {
        let (container, place) = (container.clone(), place.clone());
        cases.push(Case::new(format!("{stem} random {index}"), move |folder, random| {
            let mut payload = container.payload.clone();
            for _ in 0..*random.pick(&[1, 2, 4]) {
                let at = random.below(payload.len() - 4);
                payload[at..at + 4].copy_from_slice(&random.pick(&NUMBERS).to_le_bytes());
            }
            commands(shared, &place, &container.with_payload(payload).close(), false, folder)
        }));
    }
}

/// Every field at the beginning of a trigger payload, up to the first finding, set to numbers that tend to break it.
fn fields(payload: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut changed = Vec::new();
    for (name, at) in [
        ("family", 0),
        ("strength", 4),
        ("height", 8),
        ("width", 12),
        ("channels", 16),
        ("aim", 36),
        ("label", 40),
        ("shape of a trigger", 44),
        ("row", 56),
        ("column", 60),
        ("side", 64),
    ] {
        let numbers = NUMBERS.iter().map(|number| (number.to_string(), with(payload, at, &number.to_le_bytes())));
        changed.extend(numbers.filter_map(|(number, payload)| Some((format!("{name} {number}"), payload?))));
    }
    for (name, at) in [("queries", 20), ("findings", 28), ("numbers", 48), ("reals", 68), ("values", 76)] {
        let numbers = LARGE.iter().map(|number| (number.to_string(), with(payload, at, &number.to_le_bytes())));
        changed.extend(numbers.filter_map(|(number, payload)| Some((format!("{name} {number}"), payload?))));
    }
    changed
}
