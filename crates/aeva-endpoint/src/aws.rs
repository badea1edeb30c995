//! Signatures of requests to Amazon Web Services, version 4 (`AWS4-HMAC-SHA256`, as its reference describes it).

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Keys of an account. They sign requests and are never sent or printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// Name of the key (`AWS_ACCESS_KEY_ID`).
    pub access_key: String,
    /// The key (`AWS_SECRET_ACCESS_KEY`).
    pub secret_key: String,
    /// Token of a session (`AWS_SESSION_TOKEN`), if the key is temporary.
    pub session_token: Option<String>,
    /// Region of the service (`AWS_REGION`).
    pub region: String,
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is signed.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// The address, without a query.
    pub(crate) url: &'a str,
    pub(crate) service: &'a str,
    pub(crate) body: &'a [u8],
}

impl AwsKeys {
    /// The headers that sign a request at this time.
    pub(crate) fn headers(&self, signed: &Signed<'_>, now: SystemTime) -> Vec<(String, String)> {
        let time = timestamp(now);
        let (host, path) = host_and_path(signed.url);
        let mut covered = vec![("host".to_owned(), host.to_owned()), ("x-amz-date".to_owned(), time.clone())];
        if let Some(token) = &self.session_token {
            covered.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        let names: Vec<&str> = covered.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let mut canonical = format!("{}\n{path}\n\n", signed.method);
        for (name, value) in &covered {
            let _ = writeln!(canonical, "{name}:{}", value.trim());
        }
        let _ = write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(signed.body)));
        let scope = format!("{}/{}/{}/aws4_request", &time[..8], self.region, signed.service);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
        let mut key = keyed(format!("AWS4{}", self.secret_key).as_bytes(), &time[..8]);
        for part in [self.region.as_str(), signed.service, "aws4_request"] {
            key = keyed(&key, part);
        }
        let signature = hex(&keyed(&key, &text));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );
        // The client writes the host itself.
        covered.remove(0);
        covered.push(("Authorization".to_owned(), authorization));
        covered
    }

    /// Text without the keys, which a service may repeat.
    pub(crate) fn removed_from(&self, text: &str) -> String {
        let text = text.replace(&self.secret_key, "***");
        self.session_token.as_ref().map_or(text.clone(), |token| text.replace(token, "***"))
    }
}

fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or((rest, "/"), |at| rest.split_at(at))
}

/// `20150830T123600Z`.
fn timestamp(now: SystemTime) -> String {
    // `Sun, 30 Aug 2015 12:36:00 GMT`.
    let text = httpdate::fmt_http_date(now);
    let parts: Vec<&str> = text.split([' ', ':']).collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = |name: &str| months.iter().position(|month| *month == name).map_or(1, |at| at + 1);
    match parts[..] {
        [_, day, name, year, hour, minute, second, _] => {
            format!("{year}{:02}{day}T{hour}{minute}{second}Z", month(name))
        }
        _ => text,
    }
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    // Keys of any length are taken.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The example `get-vanilla` of the published test suite.
    #[test]
    fn the_published_example_has_its_signature() {
        let keys = AwsKeys {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
            region: "us-east-1".to_owned(),
        };
        let signed = Signed { method: "GET", url: "https://example.amazonaws.com/", service: "service", body: b"" };
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636);
        let headers = keys.headers(&signed, now);
        assert_eq!(headers[0], ("x-amz-date".to_owned(), "20150830T123600Z".to_owned()));
        assert_eq!(
            headers[1].1,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        let temporary = AwsKeys { session_token: Some("geheim".to_owned()), ..keys };
        let headers = temporary.headers(&signed, now);
        assert!(headers[2].1.contains("SignedHeaders=host;x-amz-date;x-amz-security-token"), "{headers:?}");
        assert_eq!(temporary.removed_from("not geheim"), "not ***");
        assert_eq!(format!("{temporary:?}"), "***");
    }
}
