//! What the reader should know: notes, what was not looked at, and how to repeat the scan.

use std::fmt::Write;

use crate::document::{Document, grouped};
use crate::text::Escaped;

pub(super) fn section(document: &Document<'_>) -> String {
    let report = document.report;
    let mut text = String::new();
    if !report.notes.is_empty() {
        text.push_str("<h2 id=\"notes\">Notes</h2>\n<ul>\n");
        for note in &report.notes {
            let _ = writeln!(text, "<li>{}</li>", Escaped(note));
        }
        text.push_str("</ul>\n");
    }
    text.push_str(
        "<h2 id=\"limits\">What this does not say</h2>\n<ul>\n<li>Triggers that depend on the image (input-aware, sample-specific, an object in the scene) are not looked for, and most smooth warps and some backdoors from a few labels are missed.</li>\n<li>A clean verdict says that nothing stood out from clean models. It is no proof.</li>\n<li>It is about the labels of this model on these images, not about what it was trained on, nor about other weaknesses.</li>\n</ul>\n",
    );
    let run = &report.run;
    let rows = [
        ("program", document.program.to_owned()),
        ("model", run.model_name.clone()),
        ("SHA-256 of the model", run.provenance.model.sha256.clone()),
        ("labels", run.provenance.model.classes.to_string()),
        ("model input", run.provenance.model.preprocessing.clone()),
        ("data", run.data_name.clone()),
        ("SHA-256 of the data", run.provenance.data.sha256.clone()),
        ("images", run.provenance.data.images.to_string()),
        ("runs on", run.provenance.provider.clone()),
        ("seed", report.parameters.seed.to_string()),
        ("queries", grouped(report.queries)),
        ("seconds", report.seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}"))),
        ("key of the run", run.key.clone()),
    ];
    text.push_str("<h2 id=\"repeat\">How to repeat it</h2>\n<p>The same model, data and seed give the same result on the same kind of device, whatever the number of threads.</p>\n");
    let _ = write!(
        text,
        "<pre tabindex=\"0\"><code>aeva scan {} --data {} --seed {}</code></pre>\n<div class=\"scroll\"><table>\n<tbody>\n",
        Escaped(&quoted(&run.model_name)),
        Escaped(&quoted(&run.data_name)),
        report.parameters.seed
    );
    for (name, value) in rows {
        let _ = writeln!(text, "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>", Escaped(&value));
    }
    text.push_str("</tbody></table></div>\n");
    text
}

/// A file name as a word of a POSIX shell.
fn quoted(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    if name.bytes().all(is_plain) && !name.is_empty() && !name.starts_with('-') {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word() {
        assert_eq!([quoted("a-b.onnx"), quoted("it's; rm"), quoted("")], ["a-b.onnx", "'it'\\''s; rm'", "''"]);
    }
}
