//! Shares of a scan that run at the same time and are killed at random, in one folder or in several, while the clocks of
//! their machines jump: together they must be the scan that was never divided.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::clock;
use super::context::{CLEAN, Context, INFECTED, Recipe};
use super::findings::Findings;
use super::folder::{self, Finished};
use super::random::Random;
use super::run::{Call, End, Running};

/// Kills at the default effort.
const KILLS: usize = 500;
/// After this many kills a share may end, so that none is killed for ever.
const KILLS_OF_ONE: usize = 6;
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
    let (mut random, wanted) = (context.random("shards"), KILLS * context.effort);
    let clock = clock::that_jumps(context, findings)?;
    context.kill_scans(findings, &RECIPES, wanted, wanted, |findings, recipe, reference| {
        let of = 2 + random.below(4);
        let one_folder = random.chance(0.5);
        let way = Way { recipe, of, one_folder, together: one_folder && random.chance(0.5), clock: clock.as_deref() };
        one_scan(context, findings, &mut random, way, reference)
    })
}

/// How a scan is divided.
#[derive(Clone, Copy)]
struct Way<'a> {
    recipe: Recipe,
    /// The number of shares.
    of: usize,
    one_folder: bool,
    /// Whether shares help each other.
    together: bool,
    /// A library with a clock that jumps, which every other start of a share has.
    clock: Option<&'a Path>,
}

impl Way<'_> {
    fn call(&self, context: &Context, out: &Path) -> Call {
        context.recipe(self.recipe, out).limit(180)
    }

    fn share(&self, context: &Context, share: &Share) -> Call {
        let call = self.call(context, &share.out).args(["--shard", &format!("{}/{}", share.number, self.of)]);
        let call = if self.together { call.arg("--together") } else { call };
        let clock = self.clock.filter(|_| share.starts % 2 == 1);
        clock.into_iter().fold(call, |call, library| call.env("LD_PRELOAD", library))
    }

    fn name(&self) -> String {
        let Self { recipe, of, one_folder, together, .. } = self;
        let place = if *one_folder { "one folder" } else { "several folders" };
        format!("{} in {of} shares, {place}{}", recipe.name, if *together { ", together" } else { "" })
    }
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
    way: Way<'_>,
    reference: &Finished,
) -> anyhow::Result<usize> {
    let merged = context.nothing("merged")?;
    let mut shares = Vec::new();
    for number in 1..=way.of {
        let out = if way.one_folder { merged.clone() } else { context.nothing(&format!("part-{number}"))? };
        shares.push(Share { number, out, kills: 0, starts: 0, running: None });
    }
    let mut kills = 0;
    let mut open: Vec<&mut Share> = shares.iter_mut().collect();
    // Each share is started a bounded number of times, and each start has a time limit.
    while !open.is_empty() {
        let mut left = Vec::new();
        for share in open {
            match step(context, findings, random, way, share)? {
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
    if !way.one_folder {
        merge = merge.args(shares.iter().map(|share| &share.out));
    }
    let ended = merge.run()?;
    let name = way.name();
    findings.check(ended.exited(0), || format!("{name}: merge {}", ended.line()));
    let last = way.call(context, &merged).run()?;
    let difference = reference.disturbance(&last, &merged);
    findings.check(difference.is_none(), || format!("{name}, after {kills} kills: {}", difference.unwrap_or_default()));
    let unfinished = merged.join("partial-v1").exists();
    findings.check(!unfinished, || format!("{name}: unfinished work is left"));
    findings.add("shares", way.of);
    findings.add(if way.together { "scans whose shares help each other" } else { "scans whose shares do not" }, 1);
    Ok(kills)
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
    way: Way<'_>,
    share: &mut Share,
) -> anyhow::Result<Step> {
    let Some((running, moment)) = &mut share.running else {
        share.starts += 1;
        anyhow::ensure!(share.starts <= STARTS_OF_ONE, "share {} of {} never ends", share.number, way.name());
        if way.clock.is_some() && share.starts % 2 == 1 {
            findings.add("processes with a clock that jumps", 1);
        }
        share.running = Some((way.share(context, share).start()?, random.between(0.02, 0.9)));
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
            findings.add("folders whose times jumped", 1);
        }
        return Ok(Step::Killed);
    }
    findings.check(ended.exited(0), || format!("{}, share {}: {}", way.name(), share.number, ended.line()));
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
