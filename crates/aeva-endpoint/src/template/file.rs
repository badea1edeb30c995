//! Reads `endpoint.toml`.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use super::{Image, Request, Template};

/// Quality of JPEG unless stated.
const QUALITY: u8 = 95;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request: RequestTable,
    #[serde(default)]
    answer: AnswerTable,
}

fn post() -> String {
    "POST".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestTable {
    form: FormName,
    image: ImageName,
    field: Option<String>,
    json: Option<String>,
    batch: Option<bool>,
    quality: Option<u8>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum FormName {
    Json,
    Multipart,
    Raw,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum ImageName {
    Nested,
    Flat,
    Png,
    Jpeg,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AnswerTable {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    each: String,
    #[serde(default)]
    names: Vec<String>,
}

impl FromStr for Template {
    type Err = String;

    /// Reads the text of a file.
    fn from_str(text: &str) -> Result<Self, String> {
        let File { method, headers, request, answer } = toml::from_str(text).map_err(|error| error.to_string())?;
        if !["POST", "PUT"].contains(&method.as_str()) {
            return Err(format!("`method` is {method:?}, expected POST or PUT"));
        }
        for (name, value) in &headers {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_name) || value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(format!("`headers.{name}` is no header"));
            }
            if ["authorization", "cookie"].contains(&name.to_lowercase().as_str()) && !value.contains("$TOKEN") {
                return Err(format!(
                    "`headers.{name}` has a secret: write $TOKEN in its place, and state it by --token-env or --token-file"
                ));
            }
        }
        let quality = request.quality.unwrap_or(QUALITY);
        if !(1..=100).contains(&quality) {
            return Err(format!("`quality` is {quality}, expected 1 to 100"));
        }
        let image = match request.image {
            ImageName::Nested => Image::Nested,
            ImageName::Flat => Image::Flat,
            ImageName::Png => Image::Png,
            ImageName::Jpeg => Image::Jpeg { quality },
        };
        for pointer in [&answer.pointer, &answer.each] {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return Err(format!("{pointer:?} is no JSON pointer: expected \"\" or one that begins with /"));
            }
        }
        let template = Self {
            method,
            headers: headers.into_iter().collect(),
            request: request.into_request()?,
            image,
            pointer: answer.pointer,
            each: answer.each,
            names: answer.names,
        };
        match (&template.request, template.sends_pictures(), template.is_batch()) {
            (Request::Multipart { .. } | Request::Raw, false, _) => {
                Err("`image` must be png or jpeg for the forms multipart and raw".to_owned())
            }
            (_, _, false) if !template.each.is_empty() => Err("`each` is for `batch = true`".to_owned()),
            _ => Ok(template),
        }
    }
}

impl RequestTable {
    fn into_request(self) -> Result<Request, String> {
        let only = |what: &str, form: &str| Err(format!("`{what}` is for the form {form}"));
        match self.form {
            FormName::Json => {
                if self.field.is_some() {
                    return only("field", "multipart");
                }
                let text = self.json.ok_or("`json` is missing: the body, with \"$IMAGES\" or \"$IMAGE\" in it")?;
                let value: Value =
                    serde_json::from_str(&text).map_err(|error| format!("`json` is no JSON: {error}"))?;
                // As it is written below, so that the placeholders are found.
                let text = value.to_string();
                let (one, many) = (text.contains(r#""$IMAGE""#), text.contains(r#""$IMAGES""#));
                if one == many {
                    return Err("`json` needs \"$IMAGES\" for a list of images, or \"$IMAGE\" for one image".to_owned());
                }
                let batch = self.batch.unwrap_or(many);
                if batch && one {
                    return Err("`batch = true` needs \"$IMAGES\" in `json`".to_owned());
                }
                Ok(Request::Json { text, batch })
            }
            form => {
                if self.json.is_some() {
                    return only("json", "json");
                }
                if self.batch == Some(true) {
                    return only("batch", "json");
                }
                match form {
                    FormName::Multipart => {
                        let field = self.field.unwrap_or_else(|| "file".to_owned());
                        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.[]".contains(c);
                        if field.is_empty() || !field.chars().all(is_plain) {
                            return Err(format!("`field` is {field:?}, expected letters, digits, and -_.[]"));
                        }
                        Ok(Request::Multipart { field })
                    }
                    _ if self.field.is_some() => only("field", "multipart"),
                    _ => Ok(Request::Raw),
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let template: Template = r#"
            headers = { X-Key = "$TOKEN" }
            [request]
            form = "json"
            image = "jpeg"
            quality = 90
            json = '{"images": "$IMAGES", "top": 1}'
            [answer]
            pointer = "/results"
            each = "/0/name"
            names = ["cat", "dog"]
        "#
        .parse()
        .unwrap();
        assert!(template.is_batch() && template.sends_pictures() && template.sends_jpeg());
        assert_eq!((template.method(), template.names().len()), ("POST", 2));
        let raw: Template = "[request]\nform = \"raw\"\nimage = \"png\"".parse().unwrap();
        assert_eq!(raw, Template::raw_picture());
    }

    #[test]
    fn mistakes_are_named() {
        let json = |rest: &str| format!("[request]\nform = \"json\"\nimage = \"flat\"\n{rest}");
        for (text, why) in [
            (String::new(), "request"),
            ("method = \"GET\"\n[request]\nform = \"raw\"\nimage = \"png\"".to_owned(), "`method`"),
            (
                "headers = { Authorization = \"Bearer x\" }\n[request]\nform = \"raw\"\nimage = \"png\"".to_owned(),
                "$TOKEN",
            ),
            ("[request]\nform = \"raw\"\nimage = \"flat\"".to_owned(), "png or jpeg"),
            ("[request]\nform = \"raw\"\nimage = \"png\"\nfield = \"x\"".to_owned(), "`field`"),
            ("[request]\nform = \"multipart\"\nimage = \"png\"\nfield = \"a\\\"b\"".to_owned(), "`field`"),
            ("[request]\nform = \"raw\"\nimage = \"jpeg\"\nquality = 0".to_owned(), "`quality`"),
            (json(""), "`json` is missing"),
            (json("json = '{'"), "is no JSON"),
            (json("json = '{}'"), "$IMAGES"),
            (json("json = '[\"$IMAGE\"]'\nbatch = true"), "$IMAGES"),
            (json("json = '[\"$IMAGES\"]'\n[answer]\npointer = \"x\""), "JSON pointer"),
            (json("json = '[\"$IMAGE\"]'\n[answer]\neach = \"/x\""), "`each`"),
            (json("json = '[\"$IMAGES\"]'\nunknown = 1"), "unknown"),
        ] {
            let error = text.parse::<Template>().unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }
}
