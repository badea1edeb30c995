//! Names in an array of text: numpy's types `U` (code points of 4 bytes) and `S` (bytes).

use super::array::{Stored, Stream, decode, each_value};
use super::room;
use crate::DataError;

/// Largest number of characters of a name.
const MAX_LENGTH: usize = 1024;
/// Largest number of names: more than a model may have labels.
const MAX_NAMES: usize = 1 << 17;

impl<S: Stream> Stored<'_, S> {
    /// The names. `None` for an array of something else: another type, or not one name after another.
    ///
    /// # Errors
    /// [`DataError::Decode`] for text that is damaged, or too long for names.
    pub(super) fn names(self) -> Result<Option<Vec<String>>, DataError> {
        let (path, name) = (self.path, self.name);
        let (Some((unit, big_endian, length)), &[count]) = (self.header.text(), &self.header.shape[..]) else {
            return Ok(None);
        };
        let wrong = |why: &str| decode(path, name, why);
        if length == 0 || length > MAX_LENGTH || count > MAX_NAMES {
            return Err(wrong(&format!("{count} names of {length} characters, expected 1 to {MAX_LENGTH} characters")));
        }
        self.expect_values(unit * length)?;
        let mut names = room(path, count)?;
        let mut damaged = false;
        each_value(self.stream, unit * length, count, |bytes| {
            let text = if unit == 1 { String::from_utf8(bytes.to_vec()).ok() } else { code_points(bytes, big_endian) };
            damaged |= text.is_none();
            // Shorter names end in zeros.
            names.push(text.unwrap_or_default().trim_end_matches('\0').trim().to_owned());
        })
        .map_err(|error| wrong(&error.to_string()))?;
        if damaged { Err(wrong("a name that is no text")) } else { Ok(Some(names)) }
    }
}

fn code_points(bytes: &[u8], big_endian: bool) -> Option<String> {
    bytes
        .chunks_exact(4)
        .map(|bytes| {
            let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
            char::from_u32(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
        })
        .collect()
}
