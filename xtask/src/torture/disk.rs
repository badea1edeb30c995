//! Failing disks: single calls that fail under strace, little space, vanishing folders, names and links.

use std::fs;

use std::thread::sleep;
use std::time::Duration;

use super::context::{CLEAN, Context, Recipe};
use super::findings::Findings;
use super::folder::{self, Finished};
use super::run::End;
use super::trace::Tracer;
use super::undisturbed::{References, goes_on};
use super::{names, scarce};

/// Injected faults at the default effort.
const FAULTS: usize = 28;

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let (triggers, pairs) = (Recipe::INFECTED_TRIGGERS, Recipe::SHORT_PAIRS);
    let references: References = [(triggers, context.reference(triggers)?), (pairs, context.reference(pairs)?)];
    match Tracer::find() {
        Some(tracer) => failing_calls(context, findings, &tracer, &references)?,
        None => findings.skip("strace"),
    }
    scarce::run(context, findings, &references)?;
    vanishing(context, findings)?;
    names::run(context, findings, &references[0].1)
}

/// The n-th call of a kind fails or kills; then the same command runs again.
fn failing_calls(
    context: &Context,
    findings: &mut Findings,
    tracer: &Tracer,
    references: &References,
) -> anyhow::Result<()> {
    let calls: [(&str, &[&str]); 3] = [
        ("rename,renameat,renameat2", &["signal=SIGKILL", "error=ENOSPC", "error=EACCES"]),
        ("fsync", &["signal=SIGKILL", "error=EIO"]),
        ("mkdir,mkdirat", &["error=ENOSPC", "signal=SIGKILL"]),
    ];
    let mut cases = Vec::new();
    for (index, counts) in [(0, &[1, 2, 3, 5, 8, 12][..]), (1, &[1, 2, 20, 60])] {
        for (names, faults) in calls {
            for fault in faults {
                cases.extend(counts.iter().map(|count| (index, names, *fault, *count)));
            }
        }
    }
    for (index, names, fault, count) in context.random("faults").spread(cases, FAULTS * context.effort) {
        let (recipe, reference): &(Recipe, Finished) = &references[index];
        let out = context.nothing("injected")?;
        let call = tracer.injecting(context.recipe(*recipe, &out), names, fault, count);
        let ended = call.limit(120).run()?;
        let what = format!("{}, {names} number {count} {fault}", recipe.name);
        let untouched = ended.end == reference.end;
        let killed = fault.starts_with("signal") && !ended.panicked() && ended.end != End::Hang;
        findings.check(untouched || ended.refused() || killed, || format!("{what}: {}", ended.line()));
        goes_on(context, findings, *recipe, reference, &out, &what)?;
        findings.add(if untouched { "faults not met" } else { "faults met" }, 1);
    }
    Ok(())
}

/// The folder, or part of it, is removed during a scan: no verdict may change because of that.
fn vanishing(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let clean = Recipe { name: "clean-triggers", model: CLEAN, options: &[] };
    for recipe in [clean, Recipe::INFECTED_TRIGGERS, Recipe::CLEAN_PAIRS] {
        let parts = if recipe.options.is_empty() { "triggers-v1" } else { "pairs-v1" };
        for what in ["", "run.json", parts] {
            for after in [2, 4] {
                let out = context.nothing("vanishing")?;
                let mut running = context.recipe(recipe, &out).limit(120).start()?;
                let artifacts = || folder::files(&out).iter().filter(|file| folder::is_artifact(file)).count();
                while running.goes_on()? && running.seconds() < 20.0 && artifacts() < after {
                    sleep(Duration::from_millis(2));
                }
                // The scan may write to it at this moment; a second attempt removes the rest.
                let target = out.join(what);
                let _ = fs::remove_dir_all(&target).or_else(|_| folder::remove(&target).map_err(std::io::Error::other));
                let ended = running.wait()?;
                let wrong = End::Exit(i32::from(recipe.model == CLEAN));
                findings.check(!ended.broken() && ended.end != wrong, || {
                    format!("{}: {what:?} removed after {after} artifacts: {}", recipe.name, ended.line())
                });
                let stats = context.aeva(["stats"]).arg(&out).run()?;
                findings.check(!stats.broken() && stats.end != wrong, || {
                    format!("{}: {what:?} removed, then stats: {}", recipe.name, stats.line())
                });
            }
        }
    }
    Ok(())
}
