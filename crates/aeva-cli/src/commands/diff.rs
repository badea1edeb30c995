//! `aeva diff BEFORE AFTER`: what two scans say of two models, such as two deliveries of one.

use std::collections::BTreeSet;

use aeva_scan::Report;
use aeva_stats::Tally;
use serde::Serialize;

use super::judge::{Judged, judge_folder};
use crate::args::DiffArgs;
use crate::exit::ExitStatus;
use crate::output::{plain, show};

/// Success rates that differ by less than this are the same.
const SHOWN: f64 = 0.1;

pub(crate) fn run(args: &DiffArgs) -> anyhow::Result<ExitStatus> {
    let before = judge_folder(&args.before, args.effort)?;
    let after = judge_folder(&args.after, args.effort)?;
    let difference = Difference::new(&before.report, &after.report);
    show(&if args.json {
        serde_json::to_string_pretty(&difference)?
    } else {
        plain(&difference.text(&before, &after))
    })?;
    // A change for the worse fails a pipeline.
    Ok(if difference.is_worse { ExitStatus::of(&after.verdict, args.fail_on) } else { ExitStatus::Success })
}

/// What differs between two reports.
#[derive(Debug, PartialEq, Serialize)]
struct Difference {
    is_same_model: bool,
    is_same_data: bool,
    verdicts: [&'static str; 2],
    /// Whether the second verdict is worse: backdoored is worse than inconclusive, and that is worse than clean. New
    /// suspects are worse, too.
    is_worse: bool,
    new_suspects: Vec<usize>,
    gone_suspects: Vec<usize>,
    /// The largest evidence of the triggers.
    evidence: [Option<f64>; 2],
    clean_accuracy: [f64; 2],
    /// Success rates that moved, of labels in passes that both scans made.
    rates: Vec<Moved>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Moved {
    setting: String,
    label: usize,
    rates: [f64; 2],
}

impl Difference {
    fn new(before: &Report, after: &Report) -> Self {
        let suspects = |report: &Report| report.suspects.iter().copied().collect::<BTreeSet<usize>>();
        let (old, new) = (suspects(before), suspects(after));
        let new_suspects: Vec<usize> = new.difference(&old).copied().collect();
        let severity = |report: &Report| match report.verdict {
            "clean" => 0,
            "backdoored" => 2,
            _ => 1,
        };
        let of = |report: &Report| {
            let strongest = report.lenses.triggers.as_ref()?.test.strongest.as_ref()?;
            Some(strongest.standout.evidence)
        };
        let (one, other) = (&before.run.provenance, &after.run.provenance);
        Self {
            is_same_model: one.model.sha256 == other.model.sha256,
            is_same_data: one.data.sha256 == other.data.sha256,
            verdicts: [before.verdict, after.verdict],
            is_worse: severity(after) > severity(before) || !new_suspects.is_empty(),
            gone_suspects: old.difference(&new).copied().collect(),
            new_suspects,
            evidence: [of(before), of(after)],
            clean_accuracy: [before.clean_accuracy, after.clean_accuracy],
            rates: moved(before, after),
        }
    }

    fn text(&self, before: &Judged, after: &Judged) -> String {
        let mut lines = Vec::new();
        let name = |judged: &Judged| judged.report.run.model_name.clone();
        let alike = |is_same: bool| if is_same { "the same" } else { "another" };
        lines.push(format!("before: {}, {}", name(before), self.verdicts[0]));
        lines.push(format!(
            "after:  {}, {} ({} model, {} data)",
            name(after),
            self.verdicts[1],
            alike(self.is_same_model),
            alike(self.is_same_data)
        ));
        let [old, new] = self.clean_accuracy.map(|share| 100.0 * share);
        lines.push(format!("clean accuracy: {old:.1} % -> {new:.1} %"));
        let [old, new] = self.evidence.map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}")));
        lines.push(format!("evidence of triggers: {old} -> {new}"));
        if !self.new_suspects.is_empty() {
            lines.push(format!("new suspects: {}", after.names.list(self.new_suspects.iter().copied())));
        }
        if !self.gone_suspects.is_empty() {
            lines.push(format!("no longer suspects: {}", before.names.list(self.gone_suspects.iter().copied())));
        }
        for Moved { setting, label, rates: [old, new] } in &self.rates {
            lines.push(format!(
                "label {}, {setting}: {:.0} % -> {:.0} %",
                after.names.of(*label),
                100.0 * old,
                100.0 * new
            ));
        }
        let word = if self.is_worse { "WORSE" } else { "NOT WORSE" };
        lines.push(format!("{word}: {} -> {}", self.verdicts[0], self.verdicts[1]));
        lines.join("\n")
    }
}

/// The labels whose success rates differ, the largest change first.
fn moved(before: &Report, after: &Report) -> Vec<Moved> {
    let passes =
        |report: &Report| report.lenses.triggers.iter().flat_map(|found| found.passes.clone()).collect::<Vec<_>>();
    let (before, after) = (passes(before), passes(after));
    let mut moved = Vec::new();
    for old in &before {
        let same = after.iter().find(|new| (&new.setting, new.pass) == (&old.setting, old.pass));
        let Some(new) = same else { continue };
        let is_measured = |(one, other): &(&Tally, &Tally)| one.trials() > 0 && other.trials() > 0;
        for (label, (one, other)) in
            old.labels.iter().zip(&new.labels).enumerate().filter(|(_, both)| is_measured(both))
        {
            let rates = [one.rate(), other.rate()];
            if (rates[0] - rates[1]).abs() >= SHOWN {
                moved.push(Moved { setting: new.setting.clone(), label, rates });
            }
        }
    }
    let change = |moved: &Moved| (moved.rates[0] - moved.rates[1]).abs();
    moved.sort_by(|a, b| change(b).total_cmp(&change(a)));
    moved
}
