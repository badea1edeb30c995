//! The scans of a bank: one run folder a model, made by the program itself.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, bail};
use xtask::process::{built_aeva, say};

use super::index::Model;

/// How the models are scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) seed: u64,
    /// Whether all passes are made, so that any later rule can be judged.
    pub(super) exhaustive: bool,
    /// Models at once, one thread each.
    pub(super) workers: usize,
}

/// Rate of false alarms of the scans. They are judged at another one, which may need more passes than a plain scan at this
/// one made; an exhaustive scan makes all passes.
const RATE: &str = "0.2";

/// Exit codes of a scan that has ended: clean, backdoored, inconclusive.
const ENDED: [i32; 3] = [0, 1, 3];

/// Scans the models that have no finished scan in `out`; a scan that was stopped goes on.
///
/// # Errors
/// When the program cannot be built or started, or a model cannot be scanned. The other models are scanned all the same.
pub(super) fn scan(models: &[Model], out: &Path, settings: Settings) -> anyhow::Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let aeva = built_aeva()?;
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(model) = models.get(next.fetch_add(1, Ordering::Relaxed)) {
            match one(&aeva, model, out, settings) {
                Ok(line) => say(&format!("{}: {line}", model.name)),
                Err(error) => {
                    say(&format!("{}: {error:#}", model.name));
                    failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(model.name.clone());
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..settings.workers {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !failed.is_empty() {
        bail!("{} of {} models could not be scanned: {}", failed.len(), models.len(), failed.join(", "));
    }
    Ok(())
}

/// Scans one model; the last line of its report.
fn one(aeva: &Path, model: &Model, out: &Path, settings: Settings) -> anyhow::Result<String> {
    let mut command = Command::new(aeva);
    command.arg("--quiet").arg("scan").arg(&model.file).arg("--data").arg(&model.images);
    command.args(["--lens", "trigger", "--threads", "1", "--seed", &settings.seed.to_string()]);
    // At a high rate of false alarms, no model is refused for lack of clean models to compare it with. The passes are the same.
    command.args(["--false-positive-rate", RATE]);
    command.args(settings.exhaustive.then_some(["--effort", "exhaustive"]).into_iter().flatten());
    command.arg("--out").arg(out.join(&model.name)).stdin(Stdio::null());
    let ran = command.output().with_context(|| format!("cannot start {}", aeva.display()))?;
    let last = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().last().unwrap_or_default().to_owned()
    };
    match ran.status.code() {
        Some(code) if ENDED.contains(&code) => Ok(last(&ran.stdout)),
        _ => bail!("the scan ended with {}: {}", ran.status, last(&ran.stderr)),
    }
}
