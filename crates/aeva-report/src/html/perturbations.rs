//! What adversarial perturbations show: GAP, anomaly index, and where they agree.

use std::fmt::Write;

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
    let labels = found.labels.len();
    let highest = found.pairs.iter().filter_map(|pair| pair.score).fold(f64::MIN_POSITIVE, f64::max);
    let side = 16;
    let width = side * labels + 60;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {width}\" style=\"max-width:{width}px\" role=\"img\" aria-label=\"Peak of the perturbations of each pair of labels\">\n"
    );
    for label in 0..labels {
        let at = 56 + side * label + side / 2;
        let _ = writeln!(
            svg,
            "<text x=\"50\" y=\"{}\" text-anchor=\"end\">{label}</text><text x=\"{at}\" y=\"50\" text-anchor=\"middle\">{label}</text>",
            at + 4
        );
    }
    for pair in &found.pairs {
        let Some(score) = pair.score else { continue };
        let _ = writeln!(
            svg,
            "<rect class=\"suspect\" fill-opacity=\"{:.3}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{} to {}: {score:.5}</title></rect>",
            (score / highest).clamp(0.0, 1.0),
            56 + side * pair.target as usize,
            56 + side * pair.source as usize,
            side - 1,
            side - 1,
            Escaped(&document.names.of(pair.source as usize)),
            Escaped(&document.names.of(pair.target as usize)),
        );
    }
    svg.push_str("<text x=\"56\" y=\"14\">to label</text><text x=\"2\" y=\"40\">from</text>\n</svg>\n");
    format!(
        "<figure><figcaption>The highest peak of each pair of labels; a column that stands out is suspicious.</figcaption>{svg}</figure>\n"
    )
}
