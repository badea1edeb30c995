//! `cargo xtask calibrate ZOO`: what the lenses show in the clean models from which the null distributions are taken.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use aeva_stats::{CombinedRule, INDEX_MEDIAN, PublishedRule, index_p_value};
use xtask::demo;
use xtask::process::{print, say};

use super::preset::{MANY_LABELS, Preset};
use super::zoo::{Split, Zoo};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the zoo (`cargo xtask train-zoo`).
    zoo: PathBuf,
    /// Seeds of the searches for triggers. Perturbations are searched with the first.
    #[arg(long, value_delimiter = ',', default_value = "0,1", value_name = "SEEDS")]
    seeds: Vec<u64>,
    /// Use the trigger lens alone, which takes minutes instead of an hour.
    #[arg(long)]
    triggers_alone: bool,
}

impl Args {
    /// Arguments for a small zoo, to see that everything works.
    pub(crate) fn small(zoo: PathBuf) -> Self {
        Self { zoo, seeds: vec![0], triggers_alone: false }
    }
}

/// What was found in all models with the same number of labels.
#[derive(Debug, Default)]
struct Group {
    /// Evidence of the triggers, and whether it is an alarm; one entry a search.
    triggers: Vec<(f64, bool)>,
    /// Highest anomaly index, one entry a model.
    indices: Vec<f64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    demo::setup()?;
    let zoo = Zoo::read(&args.zoo, |model| model.split == Split::Calibrate)?;
    let rule = CombinedRule::DEFAULT;
    let mut groups: BTreeMap<u32, Group> = BTreeMap::new();
    for (number, model) in (1..).zip(&zoo.models) {
        let group = groups.entry(model.classes).or_default();
        let mut line = format!("{number}/{}: {}", zoo.models.len(), model.name);
        for &seed in &args.seeds {
            let test = zoo.triggers(model, seed)?.under(&rule).test();
            let evidence = test.strongest.as_ref().map_or(f64::NEG_INFINITY, |strongest| strongest.standout.evidence);
            let _ = write!(line, ", seed {seed} evidence {evidence:.2}");
            group.triggers.push((evidence, test.p_value <= rule.trigger_alpha(&test.null)));
        }
        // With more labels, perturbations exceed the budget of a default scan.
        if !args.triggers_alone && model.classes < MANY_LABELS {
            let sweep = zoo.sweep(model, Preset::Quick, args.seeds.first().copied().unwrap_or_default())?;
            let (scores, _) = sweep.deepest_scores()?;
            let highest = PublishedRule::PUBLISHED.decide(&scores).highest();
            let index = highest.map_or(f64::NEG_INFINITY, |(index, _)| index);
            let _ = write!(line, ", index {index:.2}");
            group.indices.push(index);
        }
        say(&line);
    }
    print(&table(&groups, &rule));
    Ok(())
}

/// The number of values, the number of those above a point, their mean excess over it, and the largest value: the constants of a null
/// with an exponential tail are taken from these.
fn tail(values: impl Iterator<Item = f64>, above: f64) -> (usize, usize, f64, f64) {
    let values: Vec<f64> = values.collect();
    let excess: Vec<f64> = values.iter().filter(|value| **value > above).map(|value| value - above).collect();
    let mean = excess.iter().fold(0.0, |sum, value| sum + value) / excess.len().max(1) as f64;
    (values.len(), excess.len(), mean, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

fn table(groups: &BTreeMap<u32, Group>, rule: &CombinedRule) -> String {
    let mut text = "| labels | lens | scans | threshold | above it | mean excess | largest | alarms |\n".to_owned();
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (classes, group) in groups {
        let (scans, above, mean, largest) = tail(group.triggers.iter().map(|(evidence, _)| *evidence), 0.0);
        let alarms = group.triggers.iter().filter(|(_, is_alarm)| *is_alarm).count();
        let _ =
            writeln!(text, "| {classes} | triggers | {scans} | 0 | {above} | {mean:.2} | {largest:.2} | {alarms} |");
        if !group.indices.is_empty() {
            let low = INDEX_MEDIAN;
            let (scans, above, mean, largest) = tail(group.indices.iter().copied(), low);
            let alarm = |index: &&f64| {
                index_p_value(**index, *classes as usize).is_some_and(|p_value| p_value <= rule.perturbation_alpha())
            };
            let alarms = group.indices.iter().filter(alarm).count();
            let _ = writeln!(
                text,
                "| {classes} | perturbations | {scans} | {low} | {above} | {mean:.2} | {largest:.2} | {alarms} |"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_what_lies_above_the_threshold() {
        let (scans, above, mean, largest) = tail([-1.0, 3.0, 2.5, 4.0].into_iter(), 2.5);
        assert_eq!((scans, above), (4, 2));
        assert!((mean - 1.0).abs() < 1e-12 && (largest - 4.0).abs() < 1e-12);
    }
}
