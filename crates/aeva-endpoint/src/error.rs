//! Errors of a service.

use std::path::PathBuf;

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
    /// The limit of requests is reached.
    #[error("{url} was asked {requests} times, the limit")]
    Spent {
        /// The address.
        url: String,
        /// The limit.
        requests: u64,
    },
    /// The images cannot be sent in the form of the service.
    #[error("{url} cannot be asked about {found}")]
    Images {
        /// The address.
        url: String,
        /// What the images are.
        found: String,
    },
    /// A file of certificates cannot be used.
    #[error("{path} cannot be used for certificates: {why}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The service answers the same images differently than before: it is another model, or mixes up its answers.
    #[error(
        "{url} answers differently than when the scan began: {differ} of {images} images that were asked about again have another label"
    )]
    Changed {
        /// The address.
        url: String,
        /// Images with another label.
        differ: usize,
        /// Images that were asked about again.
        images: usize,
    },
}
