//! A summary in Markdown, such as a pull request shows.

use std::fmt::Write;

use crate::document::{Document, percent};
use crate::text::is_hidden;

/// The summary.
pub fn markdown(document: &Document<'_>) -> String {
    let report = document.report;
    let mut text = format!("## {}: {}\n\n", report.verdict.to_uppercase(), plain(&document.verdict()));
    for ground in document.grounds() {
        let _ = writeln!(text, "- {}", plain(&ground));
    }
    let found = report.lenses.triggers.iter().flat_map(|triggers| &triggers.found);
    let rows: Vec<String> = found
        .map(|found| {
            format!(
                "| {} | {} | {} of {} | {} to {} |\n",
                plain(&found.target_map.to_string()),
                plain(&document.sentence(found)),
                found.success.hits(),
                found.success.trials(),
                percent(found.interval[0]),
                percent(found.interval[1])
            )
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(
            "\n| backdoor | trigger | hold-out images that it turns | 95 % interval |\n| --- | --- | --- | --- |\n",
        );
        text.extend(rows);
    }
    if !report.notes.is_empty() {
        text.push('\n');
        for note in &report.notes {
            let _ = writeln!(text, "> {}\n>", plain(note));
        }
    }
    let _ = writeln!(
        text,
        "\n{}, model `{}`, data `{}`, seed {}",
        document.program,
        report.run.provenance.model.sha256.get(..12).unwrap_or_default(),
        report.run.provenance.data.sha256.get(..12).unwrap_or_default(),
        report.parameters.seed
    );
    text
}

/// Text without markup: what Markdown or HTML would interpret is escaped.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '@' => {
                out.push('\\');
                out.push(character);
            }
            _ if is_hidden(character) => {
                let _ = write!(out, "\\{}", character.escape_unicode());
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(plain("a|b\n<img> [x](y) `c` @all"), "a\\|b &lt;img> \\[x\\](y) \\`c\\` \\@all");
    }
}
