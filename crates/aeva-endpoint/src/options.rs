//! How a service is asked.

use std::time::Duration;

use crate::{Protocol, Secret};

/// How a service is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointOptions {
    /// The form of requests and answers.
    pub protocol: Protocol,
    /// The token, if the service wants one.
    pub token: Option<Secret>,
    /// Number of labels, for a service that answers with labels.
    pub classes: Option<u32>,
    /// Time that a request may take, from its beginning to the end of the answer.
    pub timeout: Duration,
    /// How often a request is sent at most: the first time, and again after the failures that pass.
    pub tries: u32,
    /// Requests a second of all connections together; as many as go if not stated.
    pub rate: Option<f64>,
    /// Images of a request at most.
    pub rows: usize,
}

impl EndpointOptions {
    /// Time that a request may take unless stated.
    pub const TIMEOUT: Duration = Duration::from_mins(1);
    /// Tries of a request unless stated.
    pub const TRIES: u32 = 8;
    /// Images of a request unless stated.
    pub const ROWS: usize = 64;

    /// The defaults for a protocol.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            token: None,
            classes: None,
            timeout: Self::TIMEOUT,
            tries: Self::TRIES,
            rate: None,
            rows: Self::ROWS,
        }
    }
}
