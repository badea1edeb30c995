//! The forms of requests and answers.

mod binary;
mod kserve;
mod rows;
mod tensor;

use std::fmt;
use std::str::FromStr;

pub(crate) use self::binary::HEADER as HEAD_LENGTH;
pub(crate) use self::tensor::{Datatype, Description, byte};
use crate::answer::Answer;
use crate::message::{Message, Received};
use crate::template::Template;

/// The form of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// The Open Inference Protocol: `POST URL/infer`, where the URL ends with the name of the model.
    KserveV2,
    /// The same with tensors as bytes behind the JSON, an extension that most servers have.
    KserveV2Binary,
    /// TensorFlow Serving: `POST URL:predict`, where the URL ends with the name of the model.
    TfServing,
    /// TorchServe: a picture to `POST URL`, where the URL ends with `/predictions/NAME`.
    TorchServe,
    /// MLflow: `POST URL`, where the URL ends with `/invocations`.
    Mlflow,
    /// SageMaker: `POST URL`, where the URL ends with `/invocations`, in the form of TensorFlow Serving.
    SageMaker,
    /// What a file `endpoint.toml` says.
    Template,
}

/// A protocol with what it needs to know about a service.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    Kserve { input: Description, binary: bool },
    Rows { key: &'static str },
    Template(Box<Template>),
}

impl Protocol {
    /// All of them, with their names on the command line.
    const ALL: [(&str, Self); 7] = [
        ("kserve-v2", Self::KserveV2),
        ("kserve-v2-binary", Self::KserveV2Binary),
        ("tf-serving", Self::TfServing),
        ("torchserve", Self::TorchServe),
        ("mlflow", Self::Mlflow),
        ("sagemaker", Self::SageMaker),
        ("template", Self::Template),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }

    /// The address that requests go to.
    pub(crate) fn address(self, url: &str) -> String {
        let url = url.trim_end_matches('/');
        match self {
            Self::KserveV2 | Self::KserveV2Binary if !url.ends_with("/infer") => format!("{url}/infer"),
            // Not for a host without a path, where it would be a port.
            Self::TfServing if !url.ends_with(":predict") && has_path(url) => format!("{url}:predict"),
            _ => url.to_owned(),
        }
    }

    /// The address of a description of the model, if there is one.
    pub(crate) fn description(self, url: &str) -> Option<String> {
        let url = url.trim_end_matches('/');
        matches!(self, Self::KserveV2 | Self::KserveV2Binary)
            .then(|| url.strip_suffix("/infer").unwrap_or(url).to_owned())
    }

    /// The form of its messages; `template` is what the user states for [`Protocol::Template`].
    pub(crate) fn form(self, description: Description, template: Option<&Template>) -> Form {
        match (self, template) {
            (Self::KserveV2 | Self::KserveV2Binary, _) => {
                Form::Kserve { input: description, binary: self == Self::KserveV2Binary }
            }
            (Self::TfServing | Self::SageMaker, _) => Form::Rows { key: "instances" },
            (Self::Mlflow, _) => Form::Rows { key: "inputs" },
            (_, Some(template)) => Form::Template(Box::new(template.clone())),
            (Self::TorchServe | Self::Template, None) => Form::Template(Box::new(Template::raw_picture())),
        }
    }
}

impl Form {
    /// A request about `values` of shape `[n, a, b, c]`.
    pub(crate) fn request(&self, shape: [usize; 4], values: &[f32]) -> Result<Message, String> {
        match self {
            Self::Kserve { input, binary: false } => Ok(Message::json(kserve::body(input, shape, values))),
            Self::Kserve { input, binary: true } => Ok(binary::request(input, shape, values)),
            Self::Rows { key } => Ok(Message::json(rows::body(key, shape, values))),
            Self::Template(template) => template.request(shape, values),
        }
    }

    /// What the service says about `count` images. `Err` has what was found instead.
    pub(crate) fn answer(&self, received: &Received, count: usize) -> Result<Answer, String> {
        match self {
            Self::Kserve { binary: true, .. } => binary::answer(received),
            Self::Kserve { binary: false, .. } => kserve::answer(&received.body),
            Self::Rows { .. } => rows::answer(&received.body),
            Self::Template(template) => template.answer(&received.body, count),
        }
    }

    /// Whether it takes pixels of 8 bits, 0 to 255.
    pub(crate) fn takes_bytes(&self) -> bool {
        match self {
            Self::Kserve { input, .. } => input.datatype == Datatype::Uint8,
            Self::Rows { .. } => false,
            Self::Template(template) => template.sends_pictures(),
        }
    }

    /// Most images of a request, where the form limits them.
    pub(crate) fn most_rows(&self) -> usize {
        match self {
            Self::Template(template) if !template.is_batch() => 1,
            _ => usize::MAX,
        }
    }

    /// The answer that is expected, in words.
    pub(crate) fn expected(&self) -> &'static str {
        match self {
            Self::Kserve { .. } => "`outputs` of the Open Inference Protocol with scores [n, classes] or labels [n]",
            Self::Rows { .. } => "`predictions` with scores [n, classes] or labels [n]",
            Self::Template(_) => "scores, a label or a name for each image, where the template says",
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

/// Whether there is anything behind the host of an address.
fn has_path(url: &str) -> bool {
    url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_protocol() {
        let of = |name: &str, url: &str| name.parse::<Protocol>().unwrap().address(url);
        assert_eq!(of("kserve-v2", "http://h/v2/models/m"), "http://h/v2/models/m/infer");
        assert_eq!(of("kserve-v2-binary", "http://h/v2/models/m/infer"), "http://h/v2/models/m/infer");
        assert_eq!(of("tf-serving", "http://h/v1/models/m/"), "http://h/v1/models/m:predict");
        assert_eq!(of("tf-serving", "http://h:8080/"), "http://h:8080");
        assert_eq!(of("mlflow", "http://h/invocations"), "http://h/invocations");
        assert_eq!(of("torchserve", "http://h/predictions/m"), "http://h/predictions/m");
        assert!("grpc".parse::<Protocol>().unwrap_err().contains("expected kserve-v2, kserve-v2-binary, tf-serving"));
        assert!(Protocol::ALL.into_iter().all(|(name, protocol)| protocol.to_string() == name));
    }
}
