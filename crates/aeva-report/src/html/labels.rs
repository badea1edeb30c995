//! How far triggers get towards each label, by kind and strength.

use std::fmt::Write;

use aeva_scan::report::PassReport;

use super::chart::{Bar, bars};
use crate::document::{Document, latest, percent};
use crate::text::{Escaped, capital};

/// Labels of a chart. Only those that a search climbed for are measured.
const SHOWN: usize = 8;

pub(super) fn section(document: &Document<'_>) -> String {
    let Some(triggers) = &document.report.lenses.triggers else { return String::new() };
    let passes = latest(triggers);
    if passes.is_empty() {
        return String::new();
    }
    let mut text = "<h2 id=\"labels\">How far triggers get</h2>\n<p class=\"soft\">The attack success rate of the best trigger of each kind and strength, on hold-out images, for the labels that come furthest. In a clean model, several labels are about as easy to reach; a label far ahead of all others is suspicious.</p>\n<div class=\"multiples\">\n".to_owned();
    for pass in passes {
        let mut rates: Vec<(usize, f64)> = pass
            .labels
            .iter()
            .enumerate()
            .filter(|(_, tally)| tally.trials() > 0)
            .map(|(label, tally)| (label, tally.rate()))
            .collect();
        rates.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        rates.truncate(SHOWN);
        let bar = |&(label, rate): &(usize, f64)| Bar {
            name: document.names.of(label),
            share: rate,
            text: percent(rate),
            is_suspect: document.report.suspects.contains(&label),
        };
        let title = capital(&title(pass));
        let chart = bars(&title, &rates.iter().map(bar).collect::<Vec<Bar>>());
        let _ = writeln!(text, "<figure><figcaption>{}</figcaption>{chart}</figure>", Escaped(&title));
    }
    text.push_str("</div>\n");
    text
}

fn title(pass: &PassReport) -> String {
    let spec = pass.family.spec();
    let again = if pass.pass == "refine" { ", searched again" } else { "" };
    format!("{}, strength {}{again}", spec.shown_as, pass.strength)
}
