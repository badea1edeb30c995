//! A service that is asked over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aeva_attack::Label;
use ureq::Agent;
use ureq::http::Response;

use crate::answer::{Answer, shown};
use crate::pace::Pace;
use crate::protocol::input_of;
use crate::retry::{may_pass, pause};
use crate::{EndpointError, EndpointOptions};

/// Longest answer, in bytes: a thousand scores for each of a thousand images.
const LONGEST_ANSWER: u64 = 1 << 26;
/// Longest part of the answer to a request that was refused.
const LONGEST_REFUSAL: u64 = 1 << 14;
/// Name of the input, where the service does not say it.
const INPUT: &str = "input";

/// A service. Those that [`another`](Self::another) makes share the pace, and can be asked at the same time.
pub struct Endpoint {
    shared: Arc<Shared>,
    /// Number of this connection.
    connection: u64,
}

struct Shared {
    agent: Agent,
    /// As the user gave it.
    url: String,
    address: String,
    options: EndpointOptions,
    pace: Pace,
    /// Name of the input tensor.
    input: String,
    connections: AtomicU64,
}

/// How a try failed.
enum Failed {
    /// It makes no sense to try again.
    For(EndpointError),
    /// It may pass: what went wrong, and what the service says about the time.
    Now(String, Option<String>),
}

impl Endpoint {
    /// A service at this address. Where the protocol has a description of the model, it is read.
    ///
    /// # Errors
    /// [`EndpointError`] for an address that is none, and for a service that cannot be reached or refuses.
    pub fn connect(url: &str, options: EndpointOptions) -> Result<Self, EndpointError> {
        check(url)?;
        // Statuses are answers here: some of them pass.
        let agent = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("aeva/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let protocol = options.protocol;
        let mut shared = Shared {
            agent,
            url: url.to_owned(),
            address: protocol.address(url),
            pace: Pace::new(options.rate),
            options,
            input: INPUT.to_owned(),
            connections: AtomicU64::new(1),
        };
        if let Some(description) = protocol.description(url) {
            let body = shared.send(0, &description, None)?;
            shared.input = input_of(&body).unwrap_or(shared.input);
        }
        Ok(Self { shared: Arc::new(shared), connection: 0 })
    }

    /// Another connection to the same service.
    #[must_use]
    pub fn another(&self) -> Self {
        let connection = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared), connection }
    }

    /// Images of a request at most.
    pub fn rows(&self) -> usize {
        self.shared.options.rows.max(1)
    }

    /// The number of labels, from the answer to one image: `values` of shape `[1, a, b, c]`.
    ///
    /// # Errors
    /// [`EndpointError`], also for a service that answers with labels where the number of labels was not stated.
    pub fn classes(&self, shape: [usize; 4], values: &[f32]) -> Result<u32, EndpointError> {
        let answer = self.ask(shape, values)?;
        let stated = self.shared.options.classes;
        match (answer.classes(), stated) {
            (Some(found), Some(stated)) if found != stated => {
                Err(self.unexpected(format!("{found} scores for an image"), format!("{stated}, as stated")))
            }
            (Some(found), _) if found < 2 => {
                Err(self
                    .unexpected(format!("{found} score for an image"), "one for each of two or more labels".to_owned()))
            }
            (Some(found), _) => Ok(found),
            (None, Some(stated)) => Ok(stated),
            (None, None) => {
                Err(self.unexpected("a label".to_owned(), "their number to be stated (--classes)".to_owned()))
            }
        }
    }

    /// The label of each image: `values` of shape `[n, a, b, c]`, as the model takes them.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn labels(
        &self,
        [count, a, b, c]: [usize; 4],
        values: &[f32],
        classes: u32,
        labels: &mut Vec<Label>,
    ) -> Result<(), EndpointError> {
        labels.clear();
        let image = (a * b * c).max(1);
        for part in values.chunks(image * self.rows()) {
            let rows = part.len() / image;
            let answer = self.ask([rows, a, b, c], part)?;
            let found = answer.labels(rows, classes).map_err(|(found, expected)| self.unexpected(found, expected))?;
            labels.extend(found);
        }
        if labels.len() == count {
            return Ok(());
        }
        Err(self.unexpected(format!("{} labels", labels.len()), format!("{count} labels")))
    }

    fn ask(&self, shape: [usize; 4], values: &[f32]) -> Result<Answer, EndpointError> {
        let Shared { options, address, input, .. } = &*self.shared;
        let body = options.protocol.body(input, shape, values);
        let answer = self.shared.send(self.connection, address, Some(&body))?;
        options.protocol.answer(&answer).map_err(|found| {
            let said = self.shared.without_token(&shown(&String::from_utf8_lossy(&answer)));
            self.unexpected(format!("{found} (`{said}`)"), options.protocol.expected().to_owned())
        })
    }

    fn unexpected(&self, found: String, expected: String) -> EndpointError {
        EndpointError::Answer { url: self.shared.url.clone(), found, expected }
    }
}

impl Shared {
    /// Sends a request until it is answered, as long as its failures may pass.
    fn send(&self, connection: u64, address: &str, body: Option<&[u8]>) -> Result<Vec<u8>, EndpointError> {
        let tries = self.options.tries.max(1);
        let mut last = String::new();
        for number in 1..=tries {
            self.pace.wait();
            let (why, stated) = match self.once(address, body) {
                Ok(answer) => return Ok(answer),
                Err(Failed::For(error)) => return Err(error),
                Err(Failed::Now(why, stated)) => (why, stated),
            };
            if number < tries {
                let pause = pause(number, stated.as_deref(), connection);
                tracing::debug!("{}: {why}; again in {:.1} s", self.url, pause.as_secs_f64());
                thread::sleep(pause);
            }
            last = why;
        }
        Err(EndpointError::Unreachable { url: self.url.clone(), tries, why: last })
    }

    fn once(&self, address: &str, body: Option<&[u8]>) -> Result<Vec<u8>, Failed> {
        let token = self.options.token.as_ref().map(crate::Secret::authorization);
        let sent = if let Some(body) = body {
            let request = self.agent.post(address).header("Content-Type", "application/json");
            let request = match &token {
                Some(token) => request.header("Authorization", token),
                None => request,
            };
            request.send(body)
        } else {
            let request = self.agent.get(address);
            let request = match &token {
                Some(token) => request.header("Authorization", token),
                None => request,
            };
            request.call()
        };
        let mut response = sent.map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        if status == 200 {
            let read = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
            return read.map_err(|error| self.failed(&error));
        }
        let said = response.body_mut().with_config().limit(LONGEST_REFUSAL).read_to_vec().unwrap_or_default();
        let said = self.without_token(&shown(&String::from_utf8_lossy(&said)));
        if may_pass(status) {
            let again = header(&response, "retry-after");
            return Err(Failed::Now(format!("status {status} ({said})"), again));
        }
        Err(Failed::For(EndpointError::Status { url: self.url.clone(), status, said }))
    }

    /// A broken line may be whole the next time; an address that cannot be used will not.
    fn failed(&self, error: &ureq::Error) -> Failed {
        let why = self.without_token(&error.to_string());
        match error {
            ureq::Error::BadUri(_) => {
                Failed::For(EndpointError::Address { url: self.url.clone(), why: "it cannot be read" })
            }
            ureq::Error::BodyExceedsLimit(_) => Failed::For(EndpointError::Answer {
                url: self.url.clone(),
                found: format!("more than {LONGEST_ANSWER} bytes"),
                expected: self.options.protocol.expected().to_owned(),
            }),
            _ => Failed::Now(why, None),
        }
    }

    fn without_token(&self, text: &str) -> String {
        self.options.token.as_ref().map_or_else(|| text.to_owned(), |token| token.removed_from(text))
    }
}

fn header<T>(response: &Response<T>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Refuses what is no address of a service. A password in it would be in every file of the scan.
fn check(url: &str) -> Result<(), EndpointError> {
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
