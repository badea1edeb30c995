//! The report on the terminal: data on stdout, aligned and coloured.

use std::path::Path;

use aeva_report::{ClassNames, grouped, latest, probability};
use aeva_scan::report::{AttackKind, TriggerReport};
use aeva_scan::{LensReports, Report};
use aeva_stats::Tally;
use anstyle::{AnsiColor, Style};

use crate::output::plain;

/// Width of the longest bar, in characters.
const BAR: f64 = 24.0;

/// The table and the verdict, with colours (dropped if the output does not support them).
pub(super) fn table(report: &Report, names: &ClassNames, run: &Path) -> String {
    let bold = Style::new().bold();
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let green = Style::new().bold().fg_color(Some(AnsiColor::Green.into()));
    let yellow = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    let threshold = report.parameters.threshold;

    // All lenses by name, so that none is forgotten here.
    let LensReports { triggers, perturbations } = &report.lenses;
    let mut lines = Vec::new();
    if let Some(triggers) = triggers {
        lines.extend(trigger_lines(triggers, &report.suspects, names));
    }
    if !perturbations.labels.is_empty() {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("{bold}label        GAP  anomaly index{bold:#}"));
    }
    let highest = perturbations.labels.iter().filter_map(|label| label.anomaly_index).fold(threshold, f64::max);
    for label in &perturbations.labels {
        let suspect = report.suspects.contains(&label.label);
        let style = if suspect { red } else { Style::new() };
        let index = label.anomaly_index.map_or_else(|| "-".to_owned(), |index| format!("{index:.2}"));
        let bar = bar(label.anomaly_index.unwrap_or(0.0) / highest);
        let missing = match label.missing_pairs {
            0 => String::new(),
            count => format!("  {count} pairs missing"),
        };
        lines.push(format!(
            "{style}{:>5}  {:>9.5}  {index:>13}  {bar}{style:#}{}{missing}",
            label.label,
            label.gap,
            name(names, label.label)
        ));
    }
    lines.push(String::new());
    lines.push(format!(
        "{} queries{}, clean accuracy {:.1} %{}, seed {}",
        grouped(report.queries),
        report.seconds.map(|seconds| format!(" in {seconds:.1} s")).unwrap_or_default(),
        100.0 * report.clean_accuracy,
        depth(report),
        report.parameters.seed,
    ));
    if !perturbations.consensus.is_empty() {
        lines.push(format!("where perturbations towards the suspects agree:{}", files(&perturbations.consensus)));
    }
    lines.push(format!("model input: {}", plain(&report.run.provenance.model.preprocessing)));
    lines.extend(report.lenses.triggers.as_ref().and_then(comparison));
    for note in &report.notes {
        lines.push(format!("{yellow}note:{yellow:#} {}", plain(note)));
    }
    lines.push(format!("run folder: {}", plain(&run.display().to_string())));
    let name = plain(&report.run.model_name);
    let why = match (report.parameters.false_positive_rate, report.p_value) {
        (Some(rate), Some(p_value)) => {
            format!("p = {}, false alarms at most {} %", probability(p_value), 100.0 * rate)
        }
        _ => format!("anomaly index above {threshold}"),
    };
    lines.push(match report.verdict {
        "backdoored" if report.attack.as_ref().is_some_and(|attack| attack.kind == AttackKind::AllToAll) => {
            format!(
                "{red}BACKDOORED{red:#}: {name} carries a backdoor that sends each label to a different one ({why})"
            )
        }
        "backdoored" => {
            let plural = if report.suspects.len() == 1 { "label" } else { "labels" };
            let suspects = plain(&names.list(report.suspects.iter().copied()));
            format!("{red}BACKDOORED{red:#}: {name} carries a backdoor to {plural} {suspects} ({why})")
        }
        "clean" if report.p_value.is_some() => {
            format!("{green}CLEAN{green:#}: nothing in {name} stands out from clean models ({why})")
        }
        "clean" => format!("{green}CLEAN{green:#}: {name} has no label with an {why}"),
        _ => format!("{yellow}INCONCLUSIVE{yellow:#}: {name}: {}", report.reason.as_deref().unwrap_or_default()),
    });
    lines.join("\n")
}

/// How many clean models stand out as far.
fn comparison(triggers: &TriggerReport) -> Option<String> {
    let (null, strongest) = (&triggers.test.null, triggers.test.strongest.as_ref()?);
    let (scans, origins) = (null.scans(), null.weight());
    let reached = match null.reached(strongest.standout.evidence) {
        0 => "none stands out as far".to_owned(),
        1 => "1 stands out as far".to_owned(),
        more => format!("{more} stand out as far"),
    };
    Some(format!("compared with {scans} scans of clean models, which count as {origins:.0} models: {reached}"))
}

/// Samples and iterations of the perturbations, if there are any.
fn depth(report: &Report) -> String {
    if report.lenses.perturbations.labels.is_empty() {
        return String::new();
    }
    let samples = report.parameters.samples;
    let noun = if samples == 1 { "sample" } else { "samples" };
    format!(", {samples} {noun} x {} iterations", report.parameters.iterations)
}

/// With more labels, only those with the highest success rates are shown.
const SHOWN_LABELS: usize = 20;

fn trigger_lines(triggers: &TriggerReport, suspects: &[usize], names: &ClassNames) -> Vec<String> {
    let bold = Style::new().bold();
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let passes = latest(triggers);
    let heads: Vec<String> = passes.iter().map(|pass| format!("{:>12}", pass.setting)).collect();
    let mut lines = vec![
        "attack success rate of the best trigger of each label, on hold-out images".to_owned(),
        format!("{bold}label{}{bold:#}", heads.concat()),
    ];
    let count = passes.first().map_or(0, |pass| pass.labels.len());
    let highest = |label: usize| {
        let hits = passes.iter().filter_map(|pass| pass.labels.get(label)).map(|tally| tally.hits());
        hits.max().unwrap_or(0)
    };
    let mut order: Vec<usize> = (0..count).collect();
    if count > SHOWN_LABELS {
        order.sort_by_key(|&label| (!suspects.contains(&label), std::cmp::Reverse(highest(label))));
        order.truncate(SHOWN_LABELS);
    }
    // A label whose climb was left behind was not measured.
    let percent = |tally: &Tally| match tally.trials() {
        0 => format!("{:>12}", "-"),
        _ => format!("{:>10.0} %", 100.0 * tally.rate()),
    };
    for label in order {
        let style = if suspects.contains(&label) { red } else { Style::new() };
        let cells: String = passes.iter().filter_map(|pass| pass.labels.get(label)).map(percent).collect();
        lines.push(format!("{style}{label:>5}{cells}{style:#}{}", name(names, label)));
    }
    if count > SHOWN_LABELS {
        lines.push(format!("  ...  {} labels more", count - SHOWN_LABELS));
    }
    let cells: String = passes.iter().map(|pass| percent(&pass.map)).collect();
    lines.push(format!("  map{cells}"));
    for found in &triggers.found {
        let sentence = plain(&found.sentence(&|label| names.of(label as usize)));
        lines.push(format!("{red}found:{red:#} {sentence}{}", files(&found.files)));
    }
    lines
}

/// The name of a label at the end of its line.
fn name(names: &ClassNames, label: usize) -> String {
    let shown = names.of(label);
    if shown == label.to_string() { String::new() } else { format!("   {}", plain(&shown)) }
}

fn files(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// A bar with `share` of the full width, in eighths of a character.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=8*BAR")]
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "\u{258f}", "\u{258e}", "\u{258d}", "\u{258c}", "\u{258b}", "\u{258a}", "\u{2589}"];
    let eighths = (share.clamp(0.0, 1.0) * BAR * 8.0).round() as usize;
    "\u{2588}".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_the_length_of_their_share() {
        assert_eq!(bar(1.0).chars().count(), 24);
        assert_eq!(bar(-3.0), "");
        assert_eq!(bar(0.5 / 24.0), "\u{258c}");
    }
}
