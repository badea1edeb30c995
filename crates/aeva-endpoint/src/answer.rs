//! From the answer of a service to labels.

use aeva_attack::{Label, NO_LABEL};
use serde_json::Value;

/// What a service says about a batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// `[n, width]`, row by row. NaN where the service has no number.
    Scores { width: usize, scores: Vec<f64> },
    /// `[n]`.
    Labels(Vec<i64>),
}

impl Answer {
    /// Rows of scores, or labels. `Err` has what was found instead.
    pub(crate) fn of_rows(rows: &[Value]) -> Result<Self, String> {
        if rows.iter().all(Value::is_i64) && !rows.is_empty() {
            return Ok(Self::Labels(rows.iter().filter_map(Value::as_i64).collect()));
        }
        let mut scores = Vec::new();
        let mut width = None;
        for row in rows {
            let row = row.as_array().ok_or_else(|| format!("`{}` for an image", shown(&row.to_string())))?;
            if *width.get_or_insert(row.len()) != row.len() {
                return Err("rows of different lengths".to_owned());
            }
            for score in row {
                scores.push(number(score).ok_or_else(|| format!("`{}` for a score", shown(&score.to_string())))?);
            }
        }
        Ok(Self::Scores { width: width.unwrap_or(0), scores })
    }

    /// Number of labels, as far as the answer says it.
    pub(crate) fn classes(&self) -> Option<u32> {
        match self {
            Self::Scores { width, .. } => u32::try_from(*width).ok(),
            Self::Labels(_) => None,
        }
    }

    /// The label of each of `count` images. `Err` has what was found and what was expected.
    pub(crate) fn labels(&self, count: usize, classes: u32) -> Result<Vec<Label>, (String, String)> {
        match self {
            Self::Scores { width, scores } => {
                if *width == 0 || *width != classes as usize || scores.len() != count * width {
                    let found = format!("{} scores in rows of {width}", scores.len());
                    return Err((found, format!("{count} rows of {classes} scores")));
                }
                Ok(scores.chunks(*width).map(top).collect())
            }
            Self::Labels(labels) if labels.len() != count => {
                Err((format!("{} labels", labels.len()), format!("{count} labels, one for each image")))
            }
            Self::Labels(labels) => labels
                .iter()
                .map(|&label| {
                    let found = Label::try_from(label).ok().filter(|&label| label < classes);
                    found.ok_or_else(|| {
                        (format!("the label {label}"), format!("labels from 0 to {}", classes.saturating_sub(1)))
                    })
                })
                .collect(),
        }
    }
}

/// The first of the largest scores; no label if one is no number.
fn top(scores: &[f64]) -> Label {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if score.is_nan() {
            return NO_LABEL;
        }
        if *score > scores[best] {
            best = index;
        }
    }
    Label::try_from(best).unwrap_or(NO_LABEL)
}

/// A number, also one that JSON does not have.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Null => Some(f64::NAN),
        Value::String(text) => match text.as_str() {
            "NaN" | "nan" => Some(f64::NAN),
            "Infinity" | "inf" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// JSON, also with the bare `NaN` and `Infinity` that Python and TensorFlow Serving write: they become text. `None` for what is no
/// JSON.
pub(crate) fn parse(body: &[u8]) -> Option<Value> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Some(value);
    }
    let text = std::str::from_utf8(body).ok()?;
    let mut quoted = String::with_capacity(text.len() + 64);
    let mut rest = text;
    // Each turn takes a part of the text.
    while let Some(at) = rest.find(['"', 'N', 'I', '-']) {
        quoted.push_str(&rest[..at]);
        rest = &rest[at..];
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word));
        if let Some(word) = word {
            quoted.push('"');
            quoted.push_str(word);
            quoted.push('"');
            rest = &rest[word.len()..];
        } else if rest.starts_with('"') {
            let end = end_of_text(rest)?;
            quoted.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            quoted.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    quoted.push_str(rest);
    serde_json::from_str(&quoted).ok()
}

/// The length of the text in quotation marks that `rest` begins with.
fn end_of_text(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return Some(index + 1),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// The beginning of what a service says.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 200;
    let mut shown: String = text.trim().chars().take(MOST).collect();
    if shown.len() < text.trim().len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Answer, String> {
        Answer::of_rows(parse(text.as_bytes()).unwrap().as_array().unwrap())
    }

    #[test]
    fn the_largest_score_is_the_label_and_the_first_of_equals() {
        let answer =
            rows("[[0.1, 0.7, 0.7], [-1e9, -Infinity, -2], [NaN, 1, 2], [null, 1, 2], [3, Infinity, 4]]").unwrap();
        assert_eq!(answer.classes(), Some(3));
        assert_eq!(answer.labels(5, 3).unwrap(), [1, 2, NO_LABEL, NO_LABEL, 1]);
        assert!(answer.labels(4, 3).is_err() && answer.labels(5, 4).is_err());
        assert!(rows("[]").unwrap().labels(1, 0).is_err() && rows("[1]").unwrap().labels(1, 0).is_err());
    }

    #[test]
    fn labels_are_counted_and_within_the_classes() {
        let answer = rows("[3, 0]").unwrap();
        assert_eq!((answer.classes(), answer.labels(2, 4).unwrap()), (None, vec![3, 0]));
        assert_eq!(answer.labels(3, 4).unwrap_err().0, "2 labels");
        assert_eq!(answer.labels(2, 3).unwrap_err().0, "the label 3");
        assert!(rows("[-1, 0]").unwrap().labels(2, 3).is_err());
    }

    #[test]
    fn what_is_neither_is_refused() {
        assert_eq!(rows("[[1, 2], [1]]").unwrap_err(), "rows of different lengths");
        assert_eq!(rows(r#"["cat"]"#).unwrap_err(), "`\"cat\"` for an image");
        assert_eq!(rows(r#"[["x"]]"#).unwrap_err(), "`\"x\"` for a score");
        for bad in ["", "{", "[NaN", "\"", "[\"NaN]", "[I]", "\u{e9}", "[-]"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(b"\xff"), None);
        let text = parse(br#"{"a \" NaN \\": [NaN], "b": -Infinity, "Inf": -1}"#).unwrap();
        assert_eq!(text.to_string(), r#"{"Inf":-1,"a \" NaN \\":["NaN"],"b":"-Infinity"}"#);
    }
}
