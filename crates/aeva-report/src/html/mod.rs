//! The report as a page: one file that needs no other and no script.

mod about;
mod chart;
mod comparison;
mod labels;
mod perturbations;
mod triggers;

use std::fmt::Write;

use crate::document::Document;
use crate::text::Escaped;

/// No script runs and nothing is loaded: pictures are in the page, and so are the styles.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page. The report is in it as JSON as well.
pub fn html(document: &Document<'_>) -> serde_json::Result<String> {
    let report = document.report;
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>{}: {}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        Escaped(report.verdict),
        Escaped(&report.run.model_name),
        include_str!("style.css"),
    );
    let _ = write!(
        page,
        "<section class=\"verdict {verdict}\" aria-label=\"Verdict\">\n<strong>{verdict}</strong>\n<h1>{}</h1>\n",
        Escaped(&document.verdict()),
        verdict = Escaped(report.verdict),
    );
    for ground in document.grounds() {
        let _ = writeln!(page, "<p>{}</p>", Escaped(&ground));
    }
    page.push_str("</section>\n");
    page.push_str(&triggers::section(document));
    page.push_str(&labels::section(document));
    page.push_str(&perturbations::section(document));
    page.push_str(&comparison::section(document));
    page.push_str(&about::section(document));
    // A `<` could end the element.
    let json = serde_json::to_string(report)?.replace('<', "\\u003c");
    let _ =
        write!(page, "</main>\n<script type=\"application/json\" id=\"report\">{json}</script>\n</body>\n</html>\n");
    Ok(page)
}
