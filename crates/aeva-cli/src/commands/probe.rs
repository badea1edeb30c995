//! `aeva probe URL`: finds out how a prediction service is asked.

use aeva_model::{Attempt, Found, Protocol, probe};

use crate::args::ProbeArgs;
use crate::exit::ExitStatus;
use crate::hint::Hinted;
use crate::output::{complain, plain, show};

pub(crate) fn run(args: &ProbeArgs) -> anyhow::Result<ExitStatus> {
    let data = args.images.load(&args.data)?;
    let shape = data.image_shape();
    let values: usize = shape.iter().product();
    let image = data.images.as_slice().unwrap_or_default().get(..values).unwrap_or_default();
    let attempts = probe(&args.url, &args.access.options(Protocol::Template)?, shape, image)?;
    for Attempt { form, address, outcome } in &attempts {
        let outcome = match outcome {
            Ok(found) => format!("understood, with {}", found.answer),
            Err(said) => said.clone(),
        };
        complain(&plain(&format!("{form} at {address}: {outcome}")));
    }
    let Some(found) = attempts.into_iter().find_map(|attempt| attempt.outcome.ok()) else {
        return Err(Hinted::error(
            format!("{} understands none of the known forms", args.url),
            "check the address; write an endpoint.toml for the form of the service (docs/endpoints.md)",
        ));
    };
    show(&text(&found, &args.data.display().to_string()))?;
    Ok(ExitStatus::Success)
}

/// The command that scans the service, with the template that it needs.
fn text(found: &Found, data: &str) -> String {
    let Found { protocol, url, template, answer } = found;
    let classes = if answer == "a label" { " --classes N" } else { "" };
    let command = format!("aeva scan --endpoint {url} --protocol {protocol} --data {data}{classes}");
    match template {
        None => plain(&command),
        Some(template) => plain(&format!("# {command} --template endpoint.toml\n{}", template.trim_end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_states_what_was_found() {
        let found =
            Found { protocol: Protocol::Mlflow, url: "http://h/i".into(), template: None, answer: "a label".into() };
        assert_eq!(text(&found, "x.npz"), "aeva scan --endpoint http://h/i --protocol mlflow --data x.npz --classes N");
    }
}
