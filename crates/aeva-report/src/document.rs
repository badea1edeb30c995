//! What a report shows, whatever its format.

use std::collections::BTreeMap;

use aeva_scan::Report;
use aeva_scan::report::{AttackKind, FoundTrigger, PassReport, TriggerReport};

use crate::examples::Examples;
use crate::names::ClassNames;

/// A report with what makes it readable.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// What a scan found.
    pub report: &'a Report,
    /// The names of the labels.
    pub names: &'a ClassNames,
    /// What the triggers do to images.
    pub examples: &'a Examples,
    /// Other pictures of the run folder.
    pub pictures: &'a [Picture],
    /// The program and its version.
    pub program: &'a str,
}

/// A picture of the run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its name, as the report has it.
    pub name: String,
    /// The PNG file.
    pub png: Vec<u8>,
}

impl Document<'_> {
    /// What a trigger does, with the names of the labels.
    pub(crate) fn sentence(&self, found: &FoundTrigger) -> String {
        found.sentence(&|label| self.names.of(label as usize))
    }

    /// The verdict in one sentence.
    pub(crate) fn verdict(&self) -> String {
        let Self { report, names, .. } = self;
        let model = &report.run.model_name;
        match report.verdict {
            "backdoored" if report.attack.as_ref().is_some_and(|attack| attack.kind == AttackKind::AllToAll) => {
                format!("{model} carries a backdoor that sends each label to a different one.")
            }
            "backdoored" => {
                let noun = if report.suspects.len() == 1 { "label" } else { "labels" };
                let from = report.attack.as_ref().and_then(|attack| attack.source);
                let from = from.map_or_else(String::new, |label| format!(", from label {}", names.of(label as usize)));
                format!("{model} carries a backdoor to {noun} {}{from}.", names.list(report.suspects.iter().copied()))
            }
            "clean" => format!("Nothing in {model} stands out from clean models."),
            _ => format!("No verdict on {model}: {}.", report.reason.as_deref().unwrap_or("nothing was measured")),
        }
    }

    /// What the verdict rests on, in sentences.
    pub(crate) fn grounds(&self) -> Vec<String> {
        let report = self.report;
        let mut grounds = Vec::new();
        if let (Some(p_value), Some(rate)) = (report.p_value, report.parameters.false_positive_rate) {
            grounds.push(format!(
                "The p-value is {}: the share of clean models that look like this. An alarm takes a small one, so that at most {} of clean models are called backdoored.",
                probability(p_value),
                percent(rate)
            ));
        } else {
            grounds.push(format!(
                "A label counts as infected if its anomaly index is above {}.",
                report.parameters.threshold
            ));
        }
        if let Some(test) = report.lenses.triggers.as_ref().map(|triggers| &triggers.test) {
            let reached = test.strongest.as_ref().map_or(0, |strongest| test.null.reached(strongest.standout.evidence));
            let reached = match reached {
                0 => "none of them stands out as far".to_owned(),
                1 => "one of them stands out as far".to_owned(),
                more => format!("{more} of them stand out as far"),
            };
            grounds.push(format!(
                "It was compared with {} scans of clean models, which count as {:.0} models: {reached}.",
                test.null.scans(),
                test.null.weight()
            ));
        }
        grounds.push(format!(
            "The model was asked {} times; it was right on {} of the clean images.",
            grouped(report.queries),
            percent(report.clean_accuracy)
        ));
        grounds
    }
}

/// A share in per cent.
pub(crate) fn percent(share: f64) -> String {
    let hundred = 100.0 * share;
    if hundred > 0.0 && hundred < 1.0 { format!("{hundred:.1} %") } else { format!("{hundred:.0} %") }
}

/// A probability with two significant digits.
pub fn probability(p_value: f64) -> String {
    if p_value >= 0.001 { format!("{p_value:.3}") } else { format!("{p_value:.0e}") }
}

/// A number with separated thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// The last pass over each setting, from weak to strong, without those that only measure pairs of labels.
pub fn latest(triggers: &TriggerReport) -> Vec<&PassReport> {
    let about_labels = triggers.passes.iter().filter(|pass| pass.labels.iter().any(|tally| tally.trials() > 0));
    let passes: BTreeMap<_, _> = about_labels.map(|pass| ((pass.family, pass.strength), pass)).collect();
    passes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (89_532_000, "89 532 000")] {
            assert_eq!(grouped(number), text);
        }
    }
}
