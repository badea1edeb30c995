//! Where the model stands among clean models.

use aeva_stats::CombinedRule;

use super::chart::Strip;
use crate::document::Document;

pub(super) fn section(document: &Document<'_>) -> String {
    let report = document.report;
    let Some(test) = report.lenses.triggers.as_ref().map(|triggers| &triggers.test) else { return String::new() };
    if test.null.scans() == 0 {
        return String::new();
    }
    let rule = report.parameters.false_positive_rate.and_then(|rate| CombinedRule::at_rate(rate).ok());
    let alpha = rule.map(|rule| rule.trigger_alpha(&test.null));
    // The evidence that is no alarm yet, but anything above is.
    let limit = alpha.filter(|alpha| test.null.floor() <= *alpha).and_then(|alpha| {
        let short = test.null.evidence().filter(|&evidence| test.null.p_value(evidence) > alpha);
        short.max_by(f64::total_cmp)
    });
    let strip = Strip {
        title: "Evidence of clean models and of this one",
        others: test.null.evidence().collect(),
        own: test.strongest.as_ref().map(|strongest| strongest.standout.evidence),
        // Evidence below 1 is no alarm, however few clean models have as much.
        limit: limit.map(|limit| limit.max(1.0)),
    };
    format!(
        "<h2 id=\"comparison\">Compared with clean models</h2>\n<p>Evidence says how far anything in a model stands out: the odds by which the best label, pair of labels or map is ahead of the next one, beyond what clean models show. Each dot is a scan of such a model.</p>\n<figure>{}</figure>\n",
        strip.svg()
    )
}
