//! The input tensor of the Open Inference Protocol.

use half::f16;
use serde_json::Value;

use crate::answer::parse;

/// The type of the values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Datatype {
    Fp16,
    Fp32,
    Fp64,
    Uint8,
}

impl Datatype {
    const ALL: [(&str, Self); 4] =
        [("FP16", Self::Fp16), ("FP32", Self::Fp32), ("FP64", Self::Fp64), ("UINT8", Self::Uint8)];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, datatype)| *datatype == self).map_or("", |(name, _)| name)
    }

    /// The bytes of values.
    pub(crate) fn bytes(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::Fp16 => values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
            Self::Fp32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Fp64 => values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect(),
            Self::Uint8 => values.iter().map(|&value| byte(value)).collect(),
        }
    }
}

/// A value of 0 to 255 as a byte.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is rounded and within the range")]
pub(crate) fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// What a service says about its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// Name of the input.
    pub(crate) input: String,
    /// Type of its values.
    pub(crate) datatype: Datatype,
    /// The model and what serves it, in words.
    pub(crate) about: Option<String>,
}

impl Default for Description {
    fn default() -> Self {
        Self { input: "input".to_owned(), datatype: Datatype::Fp32, about: None }
    }
}

impl Description {
    /// Reads the metadata of a model. `Err` has what cannot be used.
    pub(crate) fn of(metadata: &[u8]) -> Result<Self, String> {
        let default = Self::default();
        let Some(value) = parse(metadata) else { return Ok(default) };
        let inputs = value["inputs"].as_array().map_or(&[][..], Vec::as_slice);
        if inputs.len() > 1 {
            return Err(format!("a model with {} inputs", inputs.len()));
        }
        let input = inputs.first().unwrap_or(&Value::Null);
        let datatype = match input["datatype"].as_str() {
            None => default.datatype,
            Some(stated) => Datatype::ALL
                .into_iter()
                .find(|(name, _)| *name == stated)
                .map(|(_, datatype)| datatype)
                .ok_or_else(|| format!("an input of {}", crate::answer::shown(stated)))?,
        };
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(crate::answer::shown);
        let version = value["versions"].as_array().and_then(|versions| text(versions.last()?));
        let version = version.map(|version| format!("version {version}"));
        let about: Vec<String> =
            [text(&value["name"]), version, text(&value["platform"])].into_iter().flatten().collect();
        Ok(Self {
            input: input["name"].as_str().map_or(default.input, str::to_owned),
            datatype,
            about: (!about.is_empty()).then(|| about.join(", ")),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn metadata_name_the_input() {
        let text = br#"{"name":"digits","versions":["1","2"],"platform":"onnx","inputs":[{"name":"image","datatype":"UINT8","shape":[-1,16,16,1]}]}"#;
        let found = Description::of(text).unwrap();
        assert_eq!((found.input.as_str(), found.datatype), ("image", Datatype::Uint8));
        assert_eq!(found.about.as_deref(), Some("digits, version 2, onnx"));
        assert_eq!(Description::of(b"{}").unwrap(), Description::default());
        assert_eq!(Description::of(b"<html>").unwrap(), Description::default());
        assert!(Description::of(br#"{"inputs":[{},{}]}"#).unwrap_err().contains("2 inputs"));
        assert!(Description::of(br#"{"inputs":[{"datatype":"BYTES"}]}"#).unwrap_err().contains("BYTES"));
    }

    #[test]
    fn values_become_bytes() {
        assert_eq!(Datatype::Uint8.bytes(&[-1.0, 0.4, 0.6, 254.5, 300.0]), [0, 0, 1, 255, 255]);
        assert_eq!(Datatype::Fp32.bytes(&[1.0]), 1.0_f32.to_le_bytes());
        assert_eq!((Datatype::Fp64.bytes(&[1.0]).len(), Datatype::Fp16.bytes(&[1.0]).len()), (8, 2));
    }
}
