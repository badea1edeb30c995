//! Prediction services as black boxes: images over HTTP, labels back.
//!
//! - [`Endpoint`] sends batches of images to a service and turns what comes back into labels.
//! - [`Protocol`] says in which form: the Open Inference Protocol (KServe v2), TensorFlow Serving, TorchServe, MLflow, SageMaker.
//! - [`Template`] says it for everything else: a file `endpoint.toml`.
//! - [`probe()`] finds out in which form a service is asked.
//! - [`EndpointOptions`] has the manners: how long to wait, how often to try again, how many requests a second.
//! - [`Secret`] keeps a token out of every message, and [`AwsKeys`] those of an account.
//!
//! Requests are blocking: an oracle belongs to one thread, and several oracles share the pace.

mod answer;
mod aws;
mod client;
mod endpoint;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod message;
mod numbers;
mod options;
mod pace;
mod probe;
mod protocol;
mod retry;
mod secret;
mod size;
mod template;

pub use aws::AwsKeys;
pub use endpoint::{Endpoint, Pixels};
pub use error::EndpointError;
pub use options::EndpointOptions;
pub use probe::{Attempt, Found, probe};
pub use protocol::Protocol;
pub use secret::Secret;
pub use template::Template;
