//! A service that is asked over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aeva_attack::Label;

use crate::client::{Client, Mismatch, Request};
use crate::protocol::{Description, Form};
use crate::size::Size;
use crate::{EndpointError, EndpointOptions};

/// The status of a request that is too large.
const TOO_LARGE: u16 = 413;

/// A service. Those that [`another`](Self::another) makes share the pace, and can be asked at the same time.
pub struct Endpoint {
    shared: Arc<Shared>,
    /// Number of this connection.
    connection: u64,
}

struct Shared {
    client: Client,
    address: String,
    form: Form,
    about: Option<String>,
    size: Size,
    connections: AtomicU64,
}

/// The values that a service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Any numbers.
    Numbers,
    /// Whole numbers from 0 to 255, one of 256 steps.
    Bytes,
    /// The same in a picture that is compressed with loss.
    Jpeg,
}

impl Endpoint {
    /// A service at this address. Where the protocol has a description of the model, it is read.
    ///
    /// # Errors
    /// [`EndpointError`] for an address that is none, and for a service that cannot be reached or refuses.
    pub fn connect(url: &str, options: EndpointOptions) -> Result<Self, EndpointError> {
        check(url)?;
        let protocol = options.protocol;
        let (address, template) = (protocol.address(url), options.template.clone());
        let client = Client::new(url, options)?;
        let description = match protocol.description(url) {
            None => Description::default(),
            Some(address) => {
                let request = Request { method: "GET", address: &address, headers: &[], message: None, connection: 0 };
                let expected = || "the description of a model with one input of numbers".to_owned();
                client
                    .send(&request, |received| Description::of(&received.body).map_err(|found| (found, expected())))?
            }
        };
        let about = description.about.clone();
        let form = protocol.form(description, template.as_ref());
        let size = Size::new(client.options.rows, form.most_rows());
        let connections = AtomicU64::new(1);
        Ok(Self { shared: Arc::new(Shared { client, address, form, about, size, connections }), connection: 0 })
    }

    /// Another connection to the same service.
    #[must_use]
    pub fn another(&self) -> Self {
        let connection = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared), connection }
    }

    /// Images of a request at most. It becomes smaller where a service refuses requests as too large.
    pub fn rows(&self) -> usize {
        self.shared.size.most()
    }

    /// What the service says about the model, in words.
    pub fn about(&self) -> Option<&str> {
        self.shared.about.as_deref()
    }

    /// The values that it takes.
    pub fn pixels(&self) -> Pixels {
        match &self.shared.form {
            Form::Template(template) if template.sends_jpeg() => Pixels::Jpeg,
            form if form.takes_bytes() => Pixels::Bytes,
            _ => Pixels::Numbers,
        }
    }

    /// The number of labels, from the answer to one image: `values` of shape `[1, a, b, c]`.
    ///
    /// # Errors
    /// [`EndpointError`], also for a service that answers with labels where the number of labels was not stated.
    pub fn classes(&self, shape: [usize; 4], values: &[f32]) -> Result<u32, EndpointError> {
        let options = &self.shared.client.options;
        let names = options.template.as_ref().and_then(|template| u32::try_from(template.names().len()).ok());
        let stated = options.classes.or(names.filter(|&names| names > 0));
        self.ask(shape, values, |answer| match (answer.classes(), stated) {
            (Some(found), Some(stated)) if found != stated => {
                Err((format!("{found} scores for an image"), format!("{stated}, as stated")))
            }
            (Some(found), _) if found < 2 => {
                Err((format!("{found} score for an image"), "one for each of two or more labels".to_owned()))
            }
            (Some(found), _) => Ok(found),
            (None, Some(stated)) => Ok(stated),
            (None, None) => Err(("a label".to_owned(), "their number to be stated (--classes)".to_owned())),
        })
    }

    /// The label of each image: `values` of shape `[n, a, b, c]`, as the model takes them.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn labels(
        &self,
        [_, a, b, c]: [usize; 4],
        values: &[f32],
        classes: u32,
        labels: &mut Vec<Label>,
    ) -> Result<(), EndpointError> {
        labels.clear();
        let image = (a * b * c).max(1);
        let mut rest = values;
        // Each turn takes at least an image, or halves the number of images of a request.
        while !rest.is_empty() {
            let (part, others) = rest.split_at((image * self.shared.size.now()).min(rest.len()));
            let count = part.len() / image;
            let begin = Instant::now();
            match self.ask([count, a, b, c], part, |answer| answer.labels(count, classes)) {
                Ok(found) => {
                    labels.extend(found);
                    if let Some(images) = self.shared.size.took(count, begin.elapsed()) {
                        tracing::debug!("{}: {images} images a request from now on", self.url());
                    }
                }
                Err(EndpointError::Status { status: TOO_LARGE, .. }) if count > 1 => {
                    if let Some(smaller) = self.shared.size.shrink(count) {
                        tracing::info!("{}: {count} images are too large a request; {smaller} from now on", self.url());
                    }
                    continue;
                }
                Err(error) => return Err(error),
            }
            rest = others;
        }
        Ok(())
    }

    /// Its address, as it was given.
    pub fn url(&self) -> &str {
        &self.shared.client.url
    }

    fn ask<T>(
        &self,
        shape: [usize; 4],
        values: &[f32],
        read: impl Fn(&crate::answer::Answer) -> Result<T, Mismatch>,
    ) -> Result<T, EndpointError> {
        let Shared { client, address, form, .. } = &*self.shared;
        let message =
            form.request(shape, values).map_err(|found| EndpointError::Images { url: self.url().to_owned(), found })?;
        let (method, headers) = match form {
            Form::Template(template) => (template.method(), template.headers()),
            _ => ("POST", &[][..]),
        };
        let request = Request { method, address, headers, message: Some(&message), connection: self.connection };
        client.send(&request, |received| {
            let answer = form.answer(received, shape[0]).map_err(|found| (found, form.expected().to_owned()))?;
            read(&answer)
        })
    }
}

/// Refuses what is no address of a service. A password in it would be in every file of the scan.
pub(crate) fn check(url: &str) -> Result<(), EndpointError> {
    let wrong = |why| EndpointError::Address { url: without_password(url), why };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.ok_or_else(|| wrong("it begins neither with http:// nor with https://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err(wrong("it has a user or a password; state a token by --token-env"));
    }
    if host.is_empty() || url.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(wrong("it has no host, or a blank"));
    }
    if url.contains(['?', '#']) {
        return Err(wrong("it has a query, which may hold a secret; state a token by --token-env"));
    }
    Ok(())
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(begin), Some(end)) if begin < end => format!("{}***{}", &url[..begin + 3], &url[end..]),
        _ => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_no_secrets() {
        assert!(check("http://127.0.0.1:8080/v2/models/m").is_ok() && check("https://host/x").is_ok());
        for (url, why) in [
            ("ftp://h", "begins neither"),
            ("model.onnx", "begins neither"),
            ("http://", "no host"),
            ("http:///x", "no host"),
            ("http://h/a b", "a blank"),
            ("http://me:geheim@h/x", "a password"),
            ("https://h/x?key=geheim", "a query"),
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("geheim"), "{error}");
        }
    }
}
