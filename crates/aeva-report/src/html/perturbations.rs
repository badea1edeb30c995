//! What adversarial perturbations show: GAP, anomaly index, and where they agree.

use std::fmt::Write;

use aeva_scan::report::PairSummary;

use super::chart::{Cell, heat_map};
use crate::document::Document;
use crate::examples::base64;
use crate::text::Escaped;

/// With more labels, the matrix of pairs would be too small to read.
const MOST_IN_MATRIX: usize = 50;

pub(super) fn section(document: &Document<'_>) -> String {
    let found = &document.report.lenses.perturbations;
    if found.labels.is_empty() {
        return String::new();
    }
    let threshold = document.report.parameters.threshold;
    let mut text = format!(
        "<h2 id=\"perturbations\">Adversarial perturbations</h2>\n<p>The Global Adversarial Peak (GAP) of a label says how sharp the peaks of the perturbations towards it are. Its anomaly index is the distance from the median of all labels, in median absolute deviations. The published rule takes an index above {threshold} for a backdoor.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">label</th><th scope=\"col\" class=\"number\">GAP</th><th scope=\"col\" class=\"number\">anomaly index</th></tr></thead>\n<tbody>\n"
    );
    for label in &found.labels {
        let class = if document.report.suspects.contains(&label.label) { " class=\"suspect\"" } else { "" };
        let index = label.anomaly_index.map_or_else(|| "-".to_owned(), |index| format!("{index:.2}"));
        let _ = writeln!(
            text,
            "<tr{class}><th scope=\"row\">{}</th><td class=\"number\">{:.5}</td><td class=\"number\">{index}</td></tr>",
            Escaped(&document.names.of(label.label)),
            label.gap
        );
    }
    text.push_str("</tbody></table></div>\n");
    if found.labels.len() <= MOST_IN_MATRIX {
        text.push_str(&matrix(document));
    }
    for picture in document.pictures.iter().filter(|picture| found.consensus.contains(&picture.name)) {
        let _ = writeln!(
            text,
            "<div class=\"images\"><figure><img src=\"data:image/png;base64,{}\" alt=\"Where perturbations agree\"><figcaption>{}: where the perturbations towards the label agree, brighter is more.</figcaption></figure></div>",
            base64(&picture.png),
            Escaped(&picture.name)
        );
    }
    text
}

/// The score of each pair: rows are sources, columns targets.
fn matrix(document: &Document<'_>) -> String {
    let found = &document.report.lenses.perturbations;
    let highest = found.pairs.iter().filter_map(|pair| pair.score).fold(f64::MIN_POSITIVE, f64::max);
    let cell = |pair: &PairSummary| {
        let (source, target, score) = (pair.source as usize, pair.target as usize, pair.score?);
        Some(Cell { source, target, share: score / highest, text: format!("{score:.5}") })
    };
    let cells: Vec<Cell> = found.pairs.iter().filter_map(cell).collect();
    let labels: Vec<usize> = (0..found.labels.len()).collect();
    let svg = heat_map("Peak of the perturbations of each pair of labels", &labels, &cells, document.names);
    format!(
        "<figure><figcaption>The highest peak of each pair of labels; a column that stands out is suspicious.</figcaption>{svg}</figure>\n"
    )
}
