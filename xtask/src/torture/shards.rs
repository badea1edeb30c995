//! Shares of a scan that run at the same time and are killed at random, in one folder or in several, while the clocks of
//! their machines disagree: together they must be the scan that was never divided.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::context::{CLEAN, Context, INFECTED, Recipe};
use super::findings::Findings;
use super::folder::{self, Finished};
use super::random::Random;
use super::run::{Call, End, Running};

/// Kills at the default effort.
const KILLS: usize = 500;
/// After this many kills a share may end, so that none is killed for ever.
const KILLS_OF_ONE: usize = 10;
/// A scan that does not end after this many starts of a share never will.
const STARTS_OF_ONE: usize = 100;
const PAUSE: Duration = Duration::from_millis(5);
/// How far the times of files are moved.
const YEARS: Duration = Duration::from_hours(24 * 365 * 20);

const RECIPES: [Recipe; 3] = [
    Recipe {
        name: "clean-both",
        model: CLEAN,
        options: &["--lens", "both", "--samples", "1", "--iterations", "6", "--no-html", "--threads", "1"],
    },
    Recipe {
        name: "infected-pairs-shared",
        model: INFECTED,
        options: &["--lens", "perturbation", "--iterations", "12", "--no-html", "--threads", "1"],
    },
    Recipe {
        name: "clean-exhaustive",
        model: CLEAN,
        options: &["--effort", "exhaustive", "--no-html", "--threads", "1"],
    },
];

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let mut references = Vec::new();
    for recipe in RECIPES {
        references.push((recipe, context.reference(recipe)?));
    }
    let mut random = context.random("shards");
    let (mut kills, wanted) = (0, KILLS * context.effort);
    for round in 0..wanted {
        if kills >= wanted {
            break;
        }
        let (recipe, reference) = &references[round % references.len()];
        kills += one_scan(context, findings, &mut random, *recipe, reference)?;
    }
    findings.check(kills >= wanted, || format!("only {kills} shares could be killed of {wanted}"));
    findings.add("kills", kills);
    Ok(())
}

/// A share that is not complete.
struct Share {
    number: usize,
    out: PathBuf,
    kills: usize,
    starts: usize,
    running: Option<(Running, f64)>,
}

/// Makes all shares of a scan at the same time, merges them, and compares; returns the number of kills.
fn one_scan(
    context: &Context,
    findings: &mut Findings,
    random: &mut Random,
    recipe: Recipe,
    reference: &Finished,
) -> anyhow::Result<usize> {
    let (of, one_folder) = (2 + random.below(4), random.chance(0.5));
    let merged = context.nothing("merged")?;
    let mut shares = Vec::new();
    for number in 1..=of {
        let out = if one_folder { merged.clone() } else { context.nothing(&format!("part-{number}"))? };
        shares.push(Share { number, out, kills: 0, starts: 0, running: None });
    }
    let mut kills = 0;
    let mut open: Vec<&mut Share> = shares.iter_mut().collect();
    // Each share is started a bounded number of times, and each start has a time limit.
    while !open.is_empty() {
        let mut left = Vec::new();
        for share in open {
            match step(context, findings, random, recipe, share, of)? {
                Step::Killed => kills += 1,
                Step::Done => continue,
                Step::Runs => {}
            }
            left.push(share);
        }
        open = left;
        sleep(PAUSE);
    }
    let mut merge = context.aeva(["merge"]).arg(&merged);
    if !one_folder {
        merge = merge.args(shares.iter().map(|share| &share.out));
    }
    let ended = merge.run()?;
    let name = format!("{} in {of} shares, {}", recipe.name, if one_folder { "one folder" } else { "several folders" });
    findings.check(ended.exited(0), || format!("{name}: merge {}", ended.line()));
    let last = call(context, recipe, &merged).run()?;
    let difference = reference.disturbance(&last, &merged);
    findings.check(difference.is_none(), || format!("{name}, after {kills} kills: {}", difference.unwrap_or_default()));
    let unfinished = merged.join("partial-v1").exists();
    findings.check(!unfinished, || format!("{name}: unfinished work is left"));
    findings.add("scans", 1);
    findings.add("shares", of);
    Ok(kills)
}

fn call(context: &Context, recipe: Recipe, out: &Path) -> Call {
    context.recipe(recipe, out).limit(180)
}

/// What became of a share in this moment.
enum Step {
    Runs,
    Killed,
    Done,
}

fn step(
    context: &Context,
    findings: &mut Findings,
    random: &mut Random,
    recipe: Recipe,
    share: &mut Share,
    of: usize,
) -> anyhow::Result<Step> {
    let Some((running, moment)) = &mut share.running else {
        share.starts += 1;
        anyhow::ensure!(share.starts <= STARTS_OF_ONE, "share {} of {of} never ends", share.number);
        let call = call(context, recipe, &share.out).args(["--shard", &format!("{}/{of}", share.number)]);
        share.running = Some((call.start()?, random.between(0.02, 0.9)));
        return Ok(Step::Runs);
    };
    if running.goes_on()? {
        if share.kills >= KILLS_OF_ONE || running.seconds() < *moment {
            return Ok(Step::Runs);
        }
        running.signal_group("KILL")?;
    }
    let ended = running.finish()?;
    share.running = None;
    if ended.end == End::Signal(9) {
        share.kills += 1;
        if random.chance(0.2) {
            jump(&share.out, random.chance(0.5));
            findings.add("clocks that jumped", 1);
        }
        return Ok(Step::Killed);
    }
    findings.check(ended.exited(0), || format!("{}, share {} of {of}: {}", recipe.name, share.number, ended.line()));
    Ok(Step::Done)
}

/// Moves the times of all files of a folder, as on a machine with another clock.
fn jump(folder: &Path, ahead: bool) {
    let now = SystemTime::now();
    let time = if ahead { now + YEARS } else { now - YEARS };
    for path in folder::files(folder) {
        // Another share may have removed it.
        if let Ok(file) = File::options().append(true).open(&path) {
            let _ = file.set_modified(time);
        }
    }
}
