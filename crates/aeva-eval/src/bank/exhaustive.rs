//! What the passes that a standard scan leaves out would change: the verdicts of exhaustive scans beside those of standard ones.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use aeva_artifact::RunDir;
use aeva_scan::{DecisionRule, Effort, Observations};
use aeva_stats::CombinedRule;
use anyhow::Context;

use super::calibration::Scanned;
use super::judged::{Judged, left_out};

/// The scans that have all passes, with these in place of those of a standard scan. `folder` is the folder of the scans of a seed.
///
/// # Errors
/// When a run folder cannot be used.
pub(super) fn of_all_passes(
    scans: &[(Scanned, Judged)],
    folder: impl Fn(u64) -> std::path::PathBuf,
) -> anyhow::Result<Vec<(Scanned, Judged)>> {
    let mut complete = Vec::new();
    for (scanned, judged) in scans {
        let folder = folder(judged.seed).join(&judged.model.name);
        if let Some((passes, queries)) = passes(&folder).with_context(|| format!("cannot use {}", folder.display()))? {
            complete.push((Scanned { passes, ..scanned.clone() }, Judged { queries, ..judged.clone() }));
        }
    }
    Ok(complete)
}

fn passes(folder: &Path) -> anyhow::Result<Option<(Vec<aeva_stats::PassTally>, u64)>> {
    let run = RunDir::open(folder)?;
    let info = run.info();
    let correct: Vec<usize> = info.clean_correct.iter().map(|&count| count as usize).collect();
    let rule = DecisionRule::of_effort(CombinedRule::DEFAULT, Effort::Exhaustive);
    let seen = Observations::of_store(&run, info.provenance.model.classes, &correct, &rule)?;
    let passes = seen.triggers.map(|triggers| triggers.passes).filter(|passes| passes.left.is_none());
    Ok(passes.map(|passes| (passes.tallies(), info.clean_queries.saturating_add(passes.queries()))))
}

/// The verdicts of both efforts as a table, and the scans whose verdict turns.
pub(super) fn beside(standard: &[Judged], complete: &[(Scanned, Judged)]) -> String {
    let exhaustive = left_out(complete, Effort::Standard, |model| &model.owner);
    let key = |one: &Judged| (one.model.name.clone(), one.seed);
    let of: BTreeMap<_, &Judged> = standard.iter().map(|one| (key(one), one)).collect();
    let pairs: Vec<(&Judged, &Judged)> =
        exhaustive.iter().filter_map(|all| of.get(&key(all)).map(|standard| (*standard, all))).collect();
    let mut text = format!(
        "{} scans with all passes\n\n| effort | infected, called backdoored | clean, called backdoored | queries of infected models | of clean ones |\n| --- | --- | --- | --- | --- |\n",
        pairs.len()
    );
    for (name, take) in [("standard", 0), ("exhaustive", 1)] {
        let one = |pair: &(&Judged, &Judged)| if take == 0 { pair.0.clone() } else { pair.1.clone() };
        let (infected, clean): (Vec<Judged>, Vec<Judged>) = pairs.iter().map(one).partition(Judged::is_infected);
        let flagged =
            |all: &[Judged]| format!("{} of {}", all.iter().filter(|one| one.is_flagged()).count(), all.len());
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} | {} |",
            flagged(&infected),
            flagged(&clean),
            median(&infected),
            median(&clean)
        );
    }
    let turned = |from: bool, to: bool| {
        let all = pairs.iter().filter(|(standard, _)| standard.is_flagged() == from);
        let turned = all.clone().filter(|(_, exhaustive)| exhaustive.is_flagged() == to).count();
        format!("{turned} of {}", all.count())
    };
    let _ = writeln!(
        text,
        "\nno alarm of a standard scan, but one of an exhaustive scan: {}; the other way round: {}",
        turned(false, true),
        turned(true, false)
    );
    for (standard, exhaustive) in pairs.iter().filter(|(one, other)| one.is_flagged() != other.is_flagged()) {
        let p_value = |one: &Judged| one.p_value.map_or_else(|| "-".to_owned(), |p_value| format!("{p_value:.4}"));
        let _ = writeln!(
            text,
            "{}, seed {} ({}): p = {} and then {}",
            standard.model.name,
            standard.seed,
            if standard.is_infected() { "infected" } else { "clean" },
            p_value(standard),
            p_value(exhaustive)
        );
    }
    text
}

/// The median of the queries, as text.
fn median(scans: &[Judged]) -> String {
    let mut queries: Vec<u64> = scans.iter().map(|one| one.queries).collect();
    queries.sort_unstable();
    queries.get(queries.len() / 2).map_or_else(|| "-".to_owned(), ToString::to_string)
}
