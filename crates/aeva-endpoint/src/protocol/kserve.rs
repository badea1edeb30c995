//! The Open Inference Protocol, version 2, as JSON.

use serde_json::Value;

use super::tensor::{Datatype, Description};
use crate::answer::{Answer, parse};
use crate::numbers;

pub(super) fn body(input: &Description, shape: [usize; 4], values: &[f32]) -> Vec<u8> {
    let (name, datatype) = (Value::from(input.input.as_str()), input.datatype.name());
    let mut text =
        format!("{{\"inputs\":[{{\"name\":{name},\"shape\":{},\"datatype\":\"{datatype}\",\"data\":[", json(shape));
    match input.datatype {
        Datatype::Uint8 => {
            let bytes: Vec<String> = input.datatype.bytes(values).iter().map(ToString::to_string).collect();
            text.push_str(&bytes.join(","));
        }
        _ => numbers::push(values, &mut text),
    }
    text.push_str("]}]}");
    text.into_bytes()
}

fn json(shape: [usize; 4]) -> Value {
    shape.to_vec().into()
}

/// The first output. Its data may be flat or nested.
pub(super) fn answer(body: &[u8]) -> Result<Answer, String> {
    let value = parse(body).ok_or("what is no JSON")?;
    let output = &value["outputs"][0];
    let mut data = Vec::new();
    flatten(&output["data"], &mut data);
    of_output(&output["shape"], &data)
}

/// What an output of this shape says.
pub(super) fn of_output(shape: &Value, data: &[Value]) -> Result<Answer, String> {
    let shape = sizes(shape).ok_or("no output with a shape")?;
    // Trailing dimensions of 1 are harmless.
    let essential = shape.iter().skip(1).rposition(|&size| size != 1).map_or(1, |last| last + 2);
    match shape[..essential.min(shape.len())] {
        [count] if data.len() == count => Answer::of_rows(data),
        [count, width] if count.checked_mul(width) == Some(data.len()) && width > 0 => {
            Answer::of_rows(&data.chunks(width).map(|row| Value::Array(row.to_vec())).collect::<Vec<_>>())
        }
        _ => Err(format!("{} values of shape {shape:?}", data.len())),
    }
}

fn sizes(value: &Value) -> Option<Vec<usize>> {
    value.as_array()?.iter().map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok())).collect()
}

fn flatten(value: &Value, flat: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| flatten(value, flat)),
        other => flat.push(other.clone()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_flat_tensor() {
        let mut input = Description { input: "x".to_owned(), ..Description::default() };
        let text = String::from_utf8(body(&input, [1, 1, 2, 1], &[0.0, 0.1])).unwrap();
        assert_eq!(text, r#"{"inputs":[{"name":"x","shape":[1,1,2,1],"datatype":"FP32","data":[0.0,0.1]}]}"#);
        input.datatype = Datatype::Uint8;
        let text = String::from_utf8(body(&input, [1, 1, 2, 1], &[0.0, 254.6])).unwrap();
        assert!(text.contains(r#""datatype":"UINT8","data":[0,255]"#), "{text}");
    }

    #[test]
    fn answers_are_flat_or_nested() {
        let of = |shape: &str, data: &str| {
            answer(format!(r#"{{"outputs":[{{"name":"y","shape":{shape},"data":{data}}}]}}"#).as_bytes())
        };
        let scores = Answer::Scores { width: 2, scores: vec![0.0, 1.0, 3.0, 2.0] };
        assert_eq!(of("[2,2]", "[0,1.0,3,2]").unwrap(), scores);
        assert_eq!(of("[2,2]", "[[0.0,1],[3,2]]").unwrap(), scores);
        assert_eq!(of("[2,2,1,1]", "[0.5,1,3,2]").unwrap().classes(), Some(2));
        assert_eq!(of("[2]", "[4,1]").unwrap(), Answer::Labels(vec![4, 1]));
        assert_eq!(of("[2,1]", "[4,1]").unwrap(), Answer::Labels(vec![4, 1]));
        assert!(of("[2,3]", "[0,1]").unwrap_err().contains("2 values of shape [2, 3]"));
        assert!(of("[2,2,2]", "[1,2,3,4,5,6,7,8]").is_err());
        assert!(answer(b"{}").is_err() && answer(b"<html>").is_err());
    }
}
