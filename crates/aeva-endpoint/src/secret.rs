//! A token that no message shows.

use std::fmt;

/// A token. It can be sent, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A token, without the white space around it. `None` for one that no header can carry.
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        (!token.is_empty() && token.bytes().all(is_visible)).then(|| Self(token.to_owned()))
    }

    /// The value of the header `Authorization`: the token as a bearer token, or as it is if it names its kind (`Basic ...`).
    pub(crate) fn authorization(&self) -> String {
        if self.0.contains(' ') { self.0.clone() } else { format!("Bearer {}", self.0) }
    }

    /// The token as it is, for a header that a template names.
    pub(crate) fn raw(&self) -> &str {
        &self.0
    }

    /// Text of a service without the token, which it may repeat.
    pub(crate) fn removed_from(&self, text: &str) -> String {
        // A kind that goes before the token is no secret.
        let token = self.0.rsplit(' ').next().unwrap_or(&self.0);
        text.replace(token, "***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_and_never_shown() {
        let secret = Secret::new(" abc123\n").unwrap();
        assert_eq!((secret.authorization().as_str(), format!("{secret:?}").as_str()), ("Bearer abc123", "***"));
        let basic = Secret::new("Basic dXNlcg==").unwrap();
        assert_eq!(basic.authorization(), "Basic dXNlcg==");
        assert_eq!(basic.removed_from("no access for dXNlcg=="), "no access for ***");
        for bad in ["", "  ", "a\nb", "tö"] {
            assert_eq!(Secret::new(bad), None, "{bad}");
        }
    }
}
