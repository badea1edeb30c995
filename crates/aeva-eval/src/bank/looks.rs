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
        // Each end of a 90 % interval holds at 95 %.
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

#[cfg(test)]
mod tests {
    use aeva_stats::Verdict;

    use super::super::calibration::tests::clean;
    use super::super::index::Truth;
    use super::*;

    #[test]
    fn what_the_rest_turns_is_counted_after_each_pass() {
        let judged = |scanned: &Scanned| Judged {
            model: scanned.model.clone(),
            seed: 0,
            verdict: Verdict::Clean,
            score: None,
            p_value: None,
            queries: 0,
            is_unfinished: false,
        };
        // Thirty clean models, and one whose backdoor shows in the second pass; both have two exploring passes.
        let two = |first: Scanned, second: Scanned| Scanned {
            passes: [first.passes.clone(), second.passes].concat(),
            explored: 2,
            is_explored: true,
            ..first
        };
        let mut scans: Vec<Scanned> = (0..30).map(|owner| two(clean(&owner.to_string(), 18), clean("", 18))).collect();
        let mut infected = two(clean("attacker", 18), clean("", 180));
        infected.model.truth = Truth::Infected { target: Some(0), attack: "patch".to_owned() };
        scans.push(infected);
        let scans: Vec<(Scanned, Judged)> = scans.into_iter().map(|one| (one.clone(), judged(&one))).collect();
        let found = looks(&scans, |model| &model.owner);
        assert_eq!(found, [Look { passes: 1, open: 31, turned: 1 }, Look { passes: 2, open: 30, turned: 0 }]);
        assert!(markdown(&found).ends_with("| 1 | 31 | 1 | 14 % |\n| 2 | 30 | 0 | 10 % |\n"), "{}", markdown(&found));
        assert!(in_rust(&found).contains("LOOKS: [Look; 2] = [\n    Look { open: 31, turned: 1 },\n"));
    }
}
