//! Finds out how a service is asked, by trying.

use serde_json::Value;

use crate::answer::{parse, shown};
use crate::client::{Client, Request};
use crate::endpoint::check;
use crate::message::Received;
use crate::protocol::{Description, Form};
use crate::template::Template;
use crate::{EndpointError, EndpointOptions, Protocol};

/// What was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The form, in words.
    pub form: String,
    /// The address.
    pub address: String,
    /// What was found, or what the service said.
    pub outcome: Result<Found, String>,
}

/// A form that a service understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its value of `--protocol`.
    pub protocol: Protocol,
    /// The address to state.
    pub url: String,
    /// The text of a file `endpoint.toml`, for [`Protocol::Template`].
    pub template: Option<String>,
    /// What was answered about the image, in words.
    pub answer: String,
}

/// Bodies that services take, beside those of the protocols: name, the table `request` of a template, and whether it sends pictures.
const TEMPLATES: [(&str, &str, bool); 9] = [
    ("a picture alone (PNG)", "form = \"raw\"\nimage = \"png\"", true),
    ("a form with a picture `file`", "form = \"multipart\"\nimage = \"png\"\nfield = \"file\"", true),
    ("a form with a picture `image`", "form = \"multipart\"\nimage = \"png\"\nfield = \"image\"", true),
    ("a form with a picture `data`", "form = \"multipart\"\nimage = \"png\"\nfield = \"data\"", true),
    (
        "JSON with a picture `image` in base64",
        "form = \"json\"\nimage = \"png\"\njson = '{\"image\": \"$IMAGE\"}'",
        true,
    ),
    ("JSON with a picture `data` in base64", "form = \"json\"\nimage = \"png\"\njson = '{\"data\": \"$IMAGE\"}'", true),
    ("JSON with a list `images`", "form = \"json\"\nimage = \"nested\"\njson = '{\"images\": \"$IMAGES\"}'", false),
    ("JSON with a list `data`", "form = \"json\"\nimage = \"nested\"\njson = '{\"data\": \"$IMAGES\"}'", false),
    ("JSON with numbers `image`", "form = \"json\"\nimage = \"nested\"\njson = '{\"image\": \"$IMAGE\"}'", false),
];

/// Tries the forms of requests with an image of shape `[h, w, c]`, values in `[0, 1]`, until one is understood. `options` have the
/// access; their protocol is not used.
///
/// # Errors
/// [`EndpointError`] for an address that is none, and for a service that cannot be reached.
pub fn probe(
    url: &str,
    options: &EndpointOptions,
    [height, width, channels]: [usize; 3],
    image: &[f32],
) -> Result<Vec<Attempt>, EndpointError> {
    check(url)?;
    let client = Client::new(url, EndpointOptions { tries: 2, ..options.clone() })?;
    let shape = [1, height, width, channels];
    let bytes: Vec<f32> = image.iter().map(|value| value * 255.0).collect();
    let mut attempts = Vec::new();
    for (protocol, at) in candidates(url) {
        let description = match protocol.description(&at) {
            None => Ok(Description::default()),
            Some(address) => get(&client, &address),
        };
        let attempt = description.and_then(|description| {
            let form = protocol.form(description, None);
            let values = if form.takes_bytes() { &bytes[..] } else { image };
            understood(&client, protocol, &form, &at, shape, values)
        });
        if finish(&mut attempts, protocol.name(), &protocol.address(&at), attempt)? {
            return Ok(attempts);
        }
    }
    for (name, request, pictures) in TEMPLATES {
        let text = format!("[request]\n{request}\n");
        let Ok(template) = text.parse::<Template>() else { continue };
        let values = if pictures { &bytes[..] } else { image };
        let attempt = received(&client, &Form::Template(Box::new(template.clone())), url, shape, values)
            .map(|received| of_answer(&text, &template, url, &received));
        let attempt = match attempt {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(found)) => Err(EndpointError::Answer { url: url.to_owned(), found, expected: String::new() }),
            Err(error) => Err(error),
        };
        if finish(&mut attempts, name, url, attempt)? {
            return Ok(attempts);
        }
    }
    Ok(attempts)
}

/// The protocols, each at the addresses where it might be.
fn candidates(url: &str) -> Vec<(Protocol, String)> {
    let plain = url.trim_end_matches('/').to_owned();
    let mut candidates = vec![
        (Protocol::KserveV2, plain.clone()),
        (Protocol::TfServing, plain.clone()),
        (Protocol::Mlflow, plain.clone()),
    ];
    if !plain.ends_with("/invocations") {
        candidates.push((Protocol::Mlflow, format!("{plain}/invocations")));
    }
    candidates.push((Protocol::SageMaker, plain));
    candidates
}

/// Notes an attempt; returns whether it was the right one. A service that is not there ends the search.
fn finish(
    attempts: &mut Vec<Attempt>,
    form: &str,
    address: &str,
    attempt: Result<Found, EndpointError>,
) -> Result<bool, EndpointError> {
    let outcome = match attempt {
        Err(error @ (EndpointError::Address { .. } | EndpointError::Certificates { .. })) => return Err(error),
        Err(error @ EndpointError::Unreachable { .. }) if attempts.is_empty() => return Err(error),
        Err(EndpointError::Status { status, said, .. }) => Err(format!("status {status}: {said}")),
        Err(EndpointError::Answer { found, .. } | EndpointError::Images { found, .. }) => Err(found),
        Err(error) => Err(error.to_string()),
        Ok(found) => Ok(found),
    };
    let is_found = outcome.is_ok();
    attempts.push(Attempt { form: form.to_owned(), address: address.to_owned(), outcome });
    Ok(is_found)
}

fn get(client: &Client, address: &str) -> Result<Description, EndpointError> {
    let request = Request { method: "GET", address, headers: &[], message: None, connection: 0 };
    client.send(&request, |received| Description::of(&received.body).map_err(|found| (found, String::new())))
}

fn received(
    client: &Client,
    form: &Form,
    address: &str,
    shape: [usize; 4],
    values: &[f32],
) -> Result<Received, EndpointError> {
    let message =
        form.request(shape, values).map_err(|found| EndpointError::Images { url: client.url.clone(), found })?;
    let request = Request { method: "POST", address, headers: &[], message: Some(&message), connection: 0 };
    client.send(&request, |received| Ok(received.clone()))
}

/// Asks in the form of a protocol.
fn understood(
    client: &Client,
    protocol: Protocol,
    form: &Form,
    url: &str,
    shape: [usize; 4],
    values: &[f32],
) -> Result<Found, EndpointError> {
    let received = received(client, form, &protocol.address(url), shape, values)?;
    let wrong = |found| EndpointError::Answer { url: url.to_owned(), found, expected: String::new() };
    let answer = form.answer(&received, 1).map_err(wrong)?;
    let answer = answer.classes().map_or_else(|| "a label".to_owned(), |classes| format!("{classes} scores"));
    Ok(Found { protocol, url: url.to_owned(), template: None, answer })
}

/// A template for a body that was answered. `Err` has what was answered instead of labels.
fn of_answer(request: &str, template: &Template, url: &str, received: &Received) -> Result<Found, String> {
    let text = String::from_utf8_lossy(&received.body);
    let value = parse(&received.body).unwrap_or_else(|| Value::String(text.trim().to_owned()));
    let (mut pointer, mut found) = (String::new(), None);
    search(&value, &mut pointer, 0, &mut found);
    let (pointer, answer, is_name) = found.ok_or_else(|| format!("`{}`", shown(&text)))?;
    // Of a batch, the first part of the pointer leads to the list, and what comes behind the index to the answer of an image.
    let place = match pointer.split_once("/0") {
        Some((list, each)) if template.is_batch() => format!("pointer = {list:?}\neach = {each:?}\n"),
        _ => format!("pointer = {pointer:?}\n"),
    };
    let names = if is_name { "# In the order of the labels:\nnames = []\n" } else { "" };
    let text = format!("{request}\n[answer]\n{place}{names}");
    Ok(Found { protocol: Protocol::Template, url: url.to_owned(), template: Some(text), answer })
}

/// Deepest level that is looked at.
const DEEPEST: usize = 6;

/// Looks for scores, or else a label or a name where keys say that it is one: where it is, what it is, and whether it is a name.
fn search(value: &Value, pointer: &mut String, depth: usize, found: &mut Option<(String, String, bool)>) {
    const KEYS: [&str; 9] =
        ["label", "class", "class_name", "prediction", "predicted_class", "class_id", "name", "category", "result"];
    if found.is_some() || depth > DEEPEST {
        return;
    }
    match value {
        Value::Array(list) if list.len() > 1 && list.iter().all(Value::is_number) => {
            *found = Some((pointer.clone(), format!("{} scores", list.len()), false));
        }
        Value::Array(list) => {
            // The first of a sorted list, or the only one.
            if let Some(first) = list.first() {
                inner(first, "0", pointer, depth, found);
            }
        }
        Value::Object(map) if map.len() > 1 && map.values().all(Value::is_f64) => {
            *found = Some((pointer.clone(), format!("{} scores by name", map.len()), true));
        }
        Value::Object(map) => {
            let by_name = KEYS
                .iter()
                .find_map(|key| map.get_key_value(*key))
                .filter(|(_, value)| value.is_string() || value.is_i64());
            if let Some((key, value)) = by_name {
                let what = if value.is_string() { "a name" } else { "a label" };
                *found = Some((format!("{pointer}/{key}"), what.to_owned(), value.is_string()));
                return;
            }
            for (key, value) in map {
                inner(value, key, pointer, depth, found);
            }
        }
        Value::String(text) if depth == 0 && !text.is_empty() && text.len() < 64 && !text.contains('<') => {
            *found = Some((pointer.clone(), "a name".to_owned(), true));
        }
        Value::Number(number) if number.is_i64() && depth == 0 => {
            *found = Some((pointer.clone(), "a label".to_owned(), false));
        }
        _ => {}
    }
}

fn inner(value: &Value, key: &str, pointer: &mut String, depth: usize, found: &mut Option<(String, String, bool)>) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    search(value, pointer, depth + 1, found);
    pointer.truncate(length);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    fn found(answer: &str, request: &str) -> Result<(String, String), String> {
        let text = format!("[request]\n{request}\n");
        let template: Template = text.parse().unwrap();
        let received = Received { head: None, body: answer.as_bytes().to_vec() };
        let found = of_answer(&text, &template, "http://h/x", &received)?;
        let text = found.template.unwrap();
        assert!(text.parse::<Template>().is_ok(), "{text}");
        Ok((text.split("[answer]\n").nth(1).unwrap().lines().collect::<Vec<_>>().join("; "), found.answer))
    }

    #[test]
    fn every_body_is_a_template() {
        for (name, request, pictures) in TEMPLATES {
            let template: Template = format!("[request]\n{request}").parse().unwrap();
            assert_eq!(template.sends_pictures(), pictures, "{name}");
        }
    }

    #[test]
    fn answers_are_found_where_they_are() {
        let single = TEMPLATES[0].1;
        let of = |answer: &str| found(answer, single).unwrap();
        assert_eq!(of(r#"{"time": 3, "scores": [0.1, 0.9]}"#), ("pointer = \"/scores\"".into(), "2 scores".into()));
        assert_eq!(
            of(r#"[{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.1}]"#).0,
            "pointer = \"/0/label\"; # In the order of the labels:; names = []"
        );
        assert_eq!(of(r#"{"class_id": 4}"#), ("pointer = \"/class_id\"".into(), "a label".into()));
        assert_eq!(of(r#"{"cat": 0.25, "dog": 0.75}"#).1, "2 scores by name");
        assert_eq!(of("cat").1, "a name");
        assert!(found(r#"{"detail": "Not Found"}"#, single).unwrap_err().contains("Not Found"));
        assert!(found("<html>", single).is_err() && found("", single).is_err());
        let batch = TEMPLATES[6].1;
        assert_eq!(
            found(r#"{"results": [{"scores": [1, 2]}]}"#, batch).unwrap().0,
            "pointer = \"/results\"; each = \"/scores\""
        );
        assert_eq!(found("[[1, 2]]", batch).unwrap().0, "pointer = \"\"; each = \"\"");
    }
}
