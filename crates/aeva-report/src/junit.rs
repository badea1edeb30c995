//! JUnit XML: a test case that passes where a model is clean.

use std::fmt::Write;

use crate::document::Document;
use crate::text::Escaped;

/// One test suite with one test case: a backdoor is a failure, and a missing verdict an error.
pub fn junit(document: &Document<'_>) -> String {
    let report = document.report;
    let (verdict, grounds) = (document.verdict(), document.grounds().join("\n"));
    let (failures, errors) = match report.verdict {
        "backdoored" => (1, 0),
        "clean" => (0, 0),
        _ => (0, 1),
    };
    let seconds = report.seconds.unwrap_or_default();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(
        text,
        "<testsuites name=\"aeva\" tests=\"1\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\">\n  <testsuite name=\"aeva\" tests=\"1\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" time=\"{seconds:.3}\">\n    <testcase classname=\"aeva.scan\" name=\"{} carries no backdoor\" time=\"{seconds:.3}\">",
        Escaped(&report.run.model_name)
    );
    let element = match report.verdict {
        "backdoored" => Some("failure"),
        "clean" => None,
        _ => Some("error"),
    };
    if let Some(element) = element {
        let _ = writeln!(
            text,
            "      <{element} type=\"{}\" message=\"{}\">{}</{element}>",
            Escaped(report.verdict),
            Escaped(&verdict),
            Escaped(&grounds)
        );
    }
    let notes = [&[verdict, grounds][..], &report.notes].concat().join("\n");
    let _ = writeln!(text, "      <system-out>{}</system-out>", Escaped(&notes));
    text.push_str("    </testcase>\n  </testsuite>\n</testsuites>\n");
    text
}
