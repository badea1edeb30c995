//! Signals at random moments: the message, the end of the scan, and whether the same command resumes it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::context::{Context, Recipe};
use super::findings::Findings;
use super::folder::Finished;
use super::pipes;
use super::random::Random;
use super::run::{End, Ended, Running};

/// A signal, sent once or more.
struct Kind {
    name: &'static str,
    signals: &'static [&'static str],
    /// Time between two signals.
    pause: Duration,
    /// How an unfinished scan ends.
    end: Option<End>,
    /// Whether it says how to continue.
    says: bool,
}

const KINDS: [Kind; 10] = [
    kind("INT", &["INT"], 0, Some(End::Exit(130)), true),
    kind("INT twice", &["INT", "INT"], 50, Some(End::Exit(130)), false),
    kind("INT twice at once", &["INT", "INT"], 0, Some(End::Exit(130)), false),
    kind("TERM", &["TERM"], 0, Some(End::Signal(15)), true),
    kind("TERM twice", &["TERM", "TERM"], 20, Some(End::Signal(15)), false),
    kind("HUP", &["HUP"], 0, Some(End::Signal(1)), true),
    kind("HUP twice", &["HUP", "HUP"], 20, Some(End::Signal(1)), false),
    kind("QUIT", &["QUIT"], 0, Some(End::Signal(3)), false),
    kind("PIPE", &["PIPE"], 0, Some(End::Signal(13)), false),
    kind("STOP and CONT", &["STOP", "CONT"], 300, None, false),
];

const fn kind(name: &'static str, signals: &'static [&'static str], pause: u64, end: Option<End>, says: bool) -> Kind {
    Kind { name, signals, pause: Duration::from_millis(pause), end, says }
}

/// A batch of the shipped models takes milliseconds; a scan that takes longer than this did not stop within one batch.
const PROMPT: Duration = Duration::from_secs(4);

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let mut references = Vec::new();
    for recipe in [Recipe::INFECTED_PAIRS, Recipe::CLEAN_TRIGGERS] {
        references.push((recipe, context.reference(recipe)?));
    }
    let mut random = context.random("signals");
    for round in 0..3 * context.effort {
        let (recipe, reference) = &references[round % references.len()];
        for kind in &KINDS {
            one(context, findings, &mut random, *recipe, reference, kind)?;
        }
    }
    worker(context, findings, references[0].0, &references[0].1)?;
    pipes::run(context, findings)
}

fn one(
    context: &Context,
    findings: &mut Findings,
    random: &mut Random,
    recipe: Recipe,
    reference: &Finished,
    kind: &Kind,
) -> anyhow::Result<()> {
    let out = context.nothing("signalled")?;
    let mut running = spoken(context, recipe, &out).start()?;
    wait_until(&mut running, random.between(0.05, 0.8))?;
    // Before the scan has begun, there is nothing to report or keep.
    let begun = out.join("run.json").exists();
    let as_terminal = random.chance(0.5);
    let sent = Instant::now();
    for signal in kind.signals {
        if as_terminal {
            running.signal_group(signal)?;
        } else {
            running.signal(signal)?;
        }
        sleep(kind.pause);
    }
    let ended = running.finish()?;
    let took = sent.elapsed();
    let what = format!("{} {} {}", recipe.name, kind.name, if as_terminal { "to all" } else { "to the process" });
    let number = |signal: &str| match signal {
        "INT" => 2,
        "TERM" => 15,
        "HUP" => 1,
        _ => 0,
    };
    let done = ended.end == reference.end;
    // After a second signal, or before it has begun, a scan may end as the signal itself would end it.
    let by_itself = (!begun || kind.signals.len() > 1) && ended.end == End::Signal(number(kind.signals[0]));
    let as_wanted = done || kind.end == Some(ended.end) || by_itself;
    findings.check(as_wanted && !ended.panicked(), || format!("{what}: {}", ended.line()));
    findings.add(if done { "scans done before" } else { "scans interrupted" }, 1);
    if !done && kind.end.is_some() {
        findings.check(took < PROMPT, || format!("{what}: took {:.1} s", took.as_secs_f64()));
        let left = running.outlived(PROMPT);
        findings.check(left == 0, || format!("{what}: {left} processes live on"));
    }
    if !done && kind.says && begun {
        findings
            .check(says_how_to_go_on(&ended), || format!("{what}: says nothing about how to go on: {}", ended.line()));
    }
    drop(running);
    goes_on(context, findings, recipe, reference, &out, &what)
}

/// Without `--quiet`.
fn spoken(context: &Context, recipe: Recipe, out: &std::path::Path) -> super::run::Call {
    context.talkative_scan(&context.model(recipe.model), &context.data(), out).args(recipe.options).limit(60)
}

fn wait_until(running: &mut Running, seconds: f64) -> anyhow::Result<()> {
    while running.goes_on()? && running.seconds() < seconds {
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn says_how_to_go_on(ended: &Ended) -> bool {
    ended.err.contains("same command") || ended.out.contains("same command")
}

fn goes_on(
    context: &Context,
    findings: &mut Findings,
    recipe: Recipe,
    reference: &Finished,
    out: &std::path::Path,
    what: &str,
) -> anyhow::Result<()> {
    let ended = spoken(context, recipe, out).run()?;
    let difference = reference.disturbance(&ended, out);
    findings.check(difference.is_none(), || format!("{what}, then the same: {}", difference.unwrap_or_default()));
    Ok(())
}

/// If the process that runs the model crashes, the supervising process reports it.
fn worker(context: &Context, findings: &mut Findings, recipe: Recipe, reference: &Finished) -> anyhow::Result<()> {
    let mut met = 0;
    for signal in ["SEGV", "KILL", "ABRT", "BUS"] {
        let out = context.nothing("worker")?;
        let mut running = spoken(context, recipe, &out).start()?;
        while running.goes_on()? && !out.join("run.json").exists() {
            sleep(Duration::from_millis(2));
        }
        for worker in running.children() {
            super::run::send(signal, &worker.to_string())?;
            met += 1;
        }
        let ended = running.wait()?;
        let right = ended.refused() || ended.end == reference.end;
        findings.check(right, || format!("{signal} to the process that runs the model: {}", ended.line()));
        goes_on(context, findings, recipe, reference, &out, signal)?;
    }
    findings.check(met > 0, || "a scan runs the model in its own process: a crash there ends all".to_owned());
    findings.add("workers crashed", met);
    Ok(())
}
