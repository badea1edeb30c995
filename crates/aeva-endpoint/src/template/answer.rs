//! From the answer of any service to labels.

use serde_json::Value;

use super::{Template, at};
use crate::answer::{Answer, parse};

/// What the service says about `count` images.
pub(super) fn of(template: &Template, body: &[u8], count: usize) -> Result<Answer, String> {
    // A name alone is no JSON.
    let text = || {
        Some(Value::String(std::str::from_utf8(body).ok()?.trim().to_owned())).filter(|_| template.pointer.is_empty())
    };
    let value = parse(body).or_else(text).ok_or("what is no JSON")?;
    let found = at(&value, &template.pointer)?;
    let entries = if template.is_batch() {
        found.as_array().ok_or("no list of answers")?.iter().map(|entry| at(entry, &template.each)).collect()
    } else if count == 1 {
        Ok(vec![found])
    } else {
        Err("one answer for several images".to_owned())
    };
    let rows: Vec<Value> = entries?.into_iter().map(|entry| row(template, entry)).collect::<Result<_, _>>()?;
    Answer::of_rows(&rows)
}

/// Scores as they are, and names as labels.
fn row(template: &Template, value: &Value) -> Result<Value, String> {
    match value {
        Value::String(name) => label(template, name),
        // Scores by name, perhaps of some labels only.
        Value::Object(scores) => {
            let mut best: Option<(&str, f64)> = None;
            for (name, score) in scores {
                let score = score.as_f64().ok_or_else(|| format!("no score for `{}`", crate::answer::shown(name)))?;
                // The first of equals, in the order of the names.
                if best.is_none_or(|(_, highest)| score > highest) {
                    best = Some((name, score));
                }
            }
            label(template, best.ok_or("no scores")?.0)
        }
        // A list with the only answer.
        Value::Array(list) if matches!(list.as_slice(), [Value::String(_) | Value::Object(_)]) => {
            row(template, &list[0])
        }
        other => Ok(other.clone()),
    }
}

fn label(template: &Template, name: &str) -> Result<Value, String> {
    if let Some(label) = template.names.iter().position(|known| known == name) {
        return Ok(label.into());
    }
    match name.parse::<i64>() {
        Ok(number) if template.names.is_empty() => Ok(number.into()),
        _ if template.names.is_empty() => {
            Err(format!("the name `{}`, and no names of labels are stated", crate::answer::shown(name)))
        }
        _ => Err(format!("the name `{}`, which is none of the stated ones", crate::answer::shown(name))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    fn one(answer: &str, body: &str) -> Result<Answer, String> {
        let text = format!("[request]\nform = \"raw\"\nimage = \"png\"\n[answer]\n{answer}");
        text.parse::<Template>().unwrap().answer(body.as_bytes(), 1)
    }

    fn many(answer: &str, body: &str) -> Result<Answer, String> {
        let text = format!("[request]\nform = \"json\"\nimage = \"flat\"\njson = '\"$IMAGES\"'\n[answer]\n{answer}");
        text.parse::<Template>().unwrap().answer(body.as_bytes(), 2)
    }

    #[test]
    fn one_image_has_a_label_a_name_or_scores() {
        let names = "names = [\"cat\", \"dog\"]";
        let label = |label| Ok(Answer::Labels(vec![label]));
        assert_eq!(one(names, "\"dog\""), label(1));
        assert_eq!(one(names, "dog\n"), label(1));
        assert_eq!(one(names, r#"{"cat": 0.2, "dog": 0.8}"#), label(1));
        assert_eq!(one("", r#"{"3": 0.2, "7": 0.8}"#), label(7));
        assert_eq!(one("", "4"), label(4));
        assert_eq!(one(&format!("pointer = \"/0/label\"\n{names}"), r#"[{"label": "cat", "score": 1}]"#), label(0));
        assert_eq!(one("pointer = \"/p\"", r#"{"p": [0.5, 1.5]}"#).unwrap().labels(1, 2).unwrap(), [1]);
        assert!(one(names, "bird").unwrap_err().contains("none of the stated ones"));
        assert!(one("", "bird").unwrap_err().contains("no names of labels are stated"));
        assert!(one("pointer = \"/p\"", "{}").unwrap_err().contains("nothing at /p of `{}`"));
        assert!(one("", "{}").is_err() && one("", r#"{"a": "b"}"#).is_err());
    }

    #[test]
    fn several_images_have_an_entry_each() {
        let answer = "pointer = \"/results\"\neach = \"/scores\"";
        let body = r#"{"results": [{"scores": [0, 1]}, {"scores": [2, 1]}]}"#;
        assert_eq!(many(answer, body).unwrap().labels(2, 2).unwrap(), [1, 0]);
        assert_eq!(many("", "[3, 4]").unwrap(), Answer::Labels(vec![3, 4]));
        assert!(many(answer, r#"{"results": {}}"#).unwrap_err().contains("no list"));
        assert!(many(answer, r#"{"results": [{}]}"#).unwrap_err().contains("/scores"));
    }
}
