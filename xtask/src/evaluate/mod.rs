//! `cargo xtask evaluate ZOO`: how often the verdict is right on models that were made for the purpose, at what price.

mod measures;
mod report;
mod sweep;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use aeva_artifact::{sha256_hex, write_atomically};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use self::sweep::Sweep;
use crate::process::{self, say};
use crate::python::measuring_python;
use crate::{demo, root};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the zoo (`cargo xtask train-zoo`).
    zoo: PathBuf,
    /// Seed of the searches.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Models whose names contain this; the figures then say little.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Folder for `tables.md`, `evaluation.json` and `evaluation.svg`; the zoo's folder if not given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// `zoo.json`, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Zoo {
    schema_version: u32,
    models: Vec<Model>,
}

/// One model of the zoo.
#[derive(Debug, Clone, Deserialize)]
struct Model {
    name: String,
    file: String,
    sha256: String,
    data: String,
    dataset: String,
    architecture: String,
    kind: String,
    classes: u32,
    infected_labels: Vec<usize>,
    usable: bool,
    split: Split,
}

/// Models to tune on, and models to report on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Split {
    Tune,
    Report,
}

/// A model and what its scan gave at every budget.
#[derive(Debug, Clone)]
struct Evaluated {
    model: Model,
    sweep: Sweep,
}

impl Model {
    fn infected(&self) -> bool {
        self.kind != "clean"
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    demo::setup()?;
    let zoo = read_zoo(args)?;
    let cache = args.zoo.join("results");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let mut evaluated = Vec::new();
    for (number, model) in (1..).zip(&zoo) {
        let path = cache.join(format!("{}-{}-seed{}.json", model.name, &model.sha256[..12], args.seed));
        let sweep = match fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Sweep>(&text).ok()) {
            Some(sweep) if sweep.version == sweep::VERSION => sweep,
            _ => {
                let sweep = sweep::run(&args.zoo.join(&model.file), &args.zoo.join(&model.data), args.seed)
                    .with_context(|| format!("{} cannot be scanned", model.name))?;
                write_atomically(&path, &serde_json::to_vec(&sweep)?)?;
                sweep
            }
        };
        let quick = sweep.quick();
        say(&format!(
            "{number}/{}: {} index {} ({} queries, {:.0} s)",
            zoo.len(),
            model.name,
            quick.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.2}")),
            sweep.queries,
            sweep.seconds
        ));
        evaluated.push(Evaluated { model: model.clone(), sweep });
    }
    let out = args.out.as_ref().unwrap_or(&args.zoo);
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let evaluation = report::evaluation(&evaluated, args.seed);
    let json = out.join("evaluation.json");
    write_atomically(&json, &serde_json::to_vec_pretty(&evaluation)?)?;
    let table = report::markdown(&evaluation);
    write_atomically(&out.join("tables.md"), table.as_bytes())?;
    let script = root().join("xtask").join("python").join("evaluation_plot.py");
    process::run(Command::new(measuring_python()?).arg(script).arg(&json).arg(out.join("evaluation.svg")))?;
    print(&table);
    Ok(())
}

fn read_zoo(args: &Args) -> anyhow::Result<Vec<Model>> {
    let index = args.zoo.join("zoo.json");
    let text = fs::read(&index)
        .with_context(|| format!("cannot read {}; `cargo xtask train-zoo` makes a zoo", index.display()))?;
    let zoo: Zoo = serde_json::from_slice(&text).with_context(|| format!("{} is no zoo", index.display()))?;
    if zoo.schema_version != 1 {
        bail!("{} has schema_version {}, this program reads 1", index.display(), zoo.schema_version);
    }
    let wanted =
        |model: &Model| model.usable && args.only.as_ref().is_none_or(|text| model.name.contains(text.as_str()));
    let models: Vec<Model> = zoo.models.into_iter().filter(wanted).collect();
    let kinds: BTreeSet<bool> = models.iter().map(Model::infected).collect();
    if kinds.len() < 2 {
        bail!("{} has no usable models of both kinds, clean and infected", args.zoo.display());
    }
    for model in &models {
        let path = args.zoo.join(&model.file);
        let found = sha256_hex(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        if found != model.sha256 {
            bail!("{} has SHA-256 {found}, {} says {}", path.display(), index.display(), model.sha256);
        }
    }
    Ok(models)
}

#[expect(clippy::print_stdout, reason = "programs print")]
fn print(text: &str) {
    println!("{text}");
}
