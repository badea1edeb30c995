//! Services of any form, described in a file `endpoint.toml`.

mod answer;
mod body;
mod file;

use serde_json::Value;

use crate::answer::Answer;
use crate::message::Message;

/// How a service is asked and what its answer looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    method: String,
    headers: Vec<(String, String)>,
    request: Request,
    image: Image,
    /// Where the answers are.
    pointer: String,
    /// Where that of an image is within its entry.
    each: String,
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Request {
    /// JSON with a placeholder for the images, one or many.
    Json { text: String, batch: bool },
    /// A picture as a file of a form.
    Multipart { field: String },
    /// A picture alone.
    Raw,
}

/// What an image becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Image {
    /// Nested lists of numbers.
    Nested,
    /// One list of numbers.
    Flat,
    Png,
    Jpeg {
        quality: u8,
    },
}

impl Template {
    /// The picture alone as PNG, and an answer that is scores, a label or a name: what TorchServe takes.
    pub(crate) fn raw_picture() -> Self {
        Self {
            method: "POST".to_owned(),
            headers: Vec::new(),
            request: Request::Raw,
            image: Image::Png,
            pointer: String::new(),
            each: String::new(),
            names: Vec::new(),
        }
    }

    /// Headers of every request. `$TOKEN` in one stands for the token.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    /// The names of the labels, where the service answers with names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether images go out as pictures of 8 bits.
    pub(crate) fn sends_pictures(&self) -> bool {
        matches!(self.image, Image::Png | Image::Jpeg { .. })
    }

    /// Whether the pictures lose more than their last bits.
    pub(crate) fn sends_jpeg(&self) -> bool {
        matches!(self.image, Image::Jpeg { .. })
    }

    /// Whether a request may have several images.
    pub(crate) fn is_batch(&self) -> bool {
        matches!(self.request, Request::Json { batch: true, .. })
    }

    pub(crate) fn request(&self, shape: [usize; 4], values: &[f32]) -> Result<Message, String> {
        body::message(self, shape, values)
    }

    pub(crate) fn answer(&self, body: &[u8], count: usize) -> Result<Answer, String> {
        answer::of(self, body, count)
    }
}

/// A value at a JSON pointer.
fn at<'a>(value: &'a Value, pointer: &str) -> Result<&'a Value, String> {
    value.pointer(pointer).ok_or_else(|| {
        let shown = crate::answer::shown(&value.to_string());
        format!("nothing at {pointer} of `{shown}`")
    })
}
