//! Snapshots of complete outputs for people and programs, so that every change of them is visible and intended.
//!
//! The texts are in `tests/it/snapshots/`, without figures, because another processor may round differently. After an
//! intended change, run `INSTA_UPDATE=always cargo test -p aeva-cli --test it snapshots` and read the differences.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use crate::harness::{Aeva, Ran, root, shipped};
use crate::onnx::{SCORES, extended, floats, node};

/// A text without the parts that differ between runs and places.
fn stable(aeva: &Aeva, text: &str) -> String {
    let places = [(root(), "ROOT"), (aeva.folder.path().to_owned(), "FOLDER")];
    let mut text = text.to_owned();
    for (place, name) in places {
        text = text.replace(&place.display().to_string(), name);
        if let Ok(whole) = place.canonicalize() {
            text = text.replace(&whole.display().to_string(), name);
        }
    }
    text
}

/// A text without figures: each number becomes an N, and alignment spaces become one space.
fn without_figures(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut words = Vec::new();
        for word in line.split_whitespace() {
            let mut masked = String::new();
            for character in word.chars() {
                match character {
                    '0'..='9' if masked.ends_with('N') => {}
                    '0'..='9' => masked.push('N'),
                    // Bars are dropped.
                    '\u{2588}'..='\u{258f}' => {}
                    other => masked.push(other),
                }
            }
            // Signs and exponents belong to the figures.
            let signed = masked.strip_prefix('-').filter(|rest| rest.starts_with('N'));
            words.push(signed.unwrap_or(&masked).replace("Ne-N", "N.N"));
        }
        words.retain(|word| !word.is_empty());
        words.dedup_by(|word, before| word == before && word == "N");
        out += words.join(" ").trim_end();
        out.push('\n');
    }
    out
}

/// A text without percentages that have a decimal.
fn without_shares(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.contains('.') && word.parse::<f64>().is_ok() { "N" } else { word });
    words.collect::<Vec<&str>>().join(" ")
}

/// Every path of a JSON document with the type of its value.
fn paths(value: &serde_json::Value, path: &str, found: &mut BTreeSet<String>) {
    use serde_json::Value;
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(items) => {
            for item in items {
                paths(item, &format!("{path}[]"), found);
            }
            "array"
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                paths(value, &format!("{path}.{name}"), found);
            }
            "object"
        }
    };
    found.insert(format!("{path}: {kind}"));
}

fn stdout(aeva: &Aeva, ran: &Ran) -> String {
    without_figures(&stable(aeva, &ran.stdout))
}

#[test]
fn the_report_of_a_model_with_a_backdoor() {
    let aeva = Aeva::new();
    let ran = aeva.scan("digits-infected.onnx", &["--out", "run"]).ends_with(1);
    assert_snapshot!("infected", stdout(&aeva, &ran));
    let mut found = BTreeSet::new();
    paths(&aeva.report("run"), "", &mut found);
    let lines: Vec<String> = found.into_iter().collect();
    assert_snapshot!("infected.json", lines.join("\n"));
}

#[test]
fn the_report_of_a_clean_model() {
    let aeva = Aeva::new();
    assert_snapshot!("clean", stdout(&aeva, &aeva.scan("digits-clean.onnx", &["--out", "run"]).ends_with(0)));
}

#[test]
fn the_report_of_perturbations() {
    let aeva = Aeva::new();
    let ran = aeva.perturbations("digits-infected.onnx", &["--out", "run"]).ends_with(1);
    assert_snapshot!("perturbations", stdout(&aeva, &ran));
    let part = ["--iterations", "2", "--samples", "1", "--out", "part", "--sources", "0", "--targets", "1-3"];
    assert_snapshot!("inconclusive", stdout(&aeva, &aeva.perturbations("digits-clean.onnx", &part).ends_with(3)));
}

#[test]
fn the_help() {
    let aeva = Aeva::new();
    assert_snapshot!("help", aeva.run(&["--help"]).ends_with(0).stdout);
}

#[test]
fn errors_and_their_hints() {
    let aeva = Aeva::new();
    let path = |name: &str| aeva.path(name).display().to_string();
    let (model, data) = (shipped("digits-clean.onnx"), shipped("digits.npz"));
    let (model, data) = (model.to_str().unwrap(), data.to_str().unwrap());
    std::fs::write(path("text.onnx"), "no model").unwrap();
    std::fs::write(path("cut.npz"), "PK\x03\x04").unwrap();
    let zero = [floats("zero", &[1], &[0.0])];
    std::fs::write(path("constant.onnx"), extended(&[node("Mul", &[SCORES, "zero"], "y", &[])], &zero)).unwrap();
    aeva.perturbations("digits-clean.onnx", &["--sources", "0", "--targets", "1", "--iterations", "1", "--out", "run"]);
    let (text, cut, constant) = (path("text.onnx"), path("cut.npz"), path("constant.onnx"));
    let cases: [&[&str]; 11] = [
        &["scan", "missing.onnx", "--data", data],
        &["scan", &text, "--data", data],
        &["scan", model, "--data", "missing.npz"],
        &["scan", model, "--data", &cut],
        &["scan", model, "--data", data, "--value-range", "-1..1"],
        &["scan", model, "--data", data, "--output", "nope"],
        &["scan", &constant, "--data", data, "--output", "y"],
        &["scan", model, "--data", data, "--rule", "published", "--lens", "trigger"],
        &["scan", model, "--data", data, "--lens", "perturbation", "--iterations", "1", "--seed", "7", "--out", "run"],
        &["judge", "nowhere"],
        &["inspect", model],
    ];
    let mut said = Vec::new();
    for args in cases {
        let ran = aeva.run(args).ends_with(2);
        let args = stable(&aeva, &args.join(" "));
        said.push(format!("$ aeva {args}\n{}", without_shares(&stable(&aeva, &ran.stderr))));
    }
    assert_snapshot!("errors", said.join("\n"));
}
