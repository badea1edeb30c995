//! The outer shape of every artifact file, whatever it holds. All integers are little-endian.
//!
//! | bytes | field |
//! | --- | --- |
//! | 8 | magic `AEVA\r\n\x1a\n` (a text-mode transfer damages it visibly, as with PNG) |
//! | 2 | container version |
//! | 2 | kind of artifact |
//! | 2 | payload version |
//! | 2 | zero |
//! | 4 | header length `n` |
//! | 8 | payload length `m` |
//! | n | header: JSON |
//! | m | payload |
//! | 32 | SHA-256 of all before |

use sha2::{Digest, Sha256};

use crate::error::{DecodeError, EncodeError};

const MAGIC: [u8; 8] = *b"AEVA\r\n\x1a\n";
const CONTAINER_VERSION: u16 = 1;
const PRELUDE: usize = 28;
const DIGEST: usize = 32;
/// A header has a few hundred bytes of provenance. This limit is far above that, and far below what would exhaust the
/// memory.
const HEADER_LIMIT: u64 = 1 << 20;

/// The parts of a container, borrowed from its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Container<'a> {
    pub(crate) payload_version: u16,
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// Assembles a container. Fails if the header is longer than a reader accepts.
pub(crate) fn encode(kind: u16, payload_version: u16, header: &[u8], payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let too_long = EncodeError::HeaderTooLong { found: header.len(), limit: HEADER_LIMIT };
    let header_length =
        u32::try_from(header.len()).ok().filter(|&length| u64::from(length) <= HEADER_LIMIT).ok_or(too_long)?;
    let mut bytes = Vec::with_capacity(PRELUDE + header.len() + payload.len() + DIGEST);
    bytes.extend_from_slice(&MAGIC);
    for field in [CONTAINER_VERSION, kind, payload_version, 0] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&header_length.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(payload);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    Ok(bytes)
}

/// The length of the container that `bytes` begin with; `None` if they are too few. Nothing else is checked.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let prelude = bytes.first_chunk::<PRELUDE>()?;
    let header = u64::from(u32::from_le_bytes(std::array::from_fn(|i| prelude[16 + i])));
    let payload = u64::from_le_bytes(std::array::from_fn(|i| prelude[20 + i]));
    let length = payload.checked_add(header)?.checked_add((PRELUDE + DIGEST) as u64)?;
    usize::try_from(length).ok().filter(|&length| length <= bytes.len())
}

/// Splits a container into its parts. Nothing is allocated, and every length is checked before use.
pub(crate) fn decode(bytes: &[u8], expected_kind: u16) -> Result<Container<'_>, DecodeError> {
    let too_short = DecodeError::TooShort { found: bytes.len(), needed: PRELUDE + DIGEST };
    let Some((prelude, rest)) = bytes.split_at_checked(PRELUDE) else {
        // Eight bytes are enough to distinguish a truncated artifact from a file of another kind.
        return match bytes.first_chunk::<8>() {
            Some(found) if *found != MAGIC => Err(DecodeError::Magic { found: *found }),
            _ => Err(too_short),
        };
    };
    let magic: [u8; 8] = std::array::from_fn(|i| prelude[i]);
    if magic != MAGIC {
        return Err(DecodeError::Magic { found: magic });
    }
    let field = |at: usize| u16::from_le_bytes([prelude[at], prelude[at + 1]]);
    let (version, kind, payload_version, reserved) = (field(8), field(10), field(12), field(14));
    if version != CONTAINER_VERSION {
        return Err(DecodeError::ContainerVersion { found: version, supported: CONTAINER_VERSION });
    }
    if kind != expected_kind {
        return Err(DecodeError::Kind { found: kind, expected: expected_kind });
    }
    if reserved != 0 {
        return Err(DecodeError::Reserved { found: reserved });
    }
    let header_length = u64::from(u32::from_le_bytes(std::array::from_fn(|i| prelude[16 + i])));
    let payload_length = u64::from_le_bytes(std::array::from_fn(|i| prelude[20 + i]));
    if header_length > HEADER_LIMIT {
        return Err(DecodeError::HeaderTooLong { found: header_length, limit: HEADER_LIMIT });
    }
    let expected = payload_length.saturating_add(header_length).saturating_add((PRELUDE + DIGEST) as u64);
    if bytes.len() as u64 != expected {
        return Err(DecodeError::Length { found: bytes.len() as u64, expected });
    }
    // The lengths add up to the size of the slice, so the arithmetic below cannot overflow it.
    let (content, digest) = rest.split_at(rest.len() - DIGEST);
    let mut hasher = Sha256::new();
    hasher.update(prelude);
    hasher.update(content);
    if hasher.finalize().as_slice() != digest {
        return Err(DecodeError::Checksum);
    }
    let (header, payload) = content.split_at(usize::try_from(header_length).unwrap_or(content.len()));
    Ok(Container { payload_version, header, payload })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        encode(7, 3, b"{}", b"payload").unwrap()
    }

    fn with(mut bytes: Vec<u8>, at: usize, value: &[u8]) -> Vec<u8> {
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    }

    #[test]
    fn round_trip() {
        let bytes = sample();
        let container = decode(&bytes, 7).unwrap();
        assert_eq!(container, Container { payload_version: 3, header: b"{}", payload: b"payload" });
    }

    #[test]
    fn each_damage_has_its_name() {
        let error = |bytes: &[u8]| decode(bytes, 7).unwrap_err();
        assert!(matches!(error(b""), DecodeError::TooShort { found: 0, .. }));
        assert!(matches!(error(&sample()[..20]), DecodeError::TooShort { found: 20, .. }));
        assert!(matches!(error(b"\x89PNG\r\n\x1a\n"), DecodeError::Magic { .. }));
        assert!(matches!(error(&with(sample(), 4, b"\n")), DecodeError::Magic { .. }));
        assert!(matches!(error(&with(sample(), 8, &[2])), DecodeError::ContainerVersion { found: 2, supported: 1 }));
        assert!(matches!(error(&with(sample(), 10, &[8])), DecodeError::Kind { found: 8, expected: 7 }));
        assert!(matches!(error(&with(sample(), 14, &[1])), DecodeError::Reserved { found: 1 }));
        assert!(matches!(error(&with(sample(), 16, &[0xff; 4])), DecodeError::HeaderTooLong { .. }));
        assert!(matches!(error(&with(sample(), 20, &[0xff; 8])), DecodeError::Length { .. }));
        assert!(matches!(error(&sample()[..sample().len() - 1]), DecodeError::Length { .. }));
        let mut longer = sample();
        longer.push(0);
        assert!(matches!(error(&longer), DecodeError::Length { .. }));
        assert!(matches!(error(&with(sample(), 32, b"X")), DecodeError::Checksum));
        assert!(encode(7, 3, &vec![b' '; (1 << 20) + 1], b"").is_err());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_noticed(at in 0_usize..69, bit in 0_u8..8) {
            let mut bytes = sample();

            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes, 7).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes, 7).is_err());
        }
    }
}
