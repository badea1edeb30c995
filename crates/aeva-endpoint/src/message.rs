//! What is sent and what comes back.

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) content_type: String,
    /// Headers of this request.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn json(body: Vec<u8>) -> Self {
        Self { content_type: "application/json".to_owned(), headers: Vec::new(), body }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// Length of the JSON before the bytes, where a header says so.
    pub(crate) head: Option<usize>,
    pub(crate) body: Vec<u8>,
}
