//! The forms of requests and answers.

mod kserve;
mod rows;

use std::fmt;
use std::str::FromStr;

pub(crate) use self::kserve::input_of;
use crate::answer::Answer;

/// The form of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// The Open Inference Protocol: `POST URL/infer`, where the URL ends with the name of the model.
    KserveV2,
    /// TensorFlow Serving: `POST URL:predict`, where the URL ends with the name of the model.
    TfServing,
    /// MLflow: `POST URL`, where the URL ends with `/invocations`.
    Mlflow,
}

impl Protocol {
    const ALL: [(&str, Self); 3] =
        [("kserve-v2", Self::KserveV2), ("tf-serving", Self::TfServing), ("mlflow", Self::Mlflow)];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }

    /// The address that requests go to.
    pub(crate) fn address(self, url: &str) -> String {
        let url = url.trim_end_matches('/');
        match self {
            Self::KserveV2 if !url.ends_with("/infer") => format!("{url}/infer"),
            Self::TfServing if !url.ends_with(":predict") => format!("{url}:predict"),
            _ => url.to_owned(),
        }
    }

    /// The address of a description of the model, if there is one.
    pub(crate) fn description(self, url: &str) -> Option<String> {
        let url = url.trim_end_matches('/');
        (self == Self::KserveV2).then(|| url.strip_suffix("/infer").unwrap_or(url).to_owned())
    }

    /// The body of a request about `values` of shape `[n, a, b, c]`.
    pub(crate) fn body(self, input: &str, shape: [usize; 4], values: &[f32]) -> Vec<u8> {
        match self {
            Self::KserveV2 => kserve::body(input, shape, values),
            Self::TfServing => rows::body("instances", shape, values),
            Self::Mlflow => rows::body("inputs", shape, values),
        }
    }

    /// What the service says. `Err` has what was found instead.
    pub(crate) fn answer(self, body: &[u8]) -> Result<Answer, String> {
        match self {
            Self::KserveV2 => kserve::answer(body),
            Self::TfServing | Self::Mlflow => rows::answer(body),
        }
    }

    /// The answer that is expected, in words.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::KserveV2 => "`outputs` of the Open Inference Protocol with scores [n, classes] or labels [n]",
            Self::TfServing | Self::Mlflow => "`predictions` with scores [n, classes] or labels [n]",
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        found
            .map(|(_, protocol)| protocol)
            .ok_or_else(|| format!("`{text}` is no protocol: expected {}", Self::ALL.map(|(name, _)| name).join(", ")))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_protocol() {
        let of = |name: &str, url: &str| name.parse::<Protocol>().unwrap().address(url);
        assert_eq!(of("kserve-v2", "http://h/v2/models/m"), "http://h/v2/models/m/infer");
        assert_eq!(of("kserve-v2", "http://h/v2/models/m/infer"), "http://h/v2/models/m/infer");
        assert_eq!(of("tf-serving", "http://h/v1/models/m/"), "http://h/v1/models/m:predict");
        assert_eq!(of("mlflow", "http://h/invocations"), "http://h/invocations");
        assert!("grpc".parse::<Protocol>().unwrap_err().contains("expected kserve-v2, tf-serving, mlflow"));
        assert!(Protocol::ALL.into_iter().all(|(name, protocol)| protocol.to_string() == name));
    }
}
