//! What the rest of a scan still turns: of the scans that have raised no alarm after so many passes, those that end with one.

use std::fmt::Write;

use aeva_scan::Effort;
use aeva_stats::{CombinedRule, PassTally, binomial_interval};
use serde::{Deserialize, Serialize};

use super::calibration::Scanned;
use super::index::Model;
use super::judged::{Judged, left_out_with};

/// The scans after so many exploring passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    /// Passes made.
    passes: usize,
    /// Scans that have made them and raised no alarm.
    open: u32,
    /// Those of them that end with one.
    turned: u32,
}

/// After each exploring pass, each scan judged by the clean models of other groups.
pub(super) fn looks(scans: &[(Scanned, Judged)], of: impl Fn(&Model) -> &str) -> Vec<Look> {
    let mut looks: Vec<Look> = Vec::new();
    left_out_with(scans, Effort::Standard, of, |scanned, _, test| {
        let is_alarm = |passes: &[PassTally]| {
            let test = test(passes);
            !test.suspects(CombinedRule::DEFAULT.trigger_alpha(&test.null)).is_empty()
        };
        let ends_with_one = is_alarm(&scanned.passes);
        for passes in 1..=scanned.explored {
            if looks.len() < passes {
                looks.push(Look { passes, open: 0, turned: 0 });
            }
            // A trigger that chooses its images counts when all exploring passes are made.
            let is_complete = passes == scanned.explored && scanned.is_explored;
            let blank = |tally: &PassTally| PassTally { effects: Vec::new(), ..tally.clone() };
            let made = &scanned.passes[..passes];
            let made: Vec<PassTally> = if is_complete { made.to_vec() } else { made.iter().map(blank).collect() };
            if !is_alarm(&made) {
                looks[passes - 1].open += 1;
                looks[passes - 1].turned += u32::from(ends_with_one);
            }
        }
    });
    looks
}

/// The table of a page.
pub(super) fn markdown(looks: &[Look]) -> String {
    let mut text = "| exploring passes made | scans without an alarm | of these, end with one | at most |\n| --- | --- | --- | --- |\n".to_owned();
    for Look { passes, open, turned } in looks {
        let [_, most] = binomial_interval(*turned, *open, 0.9);
        let _ = writeln!(text, "| {passes} | {open} | {turned} | {:.0} % |", 100.0 * most);
    }
    text
}

/// The constant of `effort/table.rs`.
pub(super) fn in_rust(looks: &[Look]) -> String {
    let mut text = format!("\npub(super) const LOOKS: [Look; {}] = [\n", looks.len());
    for Look { open, turned, .. } in looks {
        let _ = writeln!(text, "    Look {{ open: {open}, turned: {turned} }},");
    }
    text + "];\n"
}
