//! How a prediction service is asked.

use std::env;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use aeva_model::loader::ServiceOptions;
use aeva_model::{EndpointOptions, Protocol, Secret};
use anyhow::Context;
use clap::Args;

use crate::hint::Hinted;

/// How a prediction service is asked, where the model is its address.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Prediction service")]
pub(crate) struct ServiceArgs {
    /// Form of requests and answers: `kserve-v2` (Open Inference Protocol), `tf-serving` or `mlflow`.
    #[arg(long)]
    protocol: Option<Protocol>,
    /// Environment variable with the token that the service wants. The token is in no file and no message.
    #[arg(long, value_name = "VARIABLE", requires = "protocol", conflicts_with = "token_file")]
    token_env: Option<String>,
    /// File with that token.
    #[arg(long, value_name = "FILE", requires = "protocol")]
    token_file: Option<PathBuf>,
    /// Requests at the same time; 4 by default. They do not change the result.
    #[arg(long, value_name = "N", requires = "protocol")]
    connections: Option<NonZeroUsize>,
    /// Images of a request at most; 64 by default. They do not change the result.
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
}

/// Requests at the same time unless stated.
const CONNECTIONS: usize = 4;

impl ServiceArgs {
    /// What is stated, if a protocol is.
    pub(crate) fn options(&self, classes: Option<u32>) -> anyhow::Result<Option<ServiceOptions>> {
        let Some(protocol) = self.protocol else { return Ok(None) };
        let mut options = EndpointOptions {
            token: self.token()?,
            classes,
            rate: self.request_rate,
            ..EndpointOptions::new(protocol)
        };
        if let Some(rows) = self.request_images {
            options.rows = rows.get();
        }
        if let Some(tries) = self.request_tries {
            options.tries = tries.get();
        }
        if let Some(seconds) = self.request_timeout {
            options.timeout = Duration::from_secs_f64(seconds);
        }
        Ok(Some(ServiceOptions { options, connections: self.connections.map_or(CONNECTIONS, NonZeroUsize::get) }))
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

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1e6).contains(rate));
    rate.ok_or_else(|| "expected requests a second, from 0.001 to 1000000".to_owned())
}
