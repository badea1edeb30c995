//! `cargo xtask bank FOLDER`: how often the verdict is right on models that other people made.

mod calibration;
mod exhaustive;
mod figures;
mod index;
mod judged;
mod looks;
mod scans;

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

use aeva_artifact::write_atomically;
use aeva_scan::{DecisionRule, Effort};
use anyhow::bail;
use xtask::process::{print, say};
use xtask::{demo, root};

use self::calibration::{Calibration, Scanned};
pub(crate) use self::figures::{Decided, Figures};
use self::index::{Model, Truth};
use self::judged::Judged;

pub(crate) use self::index::read as models;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of models, each with `INDEX.tsv` (docs/evaluation.md says what is in it).
    #[arg(required = true)]
    banks: Vec<PathBuf>,
    /// Folder of the scans: a folder a seed, and in it a run folder a model. Finished scans are kept, so another rule takes
    /// seconds.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Seeds of the searches: each model is scanned once a seed.
    #[arg(long = "seed", value_name = "SEED", default_values_t = [0])]
    seeds: Vec<u64>,
    /// Scan and judge only models whose names or data sets contain this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Make only the passes of a plain scan. They are fewer, but another rule may need those that are missing.
    #[arg(long)]
    plain: bool,
    /// Judge the scans that have been finished, and start none.
    #[arg(long)]
    judge_only: bool,
    /// Models that are scanned at once; one for each core if not given.
    #[arg(long, value_name = "N")]
    workers: Option<NonZero<usize>>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let out = args.out.clone().unwrap_or_else(|| root().join("target").join("bank"));
    let wanted = |model: &Model| {
        let has = |text: &String| model.name.contains(text.as_str()) || model.dataset.contains(text.as_str());
        args.only.as_ref().is_none_or(has)
    };
    let mut models: Vec<Model> = Vec::new();
    for bank in &args.banks {
        models.extend(index::read(bank)?.into_iter().filter(wanted));
    }
    let folder = |seed: u64| out.join(format!("seed-{seed}"));
    let mut scanned = Ok(());
    if !args.judge_only {
        demo::setup()?;
        let cores = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let workers = args.workers.unwrap_or_else(cores).get();
        for &seed in &args.seeds {
            let settings = scans::Settings { seed, exhaustive: !args.plain, workers };
            scanned = scanned.and(scans::scan(&models, &folder(seed), settings));
        }
    }
    let mut judged = Vec::new();
    for &seed in &args.seeds {
        let folder = folder(seed);
        let there: Vec<Model> =
            models.iter().filter(|model| folder.join(&model.name).join("report.json").is_file()).cloned().collect();
        judged.extend(judged::judge(&there, &folder, &DecisionRule::DEFAULT)?);
    }
    let (unfinished, scans): (Vec<_>, Vec<_>) = judged.into_iter().partition(|(_, one)| one.is_unfinished);
    for (_, one) in &unfinished {
        say(&format!("{}, seed {}: its scan is not finished and does not count", one.model.name, one.seed));
    }
    if scans.is_empty() {
        bail!("no model has a finished scan in {}", out.display());
    }
    let by_origin = judged::left_out(&scans, Effort::Standard, |model| &model.owner);
    for one in &by_origin {
        say(&line(one));
    }
    let by_dataset = judged::left_out(&scans, Effort::Standard, |model| &model.dataset);
    let screened = judged::left_out(&scans, Effort::Screen, |model| &model.owner);
    let clean: Vec<&Scanned> =
        scans.iter().map(|(scanned, _)| scanned).filter(|scanned| scanned.model.truth == Truth::Clean).collect();
    let looks = looks::looks(&scans, |model| &model.owner);
    let figures = Figures::new(&by_origin, &by_dataset, &screened, looks, Calibration::fit(&clean), &args.seeds);
    fs::create_dir_all(&out)?;
    write_atomically(&out.join("bank.json"), &serde_json::to_vec_pretty(&figures)?)?;
    print(&figures.markdown());
    let complete = exhaustive::of_all_passes(&scans, folder)?;
    if !complete.is_empty() {
        print(&exhaustive::beside(&by_origin, &complete));
    }
    scanned
}

/// A model in one line.
fn line(one: &Judged) -> String {
    let truth = match &one.model.truth {
        Truth::Clean => "clean".to_owned(),
        Truth::Infected { target: Some(target), attack } => format!("{attack} to label {target}"),
        Truth::Infected { target: None, attack } => format!("{attack} to all labels"),
    };
    let p_value = one.p_value.map_or_else(|| "-".to_owned(), |p_value| format!("{p_value:.4}"));
    let suspects = one.verdict.suspects();
    let wrong = one.is_flagged() != one.is_infected() || one.names_the_target() == Some(false);
    format!(
        "{}{}, seed {}: {} {suspects:?}, p = {p_value}, {} queries; it is {truth}",
        if wrong { "WRONG " } else { "" },
        one.model.name,
        one.seed,
        one.verdict.name(),
        one.queries
    )
}
