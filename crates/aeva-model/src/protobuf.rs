//! As much of protocol buffers as ONNX files need: reads the fields of a message in order, and writes messages.

/// The bytes are not a protocol buffer message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2: bytes, text or a message.
    Bytes(&'a [u8]),
    /// Wire types 1 and 5: eight or four bytes.
    Fixed,
}

/// Iterates over the fields of a message: number, value, and all bytes of the field. Ends after the first error.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u64, Field<'a>, &'a [u8]), Malformed> {
        let before = self.rest;
        let key = self.varint()?;
        // Field numbers start at 1 and have 29 bits.
        let number = Some(key >> 3).filter(|number| (1..1 << 29).contains(number)).ok_or(Malformed)?;
        let value = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Fixed)?,
            // Groups have not been used since before ONNX.
            _ => return Err(Malformed),
        };
        Ok((number, value, &before[..before.len() - self.rest.len()]))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        // Seven bits per byte, lowest first. Ten bytes hold 64 bits.
        for shift in (0..70).step_by(7) {
            let [byte] = self.take(1)? else { return Err(Malformed) };
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// A message under construction.
#[derive(Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    /// A field of wire type 0.
    pub(crate) fn number(&mut self, field: u64, value: i64) {
        self.varint(field << 3);
        self.varint(value.cast_unsigned());
    }

    /// A field of wire type 2: bytes, text or a message.
    pub(crate) fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn varint(&mut self, mut value: u64) {
        // Seven bits per byte, lowest first. The highest bit says that more bytes follow.
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_written_as_protocol_buffers_have_them() {
        let mut message = Message::default();
        message.number(1, 150);
        message.number(20, 2);
        message.bytes(2, b"testing");
        assert_eq!(message.0, [b"\x08\x96\x01".as_slice(), b"\xa0\x01\x02", b"\x12\x07testing"].concat());
        let mut negative = Message::default();
        negative.number(3, -1);
        assert_eq!(negative.0, b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    }

    #[test]
    fn what_is_no_message_is_an_error_and_ends() {
        for bytes in [
            &b"This is not a model."[..],
            b"\x08",
            b"\x0a\x05abc",
            b"\x00\x01",
            b"\x0b",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            let fields: Vec<_> = Fields::new(bytes).collect();
            assert_eq!(fields.last(), Some(&Err(Malformed)), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(fields in prop::collection::vec((1_u64..5000, any::<i64>(), prop::collection::vec(any::<u8>(), 0..9)), 0..9)) {
            let mut message = Message::default();
            for (number, value, bytes) in &fields {
                message.number(*number, *value);
                message.bytes(*number, bytes);
            }
            let all: Vec<u8> = Fields::new(&message.0).flat_map(|field| field.unwrap().2).copied().collect();
            prop_assert_eq!(&all, &message.0);
            let read: Vec<_> =
                Fields::new(&message.0).map(|field| field.map(|(number, value, _)| (number, value))).collect();
            let expected: Vec<_> = fields
                .iter()
                .flat_map(|(number, value, bytes)| {
                    [Ok((*number, Field::Number(value.cast_unsigned()))), Ok((*number, Field::Bytes(bytes)))]
                })
                .collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Fields::new(&bytes).count() <= bytes.len());
        }
    }
}
