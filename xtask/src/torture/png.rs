//! PNG images written by hand, with any stated size and any pixel data.

use super::deflate::deflated;

/// The header fields after the signature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) depth: u8,
    /// 0 grey, 2 RGB, 4 grey and alpha, 6 RGB and alpha.
    pub(crate) color: u8,
}

impl Header {
    fn row_bytes(self) -> usize {
        let channels = match self.color {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        self.width as usize * channels * usize::from(self.depth) / 8
    }

    /// An image of zeros.
    pub(crate) fn zeros(self) -> anyhow::Result<Vec<u8>> {
        let size = (1 + self.row_bytes()) * self.height as usize;
        Ok(self.image(&zlib(&vec![0; size])?))
    }

    /// An image with this stream as its pixels, whether the stream fits or not.
    pub(crate) fn image(self, stream: &[u8]) -> Vec<u8> {
        let mut header = self.width.to_be_bytes().to_vec();
        header.extend(self.height.to_be_bytes());
        header.extend([self.depth, self.color, 0, 0, 0]);
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [(b"IHDR", &header[..]), (b"IDAT", stream), (b"IEND", &[])] {
            let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
            bytes.extend(length.to_be_bytes());
            let checked = [&kind[..], data].concat();
            bytes.extend(&checked);
            bytes.extend(crc32(&checked).to_be_bytes());
        }
        bytes
    }
}

/// A grey image of these rows.
pub(crate) fn grey(rows: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
    let width = rows.first().map_or(0, |row| row.len());
    // Every row begins with its filter type: none.
    let pixels: Vec<u8> = rows.iter().flat_map(|row| [&[0], *row].concat()).collect();
    let header = Header { width: u32::try_from(width)?, height: u32::try_from(rows.len())?, depth: 8, color: 0 };
    Ok(header.image(&zlib(&pixels)?))
}

/// A zlib stream.
pub(crate) fn zlib(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = vec![0x78, 0x01];
    stream.extend(deflated(bytes)?);
    stream.extend(adler32(bytes).to_be_bytes());
    Ok(stream)
}

fn adler32(bytes: &[u8]) -> u32 {
    const PRIME: u32 = 65521;
    let (mut low, mut high) = (1, 0);
    // This many bytes can be summed within 32 bits.
    for portion in bytes.chunks(5552) {
        for byte in portion {
            low += u32::from(*byte);
            high += low;
        }
        low %= PRIME;
        high %= PRIME;
    }
    high << 16 | low
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut rest = u32::MAX;
    for byte in bytes {
        rest ^= u32::from(*byte);
        for _ in 0..8 {
            rest = if rest & 1 == 1 { rest >> 1 ^ 0xedb8_8320 } else { rest >> 1 };
        }
    }
    !rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_their_definitions() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
