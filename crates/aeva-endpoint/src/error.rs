//! Errors of a service.

/// A service cannot be asked, or does not answer as it should. No message has the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The address is none of a service.
    #[error("{url} is no address of a service: {why}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The service refuses the request.
    #[error("{url} answered with status {status}{}", if said.is_empty() { String::new() } else { format!(": {said}") })]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of what it says.
        said: String,
    },
    /// The service cannot be reached, or the line broke, again and again.
    #[error("{url} cannot be reached after {tries} tries: {why}")]
    Unreachable {
        /// The address.
        url: String,
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        why: String,
    },
    /// The answer is another one than was expected.
    #[error("{url} answered {found}, expected {expected}")]
    Answer {
        /// The address.
        url: String,
        /// What was answered.
        found: String,
        /// What was expected.
        expected: String,
    },
}
