//! Crafted and changed inputs for every reader: each is either understood or refused with a message.
//!
//! No panic, no signal, no hang, no more than 2 GiB. At the default effort, an evenly spread quarter of the cases runs.

mod archives;
mod arguments;
mod artifacts;
mod cifar;
mod crafted;
mod forged;
mod manifests;
mod models;
mod pictures;
mod run_json;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use xtask::process::say;

use super::context::{CLEAN, Context, Recipe, SHORTEST};
use super::findings::Findings;
use super::folder;
use super::npz::Digits;
use super::random::Random;
use super::run::{Call, Ended};

const GIB: u64 = 1 << 30;
/// Minimum number of cases in every section.
const LEAST: usize = 24;
/// At this effort, all cases run.
const ALL: usize = 4;
/// Larger files are not kept.
const LARGEST_KEPT: u64 = 8 << 20;

/// A command on an input, and its acceptable exit codes.
struct Step {
    call: Call,
    codes: &'static [i32],
}

impl Step {
    fn any(call: Call) -> Self {
        Self { call, codes: &[0, 1, 2, 3] }
    }

    fn refused(call: Call) -> Self {
        Self { call, codes: &[2] }
    }
}

/// Writes the input into a folder and returns the commands that read it.
type Build<'shared> = Box<dyn FnOnce(&Path, &mut Random) -> anyhow::Result<Vec<Step>> + Send + 'shared>;

/// One input.
struct Case<'shared> {
    name: String,
    build: Build<'shared>,
}

impl<'shared> Case<'shared> {
    fn new(
        name: impl Into<String>,
        build: impl FnOnce(&Path, &mut Random) -> anyhow::Result<Vec<Step>> + Send + 'shared,
    ) -> Self {
        Self { name: name.into(), build: Box::new(build) }
    }
}

/// Data shared by the sections.
struct Shared<'context> {
    context: &'context Context,
    digits: Digits,
    /// The shipped clean model and the manifest beside it.
    model: Vec<u8>,
    manifest: String,
    /// Finished runs: one of triggers, one of pairs.
    triggers: PathBuf,
    pairs: PathBuf,
    /// Factor for the number of random cases.
    times: usize,
}

impl Shared<'_> {
    /// The shortest scan of a model and data.
    fn scan(&self, model: &Path, data: &Path, folder: &Path) -> Call {
        let call = self.context.scan(model, data, &folder.join("out")).args(SHORTEST);
        let call = call.memory(4 * GIB).limit(20).folder(folder);
        if self.context.answer_timeout { call.args(["--answer-timeout", "2"]) } else { call }
    }

    /// The shipped model with other data.
    fn scan_data(&self, data: &Path, folder: &Path) -> Vec<Step> {
        vec![Step::any(self.scan(&self.context.model(CLEAN), data, folder))]
    }
}

/// The sections, by name.
const SECTIONS: [&str; 9] =
    ["npz", "cifar", "pictures", "onnx", "onnx crafted", "manifest", "artifacts", "run.json", "arguments"];

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    context.reference(Recipe::CLEAN_SCREEN)?;
    context.reference(Recipe::SHORT_PAIRS)?;
    let shared = Shared {
        context,
        digits: Digits::read(&context.data())?,
        model: fs::read(context.model(CLEAN))?,
        manifest: fs::read_to_string(context.model(CLEAN).with_extension("toml"))?,
        triggers: context.reference_folder(Recipe::CLEAN_SCREEN),
        pairs: context.reference_folder(Recipe::SHORT_PAIRS),
        times: (context.effort / ALL).max(1),
    };
    let judge = Mutex::new(Judge { context, findings, tally: BTreeMap::new() });
    for section in SECTIONS {
        let cases = match section {
            "npz" => archives::cases(&shared),
            "cifar" => cifar::cases(&shared),
            "pictures" => pictures::cases(&shared)?,
            "onnx" => models::cases(&shared),
            "onnx crafted" => crafted::cases(&shared),
            "manifest" => manifests::cases(&shared),
            "artifacts" => artifacts::cases(&shared)?,
            "run.json" => run_json::cases(&shared)?,
            _ => arguments::cases(&shared),
        };
        let keep = (cases.len() * context.effort / ALL).max(LEAST);
        let cases = context.random(section).spread(cases, keep);
        read(context, section, cases, &judge)?;
    }
    drop(judge);
    nothing_escaped(context, findings)
}

/// Runs the cases of a section, as many at a time as there are cores.
fn read(context: &Context, section: &str, cases: Vec<Case>, judge: &Mutex<Judge>) -> anyhow::Result<()> {
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4));
    let queue = Mutex::new(cases.into_iter());
    let next = || queue.lock().ok().and_then(|mut cases| cases.next());
    let work = |worker: usize| -> anyhow::Result<()> {
        while let Some(case) = next() {
            let folder = context.folder(&format!("worker-{worker}"))?;
            let mut random = Random::new(context.seed, &format!("{section}/{}", case.name));
            for step in (case.build)(&folder, &mut random)? {
                let ended = step.call.run()?;
                if let Ok(mut judge) = judge.lock() {
                    judge.one(section, &case.name, &step, &ended, &folder);
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a worker panicked")))
    })?;
    if let Ok(mut judge) = judge.lock() {
        judge.summary(section);
    }
    Ok(())
}

/// Counts how commands end.
struct Judge<'run> {
    context: &'run Context,
    findings: &'run mut Findings,
    tally: BTreeMap<String, usize>,
}

impl Judge<'_> {
    fn one(&mut self, section: &str, name: &str, step: &Step, ended: &Ended, folder: &Path) {
        let explained = ended.exited_in(step.codes) && (!ended.exited(2) || ended.refused());
        let large = ended.peak > 2 * GIB;
        let kind = match ended.kind() {
            kind if ended.broken() => kind,
            kind if !explained => format!("{kind} unexplained"),
            kind => kind,
        };
        self.findings.add("inputs", 1);
        if large {
            self.findings.add("above 2 GiB", 1);
        }
        if ended.broken() || !explained {
            // Signals are counted together.
            self.findings.add(kind.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ' '), 1);
        }
        *self.tally.entry(kind).or_default() += 1;
        let right = explained && !large;
        self.findings.check(right, || {
            let command = step.call.quoted();
            let verb = command.split('\'').nth(3).unwrap_or_default().to_owned();
            format!("{section}: {name}, {verb}: {}, {} MiB, {:.1} s", ended.line(), ended.peak >> 20, ended.seconds)
        });
        if !right {
            self.keep(section, name, folder);
        }
    }

    /// Keeps the files of an input that went wrong.
    fn keep(&self, section: &str, name: &str, folder: &Path) {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let label: String = format!("{section}-{name}").chars().map(plain).take(80).collect();
        let target = self.context.scratch.join("kept").join(label);
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in
            files.filter(|file| fs::symlink_metadata(file).is_ok_and(|it| it.is_file() && it.len() < LARGEST_KEPT))
        {
            if let Some(file_name) = file.file_name() {
                let _ = fs::create_dir_all(&target).and_then(|()| fs::copy(&file, target.join(file_name)));
            }
        }
    }

    fn summary(&mut self, section: &str) {
        let ends: Vec<String> = self.tally.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        say(&format!("  {section}: {}", ends.join(", ")));
        self.tally.clear();
    }
}

/// Some archives contain names outside themselves, and code: nothing of it may be written or run.
fn nothing_escaped(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    for worker in fs::read_dir(&context.scratch)?.flatten() {
        folder::remove(&worker.path().join("out"))?;
    }
    let escaped: Vec<PathBuf> = folder::files(&context.scratch)
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "escape.npy" || name == "pickled"))
        .collect();
    findings.check(escaped.is_empty() && !Path::new("/nowhere/escape.npy").exists(), || {
        format!("an archive has written {escaped:?}")
    });
    Ok(())
}
