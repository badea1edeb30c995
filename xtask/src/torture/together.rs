//! Several processes with the same `--out` at the same time: the same scan, and scans that must not share a folder.

use std::collections::BTreeSet;
use std::fs;

use super::artifact::Container;
use super::context::{CLEAN, Context, Recipe};
use super::findings::Findings;
use super::folder::{self, Finished};
use super::run::{Call, Ended};

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    same_scan(context, findings)?;
    two_seeds(context, findings)
}

/// Runs them at the same time.
fn together(calls: &[Call]) -> anyhow::Result<Vec<Ended>> {
    let running = calls.iter().map(Call::start).collect::<anyhow::Result<Vec<_>>>()?;
    running.into_iter().map(super::run::Running::wait).collect()
}

fn same_scan(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    for recipe in [Recipe::INFECTED_TRIGGERS, Recipe::CLEAN_TRIGGERS, Recipe::INFECTED_PAIRS] {
        let reference = context.reference(recipe)?;
        for count in 2..=4 {
            let out = context.nothing("same")?;
            let call = context.recipe(recipe, &out).limit(180);
            let ended = together(&vec![call; count])?;
            for one in &ended {
                let difference = reference.disturbance(one, &out);
                findings.check(difference.is_none(), || {
                    format!("{} x {count}: {}", recipe.name, difference.unwrap_or_default())
                });
            }
            let left = folder::temporary_files(&out).len();
            findings.check(left == 0, || format!("{} x {count}: {left} temporary files left", recipe.name));
            findings.add("same scan, processes", count);
        }
    }
    Ok(())
}

/// Two seeds in one new folder: one is refused, and all files belong to the other.
fn two_seeds(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let out = context.nothing("seeds")?;
    let data = context.data();
    let short = ["--lens", "perturbation", "--iterations", "2", "--samples", "1", "--initial-evaluations", "8"];
    let scan = |seed: &str| {
        let labels = ["--sources", "0-2", "--targets", "0-2", "--seed", seed];
        context.scan(&context.model(CLEAN), &data, &out).args(short).args(labels)
    };
    let alone = scan("1").run()?;
    let wanted = Finished::new(&alone, &out).end;
    for round in 0..15 * context.effort {
        folder::remove(&out)?;
        let ended = together(&[scan("1"), scan("2")])?;
        let finished = ended.iter().filter(|one| one.end == wanted && !one.panicked()).count();
        let refused = ended.iter().filter(|one| one.refused()).count();
        let lines: Vec<String> = ended.iter().map(Ended::line).collect();
        findings.check(finished == 1 && refused == 1, || {
            format!("two seeds, round {round}: one should end and one be refused: {}", lines.join("; "))
        });
        let seeds = seeds(&out);
        findings.check(seeds.len() == 1, || format!("two seeds, round {round}: artifacts of {seeds:?} in one folder"));
        let stats = context.aeva(["stats"]).arg(&out).run()?;
        findings.check(stats.end == wanted, || format!("two seeds, round {round}: then stats {}", stats.line()));
        findings.add("pairs of seeds", 1);
    }
    Ok(())
}

/// Seeds in the artifacts of a folder.
fn seeds(folder: &std::path::Path) -> BTreeSet<Option<u64>> {
    let artifacts = folder::files(folder).into_iter().filter(|path| folder::is_artifact(path));
    let open = |path: std::path::PathBuf| Container::open(&fs::read(path).ok()?).ok()?.seed();
    artifacts.map(open).collect()
}
