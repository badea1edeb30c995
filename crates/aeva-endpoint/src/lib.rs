//! Prediction services as black boxes: images over HTTP, labels back.
//!
//! - [`Endpoint`] sends batches of images to a service and turns what comes back into labels.
//! - [`Protocol`] says in which form: the Open Inference Protocol (KServe v2), TensorFlow Serving, MLflow.
//! - [`EndpointOptions`] has the manners: how long to wait, how often to try again, how many requests a second.
//! - [`Secret`] keeps a token out of every message.
//!
//! Requests are blocking: an oracle belongs to one thread, and several oracles share the pace.

mod answer;
mod endpoint;
mod error;
mod options;
mod pace;
mod protocol;
mod retry;
mod secret;

pub use endpoint::Endpoint;
pub use error::EndpointError;
pub use options::EndpointOptions;
pub use protocol::Protocol;
pub use secret::Secret;
