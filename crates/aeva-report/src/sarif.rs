//! SARIF 2.1.0 (OASIS standard), which code hosts show beside other findings.

use aeva_scan::report::FoundTrigger;
use serde_json::{Value, json};

use crate::document::Document;

/// The identifier of the schema that the standard defines.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One run with a result for each infected label, or one for a missing verdict; none for a clean model.
pub fn sarif(document: &Document<'_>) -> Value {
    let report = document.report;
    let result = |rule: &str, level: &str, text: String, fingerprint: String, properties: Value| {
        json!({
            "ruleId": rule,
            "level": level,
            "message": { "text": text },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&report.run.model_name) } } }],
            "partialFingerprints": { "aeva/v1": fingerprint },
            "properties": properties,
        })
    };
    let model = &report.run.provenance.model.sha256;
    let figures = json!({ "pValue": report.p_value, "queries": report.queries, "seed": report.parameters.seed });
    let results: Vec<Value> = match report.verdict {
        "backdoored" => {
            let of = |&label: &usize| {
                let found = report.lenses.triggers.iter().flat_map(|triggers| &triggers.found);
                let shown: Vec<String> =
                    found.filter(|found| is_to(found, label)).map(|found| document.sentence(found)).collect();
                let shown = if shown.is_empty() { document.grounds().join(" ") } else { shown.join("; ") };
                let text = format!("Backdoor to label {}. {shown}", document.names.of(label));
                result("AEVA001", "error", text, format!("{model}/{label}"), figures.clone())
            };
            report.suspects.iter().map(of).collect()
        }
        "clean" => Vec::new(),
        _ => vec![result("AEVA002", "warning", document.verdict(), format!("{model}/inconclusive"), figures)],
    };
    let rule = |id: &str, name: &str, text: &str| json!({ "id": id, "name": name, "shortDescription": { "text": text }, "fullDescription": { "text": text } });
    let (name, version) = document.program.split_once(' ').unwrap_or((document.program, ""));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": name,
                "version": version,
                "rules": [
                    rule("AEVA001", "Backdoor", "A small trigger sends images of other labels to this one, further than in clean models."),
                    rule("AEVA002", "NoVerdict", "The scan could not tell whether the model carries a backdoor."),
                ],
            } },
            "artifacts": [{
                "location": { "uri": uri(&report.run.model_name) },
                "hashes": { "sha-256": model },
            }],
            "results": results,
            "columnKind": "utf16CodeUnits",
        }],
    })
}

fn is_to(found: &FoundTrigger, label: usize) -> bool {
    found.target_map.target().is_none_or(|target| target as usize == label)
}

/// A file name as a relative reference: what is not unreserved is percent-encoded.
fn uri(name: &str) -> String {
    let part = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_relative_reference() {
        assert_eq!(uri("my model:1.onnx"), "my%20model%3A1.onnx");
        assert_eq!(uri("ü.onnx"), "%C3%BC.onnx");
    }
}
