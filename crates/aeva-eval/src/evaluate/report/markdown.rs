//! The figures of an evaluation as Markdown tables.

use super::Evaluation;

impl Evaluation {
    /// The figures as tables.
    pub(crate) fn markdown(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let interval =
            |value: Option<[f64; 2]>| value.map_or_else(String::new, |[low, high]| format!(" ({low:.2} to {high:.2})"));
        let score = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        let mut lines = vec![format!("Seed {}, {} models.", self.seed, self.models)];
        for (title, rows) in [("budget, the published rule", &self.budgets), ("rule", &self.rules)] {
            lines.extend([
                String::new(),
                format!("By {title}, on the reported half (thresholds and probabilities from the tuning half):"),
                String::new(),
                "| rule | parameters | samples | iterations | models | queries | AUC | detected at 5 % | false positives there | flagged | false positives | right label | cross-entropy |".to_owned(),
                "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_owned(),
            ]);
            for b in rows {
                lines.push(format!(
                    "| {} | {} | {} | {:.0} % | {} | {} | {}{} | {} | {} | {}{} | {}{} | {} | {} |",
                    b.rule.name(),
                    b.preset.name(),
                    b.samples,
                    100.0 * b.part,
                    b.models,
                    b.queries,
                    number(b.auc),
                    interval(b.auc_interval),
                    number(b.detected),
                    number(b.false_positives),
                    number(b.above_4.detected),
                    interval(b.above_4.detected_interval),
                    number(b.above_4.false_positives),
                    interval(b.above_4.false_positives_interval),
                    number(b.above_4.right_label),
                    number(b.cross_entropy),
                ));
            }
        }
        for (title, groups) in [("kind of attack", &self.kinds), ("data set", &self.datasets)] {
            lines.push(String::new());
            lines.push(format!("By {title}, all models; the published rule at the quick preset (flagged above an index of 4), the combined rule at its defaults:"));
            lines.push(String::new());
            lines.push(format!(
                "| {title} | rule | infected | clean | AUC | flagged | false positives | right label | median score |"
            ));
            lines.push("| --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_owned());
            for g in groups {
                lines.push(format!(
                    "| {} | {} | {} | {} | {}{} | {}{} | {}{} | {} | {} |",
                    g.name,
                    g.rule.name(),
                    g.infected,
                    g.clean,
                    number(g.auc),
                    interval(g.auc_interval),
                    number(g.above_4.detected),
                    interval(g.above_4.detected_interval),
                    number(g.above_4.false_positives),
                    interval(g.above_4.false_positives_interval),
                    number(g.above_4.right_label),
                    score(g.median_score),
                ));
            }
        }
        lines.join("\n") + "\n"
    }
}
