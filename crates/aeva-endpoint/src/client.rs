//! Sends requests with patience: at a pace, again after failures that pass, and within a limit.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::SystemTime;

use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::answer::shown;
use crate::aws::Signed;
use crate::message::{Message, Received};
use crate::pace::Pace;
use crate::protocol::HEAD_LENGTH;
use crate::retry::{may_pass, pause};
use crate::{EndpointError, EndpointOptions};

/// Longest answer, in bytes: a thousand scores for each of a thousand images.
const LONGEST_ANSWER: u64 = 1 << 26;
/// Longest part of the answer to a request that was refused.
const LONGEST_REFUSAL: u64 = 1 << 14;
/// An answer that is no answer comes again at most so often: a service of another form gives no other.
const WRONG_ANSWERS: u32 = 5;
/// The service of Amazon whose requests are signed.
const SIGNED_SERVICE: &str = "sagemaker";

/// What sends requests.
pub(crate) struct Client {
    agent: Agent,
    /// As the user gave it.
    pub(crate) url: String,
    pub(crate) options: EndpointOptions,
    pace: Pace,
    sent: AtomicU64,
}

/// A request.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) address: &'a str,
    /// Headers of every request.
    pub(crate) headers: &'a [(String, String)],
    /// What is sent; nothing to read a description.
    pub(crate) message: Option<&'a Message>,
    /// Number of the connection.
    pub(crate) connection: u64,
}

/// How a try failed.
enum Failed {
    /// It makes no sense to try again.
    For(EndpointError),
    /// It may pass: what went wrong, and what the service says about the time.
    Now(String, Option<String>),
}

/// Why an answer is none: what was found, and what was expected.
pub(crate) type Mismatch = (String, String);

impl Client {
    pub(crate) fn new(url: &str, options: EndpointOptions) -> Result<Self, EndpointError> {
        // Statuses are answers here: some of them pass. Proxies are those of the environment.
        let agent = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("aeva/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(&options)?)
            .build()
            .into();
        let pace = Pace::new(options.rate);
        Ok(Self { agent, url: url.to_owned(), options, pace, sent: AtomicU64::new(0) })
    }

    /// Sends a request until it is answered, as long as its failures may pass. `read` makes something of the answer.
    pub(crate) fn send<T>(
        &self,
        request: &Request<'_>,
        read: impl Fn(&Received) -> Result<T, Mismatch>,
    ) -> Result<T, EndpointError> {
        let tries = self.options.tries.max(1);
        let (mut last, mut wrong) = (String::new(), 0);
        for number in 1..=tries {
            self.take_one()?;
            self.pace.wait();
            let (why, stated) = match self.once(request) {
                Ok(received) => match read(&received) {
                    Ok(found) => return Ok(found),
                    Err((found, expected)) => {
                        wrong += 1;
                        let said = self.without_secrets(&shown(&String::from_utf8_lossy(&received.body)));
                        let found = format!("{found} (`{said}`)");
                        if wrong == WRONG_ANSWERS.min(tries) {
                            return Err(EndpointError::Answer { url: self.url.clone(), found, expected });
                        }
                        (found, None)
                    }
                },
                Err(Failed::For(error)) => return Err(error),
                Err(Failed::Now(why, stated)) => (why, stated),
            };
            if number < tries {
                let pause = pause(number, stated.as_deref(), request.connection, SystemTime::now());
                tracing::debug!("{}: {why}; again in {:.1} s", self.url, pause.as_secs_f64());
                thread::sleep(pause);
            }
            last = why;
        }
        Err(EndpointError::Unreachable { url: self.url.clone(), tries, why: last })
    }

    /// Counts a request, unless there were enough.
    fn take_one(&self) -> Result<(), EndpointError> {
        let limit = self.options.requests.unwrap_or(u64::MAX);
        let next = |sent: u64| (sent < limit).then_some(sent + 1);
        match self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(()),
            Err(_) => Err(EndpointError::Spent { url: self.url.clone(), requests: limit }),
        }
    }

    fn once(&self, request: &Request<'_>) -> Result<Received, Failed> {
        let headers = self.headers(request);
        let sent = if let Some(message) = request.message {
            let start = match request.method {
                "PUT" => self.agent.put(request.address),
                _ => self.agent.post(request.address),
            };
            let start = start.header("Content-Type", &message.content_type);
            let start = headers.iter().fold(start, |start, (name, value)| start.header(name, value));
            start.send(&message.body[..])
        } else {
            headers
                .iter()
                .fold(self.agent.get(request.address), |start, (name, value)| start.header(name, value))
                .call()
        };
        let mut response = sent.map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            let head = header(&response, HEAD_LENGTH).and_then(|length| length.trim().parse().ok());
            let read = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
            return read.map(|body| Received { head, body }).map_err(|error| self.failed(&error));
        }
        let said = response.body_mut().with_config().limit(LONGEST_REFUSAL).read_to_vec().unwrap_or_default();
        let said = self.without_secrets(&shown(&String::from_utf8_lossy(&said)));
        if may_pass(status) {
            let again = header(&response, "retry-after");
            return Err(Failed::Now(format!("status {status} ({said})"), again));
        }
        Err(Failed::For(EndpointError::Status { url: self.url.clone(), status, said }))
    }

    /// All headers but that of the content. A template may say where the token goes.
    fn headers(&self, request: &Request<'_>) -> Vec<(String, String)> {
        const PLACE: &str = "$TOKEN";
        let token = self.options.token.as_ref();
        let raw = token.map_or("", |token| token.raw());
        let has_place = request.headers.iter().any(|(_, value)| value.contains(PLACE));
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(name, value)| (name.clone(), value.replace(PLACE, raw))).collect();
        if let Some(token) = token.filter(|_| !has_place) {
            headers.push(("Authorization".to_owned(), token.authorization()));
        }
        if let Some(message) = request.message {
            headers.extend(message.headers.iter().cloned());
            if let Some(keys) = &self.options.aws {
                let signed = Signed {
                    method: request.method,
                    url: request.address,
                    service: SIGNED_SERVICE,
                    body: &message.body,
                };
                headers.extend(keys.headers(&signed, SystemTime::now()));
            }
        }
        headers
    }

    /// A broken line may be whole the next time; an address that cannot be used will not.
    fn failed(&self, error: &ureq::Error) -> Failed {
        let why = self.without_secrets(&error.to_string());
        let address = |why| Failed::For(EndpointError::Address { url: self.url.clone(), why });
        match error {
            ureq::Error::BadUri(_) => address("it cannot be read"),
            ureq::Error::BodyExceedsLimit(_) => Failed::For(EndpointError::Answer {
                url: self.url.clone(),
                found: format!("more than {LONGEST_ANSWER} bytes"),
                expected: "labels or scores".to_owned(),
            }),
            _ => Failed::Now(why, None),
        }
    }

    /// What a service says, without what it may repeat.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        let text = self.options.token.as_ref().map_or_else(|| text.to_owned(), |token| token.removed_from(text));
        self.options.aws.as_ref().map_or_else(|| text.clone(), |keys| keys.removed_from(&text))
    }
}

fn tls(options: &EndpointOptions) -> Result<TlsConfig, EndpointError> {
    let config = TlsConfig::builder().disable_verification(options.insecure);
    let Some(path) = &options.certificates else { return Ok(config.build()) };
    let error = |why: String| EndpointError::Certificates { path: path.clone(), why };
    let text = fs::read(path).map_err(|source| error(source.to_string()))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|source| error(source.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(error("it has no certificate in PEM".to_owned()));
    }
    Ok(config.root_certs(RootCerts::Specific(Arc::new(certificates))).build())
}

fn header<T>(response: &Response<T>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}
