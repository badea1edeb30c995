//! From which labels to which ones triggers get.

use std::collections::BTreeSet;

use aeva_stats::PairTally;

use super::chart::{Cell, heat_map};
use crate::document::{Document, percent};

/// Most labels of the map. Of more, those of the pairs that come furthest are shown.
const SHOWN: usize = 24;

pub(super) fn section(document: &Document<'_>) -> String {
    let Some(triggers) = &document.report.lenses.triggers else { return String::new() };
    if triggers.pairs.is_empty() {
        return String::new();
    }
    let labels = shown(&triggers.pairs, document.report.run.provenance.model.classes as usize);
    let cell = |pair: &PairTally| Cell {
        source: pair.source as usize,
        target: pair.target as usize,
        share: pair.tally.rate(),
        text: format!("{} ({} of {} images)", percent(pair.tally.rate()), pair.tally.hits(), pair.tally.trials()),
    };
    let cells: Vec<Cell> = triggers.pairs.iter().map(cell).collect();
    let map = heat_map("Success of the best trigger of each pair of labels", &labels, &cells, document.names);
    let few = if labels.len() < document.report.run.provenance.model.classes as usize {
        format!(" Only the {} labels of the pairs that come furthest are shown.", labels.len())
    } else {
        String::new()
    };
    format!(
        "<h2 id=\"pairs\">From which labels to which</h2>\n<p class=\"soft\">For each pair of labels, the success of the trigger that gets furthest on hold-out images. A full column is a backdoor that works from everywhere; one dark cell in a light column may be a source-specific one; a cell in each row may be one that sends each label to another. Empty cells are below 10 % or were not measured.{few}</p>\n<figure>{map}</figure>\n"
    )
}

/// The labels of the map, in order.
fn shown(pairs: &[PairTally], classes: usize) -> Vec<usize> {
    if classes <= SHOWN {
        return (0..classes).collect();
    }
    let mut furthest: Vec<&PairTally> = pairs.iter().collect();
    furthest.sort_by(|a, b| {
        b.tally.rate().total_cmp(&a.tally.rate()).then((a.target, a.source).cmp(&(b.target, b.source)))
    });
    let mut labels = BTreeSet::new();
    for pair in furthest {
        let both = [pair.source as usize, pair.target as usize];
        let new = both.iter().filter(|label| !labels.contains(*label)).count();
        if labels.len() + new <= SHOWN {
            labels.extend(both);
        }
    }
    labels.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use aeva_stats::Tally;

    use super::*;

    #[test]
    fn of_many_labels_those_that_come_furthest_are_shown() {
        let pair = |source, target, hits| PairTally { source, target, tally: Tally::clamped(hits, 100) };
        let mut pairs: Vec<PairTally> = (0..90).map(|label| pair(label, 99, 20)).collect();
        pairs.push(pair(97, 3, 100));
        assert_eq!(shown(&pairs, 10), (0..10).collect::<Vec<usize>>());
        let labels = shown(&pairs, 100);
        assert!(labels.len() == SHOWN && labels.contains(&97) && labels.contains(&3) && labels.is_sorted());
    }
}
