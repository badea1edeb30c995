//! SIGKILL, and the same command again until it ends: the result must be as if nothing had happened.
//!
//! Half of the kills come at a random moment. The other half come when a temporary file exists, that is, during a
//! write. A kill hits either the process alone or all processes that it started.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::context::{Context, Recipe};
use super::findings::Findings;
use super::folder::{Finished, temporary_files};
use super::random::Random;
use super::run::Running;

/// Kills at the default effort.
const KILLS: usize = 60;
/// After this many kills the scan may end, so that none is killed for ever.
const KILLS_OF_ONE: usize = 20;
/// How long a process may outlive the killed process that started it.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let recipes = [Recipe::INFECTED_TRIGGERS, Recipe::CLEAN_TRIGGERS, Recipe::INFECTED_PAIRS, Recipe::CLEAN_PAIRS];
    let (mut random, wanted) = (context.random("kills"), KILLS * context.effort);
    context.kill_scans(findings, &recipes, wanted, 2 * wanted, |findings, recipe, reference| {
        one_scan(context, findings, &mut random, recipe, reference)
    })
}

/// Kills a scan again and again, and then lets it end; returns the number of kills.
fn one_scan(
    context: &Context,
    findings: &mut Findings,
    random: &mut Random,
    recipe: Recipe,
    reference: &Finished,
) -> anyhow::Result<usize> {
    let out = context.nothing("killed")?;
    let mut kills = 0;
    loop {
        let mut running = context.recipe(recipe, &out).limit(120).start()?;
        if kills < KILLS_OF_ONE {
            let while_writing = random.chance(0.5);
            let moment = random.between(0.05, 1.0);
            if is_time(&mut running, &out, moment, while_writing)? {
                let alone = random.chance(0.5);
                if alone {
                    running.signal("KILL")?;
                } else {
                    running.signal_group("KILL")?;
                }
                let ended = running.finish()?;
                if ended.end == super::run::End::Signal(9) {
                    kills += 1;
                    findings.add(if while_writing { "while writing" } else { "at random" }, 1);
                    let left = running.outlived(PATIENCE);
                    findings.check(left == 0, || {
                        format!("{}: {left} processes live on though the one that started them was killed", recipe.name)
                    });
                    continue;
                }
            }
        }
        let ended = running.wait()?;
        let difference = reference.disturbance(&ended, &out);
        findings.check(difference.is_none(), || {
            format!("{} after {kills} kills: {}", recipe.name, difference.unwrap_or_default())
        });
        findings.add("scans finished", 1);
        findings.add("temporary files left", temporary_files(&out).len());
        return Ok(kills);
    }
}

/// Waits for the moment of a kill; returns whether the scan still runs then.
fn is_time(running: &mut Running, out: &Path, moment: f64, while_writing: bool) -> anyhow::Result<bool> {
    let before: BTreeSet<_> = temporary_files(out).into_iter().collect();
    while running.goes_on()? {
        let seconds = running.seconds();
        let written = while_writing && seconds > 0.6 * moment;
        if written && temporary_files(out).iter().any(|file| !before.contains(file)) {
            return Ok(true);
        }
        if seconds > if while_writing { 3.0 } else { moment } {
            return Ok(true);
        }
        sleep(Duration::from_micros(if written { 300 } else { 3000 }));
    }
    Ok(false)
}
