//! The messages between this program and one that answers for a model. `docs/programs.md` has them for users.
//!
//! A message is a line of JSON. Pixels follow their message as f32 in little-endian order.

use aeva_attack::{Label, NO_LABEL};
use serde::{Deserialize, Serialize};

/// Version of the protocol.
pub(super) const VERSION: u32 = 1;
/// Longest text of an answer in an error.
const SHOWN: usize = 200;

/// The first message: the images that will come.
#[derive(Serialize)]
pub(super) struct Hello {
    pub(super) aeva: u32,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

/// Before each batch: the number of images, whose pixels follow.
#[derive(Serialize)]
struct Batch {
    images: usize,
}

/// What the program says about its model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Introduction {
    /// Number of labels.
    pub(super) classes: u32,
    /// What to call the model.
    pub(super) name: Option<String>,
    /// What tells it from other models and from other versions.
    pub(super) version: Option<String>,
    /// The names of the labels.
    pub(super) class_names: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Failure {
    error: String,
}

/// An answer that is not what was expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The program says that it failed.
    Failed(String),
    /// What was answered, and what was expected.
    Answer(String, String),
}

/// A message as a line.
pub(super) fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The message for images `[n, h, w, c]`, with their pixels.
pub(super) fn batch(images: usize, pixels: &[f32]) -> Vec<u8> {
    let mut message = line(&Batch { images });
    message.reserve(4 * pixels.len());
    message.extend(pixels.iter().flat_map(|value| value.to_le_bytes()));
    message
}

/// What the program says about its model.
pub(super) fn introduction(answer: &str) -> Result<Introduction, Wrong> {
    let expected = r#"its number of labels, such as {"classes": 10}"#;
    parsed(answer, expected)
}

/// The labels of `images` images; -1 stands for no label.
pub(super) fn labels(answer: &str, images: usize, classes: u32, labels: &mut Vec<Label>) -> Result<(), Wrong> {
    let found: Vec<i64> = parsed(answer, &format!("a list of {images} labels"))?;
    if found.len() != images {
        return Err(Wrong::Answer(format!("{} labels", found.len()), format!("{images} labels, one for each image")));
    }
    labels.clear();
    for label in found {
        labels.push(match Label::try_from(label) {
            Ok(label) if label < classes => label,
            Err(_) if label == -1 => NO_LABEL,
            _ => {
                let expected = format!("labels from 0 to {}, or -1 for none", classes.saturating_sub(1));
                return Err(Wrong::Answer(format!("the label {label}"), expected));
            }
        });
    }
    Ok(())
}

/// A line that nobody had asked for.
pub(super) fn unasked(line: &str) -> Wrong {
    Wrong::Answer(format!("`{}`, which nothing had asked for", shown(line)), "one line for each message".to_owned())
}

fn parsed<'a, T: Deserialize<'a>>(answer: &'a str, expected: &str) -> Result<T, Wrong> {
    serde_json::from_str(answer).map_err(|_| match serde_json::from_str::<Failure>(answer) {
        Ok(failure) => Wrong::Failed(shown(&failure.error)),
        Err(_) => Wrong::Answer(format!("`{}`", shown(answer)), expected.to_owned()),
    })
}

fn shown(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(SHOWN).collect();
    if shown.len() < text.trim().len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines_and_pixels_follow() {
        let hello = Hello { aeva: VERSION, height: 2, width: 3, channels: 1 };
        assert_eq!(line(&hello), b"{\"aeva\":1,\"height\":2,\"width\":3,\"channels\":1}\n");
        assert_eq!(batch(1, &[0.0, 1.0]), [&b"{\"images\":1}\n"[..], &[0, 0, 0, 0, 0, 0, 0x80, 0x3f]].concat());
    }

    #[test]
    fn introductions_need_the_number_of_labels() {
        let found = introduction(r#"{"classes": 10, "name": "x", "other": []}"#).unwrap();
        assert_eq!((found.classes, found.name.as_deref(), found.version), (10, Some("x"), None));
        assert_eq!(introduction(r#"{"error": "no weights"}"#), Err(Wrong::Failed("no weights".to_owned())));
        for bad in ["", "10", "{}", r#"{"classes": -1}"#, r#"{"classes": 1.5}"#, "loading model"] {
            assert!(matches!(introduction(bad), Err(Wrong::Answer(..))), "{bad}");
        }
    }

    #[test]
    fn labels_are_counted_and_within_the_classes() {
        let mut found = vec![9];
        labels("[0, 2, -1]\n", 3, 3, &mut found).unwrap();
        assert_eq!(found, [0, 2, NO_LABEL]);
        let error = |answer: &str| match labels(answer, 3, 3, &mut Vec::new()) {
            Err(Wrong::Answer(found, expected)) => format!("{found}; {expected}"),
            other => format!("{other:?}"),
        };
        assert_eq!(error("[1, 2]"), "2 labels; 3 labels, one for each image");
        assert_eq!(error("[0, 3, 1]"), "the label 3; labels from 0 to 2, or -1 for none");
        assert_eq!(error("[0, -2, 1]"), "the label -2; labels from 0 to 2, or -1 for none");
        assert_eq!(error("[0, 4294967295, 1]"), "the label 4294967295; labels from 0 to 2, or -1 for none");
        assert_eq!(error("[0.0, 1.0, 2.0]"), "`[0.0, 1.0, 2.0]`; a list of 3 labels");
        assert_eq!(error(r#"{"error": "out of memory"}"#), r#"Err(Failed("out of memory"))"#);
        assert!(error(&"x".repeat(500)).contains(&format!("`{}...`", "x".repeat(SHOWN))));
    }
}
