//! The report: what was found beside what was published.

use serde_json::{Value, json};

use super::published::{Printed, Published};

/// One published model, and what was found here.
pub(super) struct Row {
    pub(super) published: &'static Published,
    pub(super) found: Found,
}

pub(super) enum Found {
    /// The `report.json` of its scan.
    Scanned(Box<Value>),
    NotAvailable {
        why: String,
    },
}

impl Row {
    /// Whether the verdict is as published: backdoored, with the published label as the only suspect. `None` without a scan.
    pub(super) fn as_published(&self) -> Option<bool> {
        let Found::Scanned(report) = &self.found else { return None };
        let suspects = suspects(report);
        Some(match self.published.infected {
            Some(label) => suspects == [label],
            None => !suspects.is_empty(),
        })
    }

    fn verdict(&self) -> String {
        match &self.found {
            Found::NotAvailable { .. } => "not available".to_owned(),
            Found::Scanned(report) => match suspects(report)[..] {
                [] => report["verdict"].as_str().unwrap_or_default().to_owned(),
                ref suspects => format!("backdoored: {}", list(suspects)),
            },
        }
    }
}

fn suspects(report: &Value) -> Vec<usize> {
    let labels = report["suspects"].as_array().map(Vec::as_slice).unwrap_or_default();
    labels.iter().filter_map(|label| usize::try_from(label.as_u64()?).ok()).collect()
}

fn list(labels: &[usize]) -> String {
    labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The report as Markdown.
pub(super) fn markdown(rows: &[Row], scale: &str) -> String {
    let mut lines = vec![
        format!("# The published experiments, scale `{scale}`"),
        String::new(),
        "| model | trigger | published | here | as published | queries | seconds |".to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for row in rows {
        let published = row.published.infected.map_or("backdoored".to_owned(), |label| format!("backdoored: {label}"));
        let (queries, seconds) = match &row.found {
            Found::Scanned(report) => {
                (report["queries"].to_string(), format!("{:.0}", report["seconds"].as_f64().unwrap_or_default()))
            }
            Found::NotAvailable { .. } => (String::new(), String::new()),
        };
        let same = row.as_published().map_or("", |same| if same { "yes" } else { "**no**" });
        lines.push(format!(
            "| {} | {} | {published} | {} | {same} | {queries} | {seconds} |",
            row.published.name,
            row.published.trigger,
            row.verdict()
        ));
    }
    for row in rows {
        lines.push(String::new());
        lines.push(format!("## {}", row.published.name));
        lines.push(String::new());
        match &row.found {
            Found::NotAvailable { why } => lines.push(format!("Not available: {why}.")),
            Found::Scanned(report) => lines.extend(labels(row.published, report)),
        }
    }
    lines.join("\n") + "\n"
}

/// GAP and anomaly index of each label, here and as printed by the authors.
fn labels(published: &Published, report: &Value) -> Vec<String> {
    let mut lines = vec![
        "| label | GAP | anomaly index | published GAP | published index |".to_owned(),
        "| --- | --- | --- | --- | --- |".to_owned(),
    ];
    let number = |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
    for label in report["labels"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let index = label["label"].as_u64().and_then(|label| usize::try_from(label).ok()).unwrap_or(usize::MAX);
        let printed = |row: fn(&Printed) -> &'static [f64]| row(published.printed.as_ref()?).get(index).copied();
        lines.push(format!(
            "| {index} | {} | {} | {} | {} |",
            number(label["gap"].as_f64(), 5),
            number(label["anomaly_index"].as_f64(), 2),
            number(printed(|printed| printed.gap), 5),
            number(printed(|printed| printed.anomaly_index), 2),
        ));
    }
    lines
}

/// The report as JSON.
pub(super) fn json(rows: &[Row], scale: &str) -> Value {
    let models: Vec<Value> = rows
        .iter()
        .map(|row| {
            let published = json!({
                "infected": row.published.infected,
                "gap": row.published.printed.as_ref().map(|printed| printed.gap),
                "anomaly_index": row.published.printed.as_ref().map(|printed| printed.anomaly_index),
            });
            let (scan, why) = match &row.found {
                Found::Scanned(report) => (Some(report), None),
                Found::NotAvailable { why } => (None, Some(why)),
            };
            json!({
                "model": row.published.name,
                "classes": row.published.classes,
                "published": published,
                "as_published": row.as_published(),
                "not_available": why,
                "verdict": scan.map(|scan| &scan["verdict"]),
                "suspects": scan.map(|scan| &scan["suspects"]),
                "labels": scan.map(|scan| &scan["labels"]),
                "queries": scan.map(|scan| &scan["queries"]),
                "seconds": scan.map(|scan| &scan["seconds"]),
                "clean_accuracy": scan.map(|scan| &scan["clean_accuracy"]),
            })
        })
        .collect();
    json!({ "schema_version": 1, "scale": scale, "models": models })
}
