//! The findings of a part: figures, errors, and what was skipped.

use std::collections::BTreeMap;

use xtask::process::say;

/// This many wrong cases are printed in full; the others are only counted.
const PRINTED: u64 = 60;

/// The findings of one part.
#[derive(Debug)]
pub(crate) struct Findings {
    part: &'static str,
    cases: u64,
    wrong: u64,
    figures: BTreeMap<String, u64>,
    skipped: Vec<String>,
}

impl Findings {
    pub(crate) fn new(part: &'static str) -> Self {
        Self { part, cases: 0, wrong: 0, figures: BTreeMap::new(), skipped: Vec::new() }
    }

    /// Records one case; `what` describes it and is only called if it is wrong.
    pub(crate) fn check(&mut self, right: bool, what: impl FnOnce() -> String) {
        self.cases += 1;
        if right {
            return;
        }
        self.wrong += 1;
        if self.wrong <= PRINTED {
            say(&format!("  WRONG {}: {}", self.part, what()));
        }
    }

    /// Adds to a figure.
    pub(crate) fn add(&mut self, figure: &str, count: usize) {
        *self.figures.entry(figure.to_owned()).or_default() += count as u64;
    }

    /// Prints something the reader should know that is neither right nor wrong.
    pub(crate) fn note(&self, text: &str) {
        say(&format!("  note {}: {text}", self.part));
    }

    /// Records something that this machine does not allow.
    pub(crate) fn skip(&mut self, what: &str) {
        say(&format!("  skipped {}: {what}", self.part));
        self.skipped.push(what.to_owned());
    }

    /// Whether the part is right; a part that tried nothing is not.
    pub(crate) fn right(&self) -> bool {
        self.wrong == 0 && self.cases > 0
    }

    /// `ok` or `WRONG` with the figures.
    pub(crate) fn line(&self, seconds: f64) -> String {
        let verdict = if self.right() { "ok" } else { "WRONG" };
        let (part, cases, wrong) = (self.part, self.cases, self.wrong);
        let mut columns = vec![format!("{part:<12} {verdict:<5} {cases:>5} cases {wrong:>4} wrong {seconds:>4.0} s")];
        columns.extend(self.figures.iter().map(|(figure, count)| format!("{figure}: {count}")));
        if !self.skipped.is_empty() {
            columns.push(format!("SKIPPED {}: {}", self.skipped.len(), self.skipped.join(", ")));
        }
        columns.join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_case_makes_the_part_wrong_and_so_does_none() {
        let mut findings = Findings::new("x");
        assert!(!findings.right());
        findings.check(true, String::new);
        assert!(findings.right());
        findings.check(false, String::new);
        findings.skip("the moon");
        assert!(!findings.right());
        let line = findings.line(1.0);
        assert!(line.contains("WRONG") && line.contains("SKIPPED 1: the moon"), "{line}");
    }
}
