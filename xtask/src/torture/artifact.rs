//! The container of artifacts, opened and closed again with a valid checksum.

use anyhow::{Context, ensure};
use xtask::files::sha256_hex;

const MAGIC: &[u8] = b"AEVA\r\n\x1a\n";
/// Bytes before the header.
const FIXED: usize = 28;

/// The parts of an artifact.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    kind: [u8; 2],
    version: [u8; 2],
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Container {
    pub(crate) fn open(bytes: &[u8]) -> anyhow::Result<Self> {
        ensure!(bytes.len() > FIXED && bytes.starts_with(MAGIC), "not an artifact");
        let header = usize::try_from(u32::from_le_bytes(bytes[16..20].try_into()?))?;
        let payload = usize::try_from(u64::from_le_bytes(bytes[20..28].try_into()?))?;
        let rest = &bytes[FIXED..];
        Ok(Self {
            kind: [bytes[10], bytes[11]],
            version: [bytes[12], bytes[13]],
            header: rest.get(..header).context("the header is cut")?.to_vec(),
            payload: rest.get(header..header + payload).context("the payload is cut")?.to_vec(),
        })
    }

    /// The bytes of the artifact.
    pub(crate) fn close(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend(self.kind);
        bytes.extend(self.version);
        bytes.extend([0, 0]);
        let length = u32::try_from(self.header.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_le_bytes());
        bytes.extend((self.payload.len() as u64).to_le_bytes());
        bytes.extend(&self.header);
        bytes.extend(&self.payload);
        let checksum = sha256_hex(&bytes);
        let digits = (0..checksum.len()).step_by(2);
        bytes.extend(digits.filter_map(|at| u8::from_str_radix(&checksum[at..at + 2], 16).ok()));
        bytes
    }

    pub(crate) fn with_header(&self, header: Vec<u8>) -> Self {
        Self { header, ..self.clone() }
    }

    pub(crate) fn with_payload(&self, payload: Vec<u8>) -> Self {
        Self { payload, ..self.clone() }
    }

    /// The seed that the header states.
    pub(crate) fn seed(&self) -> Option<u64> {
        let header: serde_json::Value = serde_json::from_slice(&self.header).ok()?;
        header["provenance"]["seed"].as_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_closed_opens_as_before() {
        let container = Container { kind: [2, 0], version: [2, 0], header: b"{}".to_vec(), payload: vec![1, 2, 3] };
        let bytes = container.close();
        assert_eq!(bytes.len(), FIXED + 2 + 3 + 32);
        assert_eq!(Container::open(&bytes).unwrap().close(), bytes);
        assert!(Container::open(&bytes[..FIXED + 3]).is_err());
    }
}
