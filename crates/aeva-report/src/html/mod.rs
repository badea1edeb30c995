//! The report as a page: one file that needs no other and no script.

mod about;
mod chart;
mod comparison;
mod labels;
mod pairs;
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
    page.push_str(&pairs::section(document));
    page.push_str(&perturbations::section(document));
    page.push_str(&comparison::section(document));
    page.push_str(&about::section(document));
    // A `<` could end the element.
    let json = serde_json::to_string(report)?.replace('<', "\\u003c");
    let _ =
        write!(page, "</main>\n<script type=\"application/json\" id=\"report\">{json}</script>\n</body>\n</html>\n");
    Ok(page)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]
mod tests {
    /// The colours of a theme, by name.
    fn colours(theme: &str) -> Vec<(String, [f64; 3])> {
        let channel = |hex: &str| f64::from(u8::from_str_radix(hex, 16).unwrap()) / 255.0;
        let declared = theme.split("--").skip(1).filter_map(|part| part.split_once(": #"));
        declared.map(|(name, hex)| (name.to_owned(), [0, 2, 4].map(|at| channel(&hex[at..at + 2])))).collect()
    }

    /// The contrast ratio of two colours by WCAG 2.1.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let linear = |value: f64| if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        let luminance = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Level AA: 4.5 for text, 3 for what a chart draws.
    #[test]
    fn text_and_charts_can_be_read_in_both_themes() {
        let style = include_str!("style.css");
        let themes: Vec<&str> = style.lines().filter(|line| line.contains("--paper:")).collect();
        assert_eq!(themes.len(), 2, "light and dark");
        for theme in themes {
            let colours = colours(theme);
            let of = |name: &str| colours.iter().find(|(other, _)| other == name).unwrap().1;
            for ground in ["paper", "card"] {
                for (ink, least) in
                    [("ink", 4.5), ("soft", 4.5), ("bad", 4.5), ("good", 4.5), ("open", 4.5), ("bar", 3.0)]
                {
                    let found = contrast(of(ink), of(ground));
                    assert!(found >= least, "{ink} on {ground}: {found:.2} of {least} in {theme}");
                }
            }
        }
        assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    }
}
