//! How a prediction service is asked.

use std::env;
use std::fs;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aeva_model::loader::{KnownAnswers, ServiceOptions};
use aeva_model::{AwsKeys, EndpointOptions, Protocol, Secret, Template};
use anyhow::Context;
use clap::Args;

use crate::hint::Hinted;

/// How a prediction service is asked, where the model is its address.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Prediction service")]
pub(crate) struct ServiceArgs {
    /// Form of requests and answers: `kserve-v2` (Open Inference Protocol), `kserve-v2-binary` (with tensors as bytes), `tf-serving`,
    /// `torchserve`, `mlflow`, `sagemaker` (signed with the keys of the environment, AWS_ACCESS_KEY_ID and so on) or `template`.
    #[arg(long)]
    protocol: Option<Protocol>,
    /// File that describes the requests and answers of any other service (docs/endpoints.md). `aeva probe` prints one.
    #[arg(long, value_name = "FILE", requires = "protocol", required_if_eq("protocol", "template"))]
    template: Option<PathBuf>,
    #[command(flatten)]
    access: AccessArgs,
    /// Requests at the same time; 4 by default. They do not change the result.
    #[arg(long, value_name = "N", requires = "protocol")]
    connections: Option<NonZeroUsize>,
    /// Images of a request at most; 64 or 128 by default, whichever is faster. They do not change the result.
    #[arg(long, value_name = "N", requires = "protocol")]
    request_images: Option<NonZeroUsize>,
    /// Requests a second of all connections together.
    #[arg(long, value_name = "RATE", requires = "protocol", value_parser = rate)]
    request_rate: Option<f64>,
    /// How often a request is sent at most, if it fails in a way that may pass; 8 by default.
    #[arg(long, value_name = "N", requires = "protocol")]
    request_tries: Option<NonZeroU32>,
    /// Seconds that a request may take; 60 by default.
    #[arg(long, value_name = "SECONDS", requires = "protocol", value_parser = super::seconds)]
    request_timeout: Option<f64>,
    /// Most requests of this run, those that fail included. The scan ends there as with `--max-queries`.
    #[arg(long, value_name = "N", requires = "protocol")]
    max_requests: Option<NonZeroU64>,
}

/// What a service wants to know, and whether it is the right one.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Prediction service")]
pub(crate) struct AccessArgs {
    /// Environment variable with the token that the service wants. The token is in no file and no message.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "token_file")]
    token_env: Option<String>,
    /// File with that token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with certificates (PEM) to trust in place of those of Mozilla; that of SSL_CERT_FILE by default.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Do not look at the certificate of the service. Anybody on the way can then read the token and change the answers.
    #[arg(long)]
    insecure: bool,
}

/// Requests at the same time unless stated.
const CONNECTIONS: usize = 4;
/// Largest template.
const MOST_BYTES: u64 = 1 << 20;

impl ServiceArgs {
    /// What is stated, if a protocol is.
    pub(crate) fn options(&self, classes: Option<u32>) -> anyhow::Result<Option<ServiceOptions>> {
        let Some(protocol) = self.protocol else { return Ok(None) };
        let mut options = EndpointOptions {
            template: self.template.as_deref().map(template).transpose()?,
            aws: if protocol == Protocol::SageMaker { aws_keys()? } else { None },
            classes,
            rate: self.request_rate,
            rows: self.request_images.map(NonZeroUsize::get),
            requests: self.max_requests.map(NonZeroU64::get),
            ..self.access.options(protocol)?
        };
        if let Some(tries) = self.request_tries {
            options.tries = tries.get();
        }
        if let Some(seconds) = self.request_timeout {
            options.timeout = Duration::from_secs_f64(seconds);
        }
        let connections = self.connections.map_or(CONNECTIONS, NonZeroUsize::get);
        Ok(Some(ServiceOptions { options, connections, known: KnownAnswers::default() }))
    }
}

impl AccessArgs {
    /// The defaults of a protocol with this access.
    pub(crate) fn options(&self, protocol: Protocol) -> anyhow::Result<EndpointOptions> {
        if self.insecure {
            tracing::warn!(
                "--insecure: nobody knows who answers; anybody on the way can read the token and change the answers"
            );
        }
        let certificates = self.ca_file.clone().or_else(|| env::var_os("SSL_CERT_FILE").map(PathBuf::from));
        let (token, insecure) = (self.token()?, self.insecure);
        Ok(EndpointOptions { token, certificates, insecure, ..EndpointOptions::new(protocol) })
    }

    fn token(&self) -> anyhow::Result<Option<Secret>> {
        let (text, place) = if let Some(name) = &self.token_env {
            let missing =
                || Hinted::error(format!("the environment has no {name}"), "set it to the token, or omit --token-env");
            (env::var(name).map_err(|_| missing())?, name.clone())
        } else if let Some(path) = &self.token_file {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            (text, path.display().to_string())
        } else {
            return Ok(None);
        };
        let secret = Secret::new(&text);
        secret
            .map(Some)
            .ok_or_else(|| Hinted::error(format!("{place} has no token"), "put the token into it, on one line"))
    }
}

/// Reads a template.
fn template(path: &Path) -> anyhow::Result<Template> {
    let bytes = aeva_artifact::read_regular(path, MOST_BYTES)?;
    let text = String::from_utf8_lossy(&bytes);
    text.parse().map_err(|why| {
        Hinted::error(
            format!("{} does not describe a service: {why}", path.display()),
            "docs/endpoints.md has all keys and examples; `aeva probe` prints a file to begin with",
        )
    })
}

/// The keys in the environment; without any, requests are not signed, as for a container on the same machine.
fn aws_keys() -> anyhow::Result<Option<AwsKeys>> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(access_key), Some(secret_key)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    else {
        return Ok(None);
    };
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = region.ok_or_else(|| {
        Hinted::error("the environment has keys of AWS, but no region", "set AWS_REGION to the region of the endpoint")
    })?;
    Ok(Some(AwsKeys { access_key, secret_key, session_token: variable("AWS_SESSION_TOKEN"), region }))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1e6).contains(rate));
    rate.ok_or_else(|| "expected requests a second, from 0.001 to 1000000".to_owned())
}
