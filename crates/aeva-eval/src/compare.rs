//! `cargo xtask compare`: times the same searches with `aeva`, with a common toolbox, and one image at a time as the published program
//! does it. The tools take turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use aeva_artifact::RunDir;
use aeva_stats::median;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use xtask::process::{self, built_aeva, exit_code, say};
use xtask::python::measuring_python;
use xtask::{convert, demo, root, shared_data};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The Keras model. The default is the CIFAR-10 ResNet-20 of the shared data.
    #[arg(long, requires = "data", value_name = "FILE")]
    model: Option<PathBuf>,
    /// Its images: an `.npz` file with x (uint8, `[n, h, w, c]`) and y.
    #[arg(long, requires = "model", value_name = "FILE")]
    data: Option<PathBuf>,
    /// Number of rounds. In each round, every tool runs all attacks once.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Attacks in a round: one from each of the labels 1 to N towards label 0.
    #[arg(long, value_name = "N", default_value_t = 4)]
    attacks: u32,
    /// Iterations of each attack.
    #[arg(long, value_name = "N", default_value_t = 14)]
    iterations: u32,
    /// Initial evaluations of each attack.
    #[arg(long, value_name = "N", default_value_t = 96)]
    initial_evaluations: u32,
    /// Threads of each tool. The default is all cores.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// JSON file to write the figures to.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What `compare.py` reads.
#[derive(Debug, Serialize)]
struct Plan<'a> {
    model: &'a Path,
    keras_model: &'a Path,
    data: &'a Path,
    iterations: u32,
    initial_evaluations: u32,
    threads: usize,
    attacks: Vec<Attack>,
}

#[derive(Debug, Clone, Serialize)]
struct Attack {
    source: u32,
    target: u32,
    origin: u64,
    start: u64,
}

/// What `compare.py` reports.
#[derive(Debug, Deserialize)]
struct Report {
    tool: String,
    attacks: Vec<Ran>,
}

#[derive(Debug, Deserialize)]
struct Ran {
    seconds: f64,
    queries: u64,
    on_target: bool,
}

/// One round of one tool.
#[derive(Debug, Clone, Serialize)]
struct Turn {
    seconds_per_attack: f64,
    queries_per_attack: f64,
}

/// All rounds of one tool.
#[derive(Debug, Serialize)]
struct Tool {
    name: String,
    turns: Vec<Turn>,
    seconds_per_attack: f64,
    queries_per_attack: f64,
    /// Its seconds divided by those of `aeva` in the same round (median).
    ratio: f64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    demo::setup()?;
    let (keras, data) = subject(args)?;
    let python = measuring_python()?;
    let aeva = built_aeva()?;
    let work = tempfile::tempdir().context("cannot create a temporary folder")?;
    let onnx = work.path().join("model.onnx");
    convert::run(&convert::Args::new(keras.clone(), onnx.clone()))?;
    let threads = match args.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    let scan = |out: &Path| scan(args, &aeva, &onnx, &data, threads, out);
    // The first run shows which images the attacks use. It also warms the file cache.
    let first = work.path().join("first");
    scan(&first)?;
    let plan = Plan {
        model: &onnx,
        keras_model: &keras,
        data: &data,
        iterations: args.iterations,
        initial_evaluations: args.initial_evaluations,
        threads,
        attacks: attacks(&first)?,
    };
    let plan_file = work.path().join("plan.json");
    fs::write(&plan_file, serde_json::to_vec(&plan)?)?;

    let mut names = ["aeva (whole process, start-up included)".to_owned(), String::new(), String::new()];
    let mut turns: [Vec<Turn>; 3] = Default::default();
    for round in 1..=args.rounds {
        turns[0].push(scan(&work.path().join(format!("round-{round}")))?);
        for (place, tool) in [(1, "art"), (2, "keras")] {
            let out = work.path().join("out.json");
            let script = root().join("xtask").join("python").join("compare.py");
            process::run(Command::new(&python).arg(script).arg(tool).arg(&plan_file).arg(&out))?;
            let report: Report = serde_json::from_slice(&fs::read(&out)?)?;
            if report.attacks.iter().any(|attack| !attack.on_target) {
                bail!("an attack of {tool} did not end in the target label");
            }
            let count = report.attacks.len() as f64;
            turns[place].push(Turn {
                seconds_per_attack: report.attacks.iter().map(|attack| attack.seconds).sum::<f64>() / count,
                queries_per_attack: report.attacks.iter().map(|attack| attack.queries as f64).sum::<f64>() / count,
            });
            names[place] = match tool {
                "keras" => format!("one image at a time with model.predict ({})", report.tool),
                _ => report.tool,
            };
        }
        let seconds: Vec<String> =
            turns.iter().filter_map(|turns| turns.last()).map(|t| format!("{:.2}", t.seconds_per_attack)).collect();
        say(&format!("round {round}: {} seconds an attack", seconds.join(", ")));
    }
    let tools = summary(names, &turns)?;
    let table = table(&tools, args, threads);
    if let Some(out) = &args.out {
        aeva_artifact::write_atomically(out, &serde_json::to_vec_pretty(&tools)?)?;
    }
    say(&table);
    Ok(())
}

fn subject(args: &Args) -> anyhow::Result<(PathBuf, PathBuf)> {
    if let (Some(model), Some(data)) = (&args.model, &args.data) {
        return Ok((model.clone(), data.clone()));
    }
    let folder = shared_data::folder().context("there is no shared data: state --model and --data")?.join("cifar10");
    Ok((folder.join("aeva_resnet20_patch.h5"), folder.join("test_first1000.npz")))
}

/// Runs all attacks with `aeva scan` in a process of its own. The time includes loading the model and classifying the clean images.
fn scan(args: &Args, aeva: &Path, model: &Path, data: &Path, threads: usize, out: &Path) -> anyhow::Result<Turn> {
    let begin = Instant::now();
    let mut command = Command::new(aeva);
    command
        .args(["--quiet", "scan", "--lens", "perturbation"])
        .arg(model)
        .arg("--data")
        .arg(data)
        .arg("--out")
        .arg(out);
    command.args(["--samples", "1", "--targets", "0", "--json"]).arg("--sources").arg(format!("1-{}", args.attacks));
    command.arg("--iterations").arg(args.iterations.to_string()).arg("--threads").arg(threads.to_string());
    command.arg("--initial-evaluations").arg(args.initial_evaluations.to_string()).stdout(std::process::Stdio::null());
    let code = exit_code(&mut command)?;
    let seconds = begin.elapsed().as_secs_f64();
    // Some of the pairs are no basis for a verdict: inconclusive.
    if code != 3 {
        bail!("aeva scan ended with exit code {code}; expected 3");
    }
    let run = RunDir::open(out)?;
    let mut queries = 0;
    for attack in attacks(out)? {
        let pair = run
            .load(attack.source, attack.target)?
            .with_context(|| format!("{} lacks the pair {} to {}", out.display(), attack.source, attack.target))?;
        queries += pair.result.queries().total();
    }
    let count = f64::from(args.attacks);
    Ok(Turn { seconds_per_attack: seconds / count, queries_per_attack: queries as f64 / count })
}

/// The searches in a run folder.
fn attacks(run: &Path) -> anyhow::Result<Vec<Attack>> {
    let run = RunDir::open(run)?;
    let mut attacks = Vec::new();
    for (source, target) in run.stored_pairs()? {
        let Some(pair) = run.load(source, target)? else { continue };
        attacks.extend(pair.result.samples.iter().map(|sample| Attack {
            source,
            target,
            origin: sample.origin_index,
            start: sample.start_index,
        }));
    }
    Ok(attacks)
}

fn summary(names: [String; 3], turns: &[Vec<Turn>; 3]) -> anyhow::Result<Vec<Tool>> {
    let median = |values: Vec<f64>| median(&values);
    let row = |(name, own): (String, &Vec<Turn>)| -> anyhow::Result<Tool> {
        let ratios = own.iter().zip(&turns[0]).map(|(turn, ours)| turn.seconds_per_attack / ours.seconds_per_attack);
        Ok(Tool {
            name,
            turns: own.clone(),
            seconds_per_attack: median(own.iter().map(|turn| turn.seconds_per_attack).collect())?,
            queries_per_attack: median(own.iter().map(|turn| turn.queries_per_attack).collect())?,
            ratio: median(ratios.collect())?,
        })
    };
    names.into_iter().zip(turns).map(row).collect()
}

fn table(tools: &[Tool], args: &Args, threads: usize) -> String {
    let mut lines = vec![
        format!(
            "{} attacks of {} iterations with {} initial evaluations, {threads} threads, medians of {} rounds",
            args.attacks, args.iterations, args.initial_evaluations, args.rounds
        ),
        "| tool | seconds an attack | queries an attack | times aeva |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    for tool in tools {
        let Tool { name, seconds_per_attack, queries_per_attack, ratio, .. } = tool;
        lines.push(format!("| {name} | {seconds_per_attack:.2} | {queries_per_attack:.0} | {ratio:.2} |"));
    }
    lines.join("\n")
}
