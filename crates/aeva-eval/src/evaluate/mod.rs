//! `cargo xtask evaluate ZOO`: how often the verdict is right on a zoo of models of known truth, and how many queries it takes.

mod against;
pub(crate) mod calibrate;
pub(crate) mod measures;
mod preset;
mod report;
mod rules;
mod triggers;
mod zoo;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use aeva_artifact::write_atomically;
use anyhow::{Context, bail};
use xtask::process::{self, print, say};
use xtask::python::measuring_python;
use xtask::{demo, root};

use self::preset::{Budget, PARTS, Preset};
pub(crate) use self::report::Evaluation;
use self::rules::{Judged, Rule, combined};
use self::triggers::Triggers;
use self::zoo::{Model, Split, Zoo};
use crate::sweep::Sweep;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the zoo (`cargo xtask train-zoo`).
    zoo: PathBuf,
    /// Seed of the searches.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Evaluate only models whose names contain this. The figures then say little.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Data sets whose models are also scanned with the published parameters: 50 iterations and 100 initial evaluations, but one
    /// sample for each pair, where the paper has 40. This takes minutes a model, and hours for 43 labels.
    #[arg(long, value_delimiter = ',', value_name = "DATASETS")]
    published: Vec<String>,
    /// An earlier `evaluation.json` to compare with: prints which figures of this run lie within its intervals.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Do not draw the plot, which needs additional Python packages.
    #[arg(long)]
    no_plot: bool,
    /// Folder for `tables.md`, `evaluation.json` and `evaluation.svg`; the zoo's folder if not given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Args {
    /// Arguments for a small zoo, to see that everything works.
    pub(crate) fn small(zoo: PathBuf) -> Self {
        Self { zoo, seed: 0, only: None, published: Vec::new(), against: None, no_plot: true, out: None }
    }
}

/// A model, and what each rule says of it at every budget.
#[derive(Debug, Clone)]
struct Evaluated {
    model: Model,
    /// Of the search for perturbations with the quick preset.
    seconds: f64,
    /// Of all passes over triggers.
    trigger_seconds: f64,
    judged: Vec<(Rule, Budget, Judged)>,
}

impl Evaluated {
    /// What a rule says at a budget, or with the samples that there are; `None` if the model was not scanned with that preset.
    fn at(&self, rule: Rule, budget: Budget) -> Option<&Judged> {
        let same = |of: Budget| of.preset == budget.preset && of.part == budget.part && of.samples <= budget.samples;
        let found = self.judged.iter().filter(|(by, of, _)| *by == rule && same(*of));
        found.max_by_key(|(_, of, _)| of.samples).map(|(_, _, judged)| judged)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    measured(args).map(drop)
}

/// Runs the evaluation; the AUC of each kind of attack.
pub(crate) fn measured(args: &Args) -> anyhow::Result<BTreeMap<String, Option<f64>>> {
    demo::setup()?;
    let wanted = |model: &Model| {
        model.split != Split::Calibrate && args.only.as_ref().is_none_or(|text| model.name.contains(text.as_str()))
    };
    let zoo = Zoo::read(&args.zoo, wanted)?;
    let kinds: BTreeSet<bool> = zoo.models.iter().map(Model::infected).collect();
    if kinds.len() < 2 {
        bail!("{} must have usable models of both kinds, clean and infected", args.zoo.display());
    }
    let mut evaluated = Vec::new();
    for (number, model) in (1..).zip(&zoo.models) {
        let mut sweeps = BTreeMap::new();
        sweeps.insert(Preset::Quick, zoo.sweep(model, Preset::Quick, args.seed)?);
        if args.published.contains(&model.dataset) {
            sweeps.insert(Preset::Published, zoo.sweep(model, Preset::Published, args.seed)?);
        }
        let evaluation = judged(model, &sweeps, &zoo.triggers(model, args.seed)?)?;
        let index = evaluation.at(Rule::Published, Budget::QUICK).and_then(|judged| judged.score);
        say(&format!(
            "{number}/{}: {}, anomaly index {}, combined score {}",
            zoo.models.len(),
            model.name,
            number_of(index),
            number_of(evaluation.at(Rule::Combined, Budget::QUICK).and_then(|judged| judged.score)),
        ));
        evaluated.push(evaluation);
    }
    let out = args.out.as_ref().unwrap_or(&args.zoo);
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let evaluation = report::evaluation(&evaluated, args.seed);
    let json = out.join("evaluation.json");
    let text = serde_json::to_vec_pretty(&evaluation)?;
    let against = args.against.as_ref().map(|path| against::compared(&text, path)).transpose()?;
    write_atomically(&json, &text)?;
    let table = evaluation.markdown();
    write_atomically(&out.join("tables.md"), table.as_bytes())?;
    if !args.no_plot {
        let script = root().join("xtask").join("python").join("evaluation_plot.py");
        process::run(Command::new(measuring_python()?).arg(script).arg(&json).arg(out.join("evaluation.svg")))?;
    }
    print(&table);
    if let Some(text) = against {
        print(&text);
    }
    Ok(evaluation.auc_by_kind())
}

fn number_of(score: Option<f64>) -> String {
    score.map_or_else(|| "-".to_owned(), |score| format!("{score:.2}"))
}

fn judged(model: &Model, sweeps: &BTreeMap<Preset, Sweep>, triggers: &Triggers) -> anyhow::Result<Evaluated> {
    let mut judged = Vec::new();
    for (&preset, sweep) in sweeps {
        for (samples, part) in (1..=sweep.samples).flat_map(|samples| (0..PARTS.len()).map(move |part| (samples, part)))
        {
            for rule in Rule::OF_PERTURBATIONS {
                judged.push((rule, Budget { preset, samples, part }, rule.judge(sweep, samples, part)?));
            }
        }
    }
    let quick = sweeps.get(&Preset::Quick).context("the model was not scanned with the quick preset")?;
    judged.push((Rule::Combined, Budget::QUICK, combined(triggers, quick)?));
    Ok(Evaluated { model: model.clone(), seconds: quick.seconds, trigger_seconds: triggers.seconds, judged })
}
