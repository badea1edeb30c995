//! Images as nested lists, and a row an image: TensorFlow Serving and MLflow.

use serde_json::Value;

use crate::answer::{Answer, parse};
use crate::numbers;

/// `{"KEY": [[[[...]]]]}`.
pub(super) fn body(key: &str, [count, a, b, c]: [usize; 4], values: &[f32]) -> Vec<u8> {
    let mut text = format!("{{\"{key}\":[");
    let (image, row) = (a * b * c, b * c);
    for (n, image) in values.chunks(image.max(1)).take(count).enumerate() {
        text.push_str(if n == 0 { "[" } else { ",[" });
        for (y, row) in image.chunks(row.max(1)).enumerate() {
            text.push_str(if y == 0 { "[" } else { ",[" });
            for (x, pixel) in row.chunks(c.max(1)).enumerate() {
                text.push_str(if x == 0 { "[" } else { ",[" });
                numbers::push(pixel, &mut text);
                text.push(']');
            }
            text.push(']');
        }
        text.push(']');
    }
    text.push_str("]}");
    text.into_bytes()
}

/// `predictions`, or the only list of the answer. A row may be an object with the scores in one list.
pub(super) fn answer(body: &[u8]) -> Result<Answer, String> {
    let value = parse(body).ok_or("what is no JSON")?;
    let predictions = value.get("predictions").unwrap_or(&value);
    let rows = predictions.as_array().ok_or("no list of predictions")?;
    let of_object = |row: &Value| match row.as_object().map(|row| row.values().collect::<Vec<_>>()) {
        Some(values) if values.len() == 1 => values[0].clone(),
        _ => row.clone(),
    };
    Answer::of_rows(&rows.iter().map(of_object).collect::<Vec<_>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn images_are_nested_lists() {
        let values: Vec<f32> = (0..8_u8).map(|value| f32::from(value) / 2.0).collect();
        let text = String::from_utf8(body("instances", [2, 1, 2, 2], &values)).unwrap();
        assert_eq!(text, r#"{"instances":[[[[0.0,0.5],[1.0,1.5]]],[[[2.0,2.5],[3.0,3.5]]]]}"#);
    }

    #[test]
    fn every_form_of_predictions_is_read() {
        let scores = Answer::Scores { width: 2, scores: vec![0.5, 1.0] };
        assert_eq!(answer(br#"{"predictions": [[0.5, 1.0]]}"#).unwrap(), scores);
        assert_eq!(answer(br#"{"predictions": [{"scores": [0.5, 1.0]}]}"#).unwrap(), scores);
        assert_eq!(answer(b"[[0.5, 1]]").unwrap(), scores);
        assert_eq!(answer(br#"{"predictions": [7]}"#).unwrap(), Answer::Labels(vec![7]));
        assert_eq!(answer(br#"{"error": "no"}"#).unwrap_err(), "no list of predictions");
    }
}
