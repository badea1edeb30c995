//! Tensors as bytes behind the JSON: the binary extension of the Open Inference Protocol.

use half::f16;
use serde_json::{Value, json};

use super::kserve;
use super::tensor::Description;
use crate::answer::{Answer, parse};
use crate::message::{Message, Received};

/// The header with the length of the JSON.
pub(crate) const HEADER: &str = "Inference-Header-Content-Length";

pub(super) fn request(input: &Description, shape: [usize; 4], values: &[f32]) -> Message {
    let bytes = input.datatype.bytes(values);
    let head = json!({
        "inputs": [{
            "name": input.input,
            "shape": shape,
            "datatype": input.datatype.name(),
            "parameters": { "binary_data_size": bytes.len() },
        }],
        "parameters": { "binary_data_output": true },
    });
    let mut body = head.to_string().into_bytes();
    let headers = vec![(HEADER.to_owned(), body.len().to_string())];
    body.extend(bytes);
    Message { content_type: "application/octet-stream".to_owned(), headers, body }
}

/// The first output. A service may answer in JSON all the same.
pub(super) fn answer(received: &Received) -> Result<Answer, String> {
    let Some(length) = received.head else { return kserve::answer(&received.body) };
    let (head, bytes) = received.body.split_at_checked(length).ok_or("less than its own head")?;
    let value = parse(head).ok_or("what is no JSON")?;
    let output = &value["outputs"][0];
    let Some(size) = output["parameters"]["binary_data_size"].as_u64() else { return kserve::answer(head) };
    let bytes = usize::try_from(size).ok().and_then(|size| bytes.get(..size)).ok_or("too few bytes")?;
    let datatype = output["datatype"].as_str().unwrap_or_default();
    let numbers = numbers(datatype, bytes).ok_or_else(|| format!("{} bytes of {datatype}", bytes.len()))?;
    kserve::of_output(&output["shape"], &numbers)
}

/// Numbers of a tensor as JSON has them; NaN becomes null.
fn numbers(datatype: &str, bytes: &[u8]) -> Option<Vec<Value>> {
    macro_rules! of {
        ($kind:ty, $value:expr) => {{
            let (values, rest) = bytes.as_chunks::<{ size_of::<$kind>() }>();
            rest.is_empty().then(|| values.iter().map(|bytes| $value(<$kind>::from_le_bytes(*bytes))).collect())
        }};
    }
    match datatype {
        "FP16" => of!(f16, |value: f16| score(value.to_f64())),
        "FP32" => of!(f32, |value: f32| score(f64::from(value))),
        "FP64" => of!(f64, score),
        "INT64" => of!(i64, Value::from),
        "INT32" => of!(i32, Value::from),
        "INT16" => of!(i16, Value::from),
        "INT8" => of!(i8, Value::from),
        "UINT64" => of!(u64, Value::from),
        "UINT32" => of!(u32, Value::from),
        "UINT16" => of!(u16, Value::from),
        "UINT8" => of!(u8, Value::from),
        _ => None,
    }
}

/// A score; JSON has no infinity and no NaN.
fn score(value: f64) -> Value {
    match value {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        value => value.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    fn received(head: &str, bytes: &[u8]) -> Received {
        Received { head: Some(head.len()), body: [head.as_bytes(), bytes].concat() }
    }

    #[test]
    fn a_request_has_its_bytes_behind_the_json() {
        let message = request(&Description::default(), [1, 1, 2, 1], &[0.0, 0.5]);
        let length: usize = message.headers[0].1.parse().unwrap();
        let head: Value = serde_json::from_slice(&message.body[..length]).unwrap();
        assert_eq!(head["inputs"][0]["parameters"]["binary_data_size"], 8);
        assert_eq!(message.body[length..], [0.0_f32.to_le_bytes(), 0.5_f32.to_le_bytes()].concat());
    }

    #[test]
    fn answers_are_bytes_or_json() {
        let head = |datatype: &str, shape: &str, size: usize| {
            format!(
                r#"{{"outputs":[{{"datatype":"{datatype}","shape":{shape},"parameters":{{"binary_data_size":{size}}}}}]}}"#
            )
        };
        let scores: Vec<u8> = [0.5_f32, f32::NAN, f32::INFINITY, 1.0].into_iter().flat_map(f32::to_le_bytes).collect();
        let answer = |head: &str, bytes: &[u8]| super::answer(&received(head, bytes));
        let found = answer(&head("FP32", "[2,2]", 16), &scores).unwrap();
        assert_eq!(found.labels(2, 2).unwrap(), [aeva_attack::NO_LABEL, 0]);
        let labels: Vec<u8> = [3_i64, 1].into_iter().flat_map(i64::to_le_bytes).collect();
        assert_eq!(answer(&head("INT64", "[2]", 16), &labels).unwrap(), Answer::Labels(vec![3, 1]));
        assert!(answer(&head("FP32", "[2,2]", 15), &scores).unwrap_err().contains("15 bytes of FP32"));
        assert!(answer(&head("FP32", "[2,2]", 99), &scores).unwrap_err().contains("too few bytes"));
        let plain = r#"{"outputs":[{"shape":[1],"data":[7]}]}"#;
        assert_eq!(answer(plain, b"").unwrap(), Answer::Labels(vec![7]));
        let without = Received { head: None, body: plain.as_bytes().to_vec() };
        assert_eq!(super::answer(&without).unwrap(), Answer::Labels(vec![7]));
        assert!(super::answer(&Received { head: Some(99), body: b"{}".to_vec() }).is_err());
    }
}
