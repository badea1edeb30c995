//! How a service is asked.

use std::path::PathBuf;
use std::time::Duration;

use crate::aws::AwsKeys;
use crate::{Protocol, Secret, Template};

/// How a service is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointOptions {
    /// The form of requests and answers.
    pub protocol: Protocol,
    /// What it is in detail, for [`Protocol::Template`] and for the names of [`Protocol::TorchServe`].
    pub template: Option<Template>,
    /// The token, if the service wants one.
    pub token: Option<Secret>,
    /// Keys that sign the requests, for [`Protocol::SageMaker`].
    pub aws: Option<AwsKeys>,
    /// Number of labels, for a service that answers with labels.
    pub classes: Option<u32>,
    /// Time that a request may take, from its beginning to the end of the answer.
    pub timeout: Duration,
    /// How often a request is sent at most: the first time, and again after the failures that pass.
    pub tries: u32,
    /// Requests a second of all connections together; as many as go if not stated.
    pub rate: Option<f64>,
    /// Requests in all, those that failed included; no limit if not stated.
    pub requests: Option<u64>,
    /// Images of a request; if not stated, 64 or 128, whichever the service is faster with, or fewer.
    pub rows: Option<usize>,
    /// File with the certificates of further authorities (PEM).
    pub certificates: Option<PathBuf>,
    /// Whether the certificate of the service is not looked at. Then anybody on the way can read the token.
    pub insecure: bool,
}

impl EndpointOptions {
    /// Time that a request may take unless stated.
    pub const TIMEOUT: Duration = Duration::from_mins(1);
    /// Tries of a request unless stated.
    pub const TRIES: u32 = 8;

    /// The defaults for a protocol.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            template: None,
            token: None,
            aws: None,
            classes: None,
            timeout: Self::TIMEOUT,
            tries: Self::TRIES,
            rate: None,
            requests: None,
            rows: None,
            certificates: None,
            insecure: false,
        }
    }
}
