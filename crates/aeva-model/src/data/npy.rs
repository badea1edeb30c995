//! The header of a `.npy` array: a Python dictionary such as `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 16, 16, 1), }`.
//! Nothing but this form is read. Values are not nested, so the time of the parser is bounded by the length of the header.

use std::io::Read;

/// Largest header, in bytes. That of an array of rank 4 has 128, and numpy itself warns above 10 000.
const MAX_HEADER: u32 = 1 << 16;
/// Largest rank. Images have rank 4.
const MAX_RANK: usize = 8;

/// What an array states about itself.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// Type of the values, as numpy writes it.
    pub(super) descr: String,
    /// Whether the first index varies fastest.
    pub(super) fortran_order: bool,
    /// At most 8 sizes, of any value.
    pub(super) shape: Vec<usize>,
}

/// A type of numbers that the machine supports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scalar {
    pub(super) kind: Kind,
    /// Bytes of one value: 1, 2, 4 or 8.
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Unsigned,
    Signed,
    Float,
}

impl Header {
    /// Reads a header. The values follow.
    pub(super) fn read(reader: &mut impl Read) -> Result<Self, String> {
        fn take<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], String> {
            let mut bytes = [0; N];
            reader.read_exact(&mut bytes).map_err(|error| error.to_string())?;
            Ok(bytes)
        }
        let start: [u8; 8] = take(reader)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err("not a .npy array".to_owned());
        }
        let length = match start[6] {
            1 => u32::from(u16::from_le_bytes(take(reader)?)),
            2 | 3 => u32::from_le_bytes(take(reader)?),
            version => return Err(format!("version {version} of the .npy format, expected 1, 2 or 3")),
        };
        if length > MAX_HEADER {
            return Err(format!("a header of {length} bytes, more than {MAX_HEADER}"));
        }
        let mut bytes = vec![0; length as usize];
        reader.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        let text = str::from_utf8(&bytes).map_err(|_| "a header that is not text".to_owned())?;
        parse(text).map_err(|why| format!("a header with {why}"))
    }

    /// Type of the values. `None` for types that are not numbers, or numbers of other sizes.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        let (order, kind, size) = self.parts()?;
        let kind = match kind {
            'u' => Kind::Unsigned,
            'i' => Kind::Signed,
            'f' => Kind::Float,
            _ => return None,
        };
        let size = size.parse().ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
        (order != '|' || size == 1).then_some(Scalar { kind, size, big_endian: order == '>' })
    }

    /// Bytes of a character, whether they are in big-endian order, and characters of each value. `None` for types other than text.
    pub(super) fn text(&self) -> Option<(usize, bool, usize)> {
        let (order, kind, size) = self.parts()?;
        let size = size.parse().ok()?;
        match kind {
            'U' if order != '|' => Some((4, order == '>', size)),
            'S' => Some((1, false, size)),
            _ => None,
        }
    }

    /// Number of values. `None` if it exceeds `usize`.
    pub(super) fn values(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |values, &size| values.checked_mul(size))
    }

    /// The type for messages, such as `float16 ('<f2')`.
    pub(super) fn type_name(&self) -> String {
        let descr: String = self.descr.chars().take(40).flat_map(char::escape_debug).collect();
        let bits = |size: &str| size.parse::<u8>().map_or(0, |size| u32::from(size) * 8);
        let name = match self.parts() {
            Some((_, 'f', size)) => format!("float{}", bits(size)),
            Some((_, 'i', size)) => format!("int{}", bits(size)),
            Some((_, 'u', size)) => format!("uint{}", bits(size)),
            Some((_, 'c', size)) => format!("complex{}", bits(size)),
            Some((_, 'b', _)) => "bool".to_owned(),
            Some((_, 'O', _)) => "Python objects".to_owned(),
            Some((_, 'U' | 'S', _)) => "text".to_owned(),
            Some((_, 'M' | 'm', _)) => "dates".to_owned(),
            _ => return format!("'{descr}'"),
        };
        format!("{name} ('{descr}')")
    }

    /// Byte order, kind and size.
    fn parts(&self) -> Option<(char, char, &str)> {
        let mut rest = self.descr.chars();
        let order = rest.next().filter(|order| matches!(order, '<' | '>' | '|'))?;
        Some((order, rest.next()?, rest.as_str()))
    }
}

/// Reads the dictionary.
fn parse(text: &str) -> Result<Header, String> {
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut text = Text(text);
    text.expect('{')?;
    while !text.eat('}') {
        let key = text.string()?;
        text.expect(':')?;
        let known = match key {
            "descr" => descr.replace(text.string().map_err(|why| format!("{why} as type"))?.to_owned()).is_some(),
            "fortran_order" => fortran_order.replace(text.boolean()?).is_some(),
            "shape" => shape.replace(text.sizes()?).is_some(),
            _ => return Err(format!("an unknown key {:?}", shortened(key))),
        };
        if known {
            return Err(format!("{key:?} twice"));
        }
        if !text.eat(',') {
            text.expect('}')?;
            break;
        }
    }
    text.skip_blanks();
    if !text.0.is_empty() {
        return Err(format!("{:?} after its end", shortened(text.0)));
    }
    match (descr, fortran_order, shape) {
        (Some(descr), Some(fortran_order), Some(shape)) => Ok(Header { descr, fortran_order, shape }),
        _ => Err("not all of descr, fortran_order and shape".to_owned()),
    }
}

/// The text that is still to be parsed.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn eat(&mut self, token: char) -> bool {
        self.skip_blanks();
        self.0.strip_prefix(token).map(|rest| self.0 = rest).is_some()
    }

    fn expect(&mut self, token: char) -> Result<(), String> {
        if self.eat(token) { Ok(()) } else { Err(self.instead_of(&format!("'{token}'"))) }
    }

    fn instead_of(&self, expected: &str) -> String {
        format!("{:?} instead of {expected}", shortened(self.0))
    }

    /// A string without escapes, in single or double quotes.
    fn string(&mut self) -> Result<&'a str, String> {
        let quote = if self.eat('\'') {
            '\''
        } else if self.eat('"') {
            '"'
        } else {
            return Err(self.instead_of("a string"));
        };
        match self.0.split_once(quote) {
            Some((string, rest)) if !string.contains('\\') => {
                self.0 = rest;
                Ok(string)
            }
            _ => Err(self.instead_of("a string that ends")),
        }
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.skip_blanks();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Ok(value);
            }
        }
        Err(self.instead_of("True or False"))
    }

    /// A tuple of sizes: `()`, `(4,)`, `(4, 16)`.
    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut sizes = Vec::new();
        while !self.eat(')') {
            self.skip_blanks();
            let digits = self.0.len() - self.0.trim_start_matches(|character: char| character.is_ascii_digit()).len();
            let (number, rest) = self.0.split_at(digits);
            if digits == 0 {
                return Err(self.instead_of("a size"));
            }
            if sizes.len() == MAX_RANK {
                return Err(format!("more than {MAX_RANK} sizes"));
            }
            sizes.push(number.parse().map_err(|_| format!("a size of {}", shortened(number)))?);
            self.0 = rest;
            if !self.eat(',') {
                self.expect(')')?;
                if sizes.len() == 1 {
                    return Err("a size that is no tuple".to_owned());
                }
                break;
            }
        }
        Ok(sizes)
    }
}

/// The first characters, for a message.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(24).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_headers_are_read() {
        let expected = Header { descr: "<f4".to_owned(), fortran_order: false, shape: vec![2, 16, 16, 1] };
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 16, 16, 1), }          \n",
            "{\"shape\":(2,16,16,1),\"descr\":\"<f4\",\"fortran_order\":False}",
            " { 'fortran_order' : False , 'shape' : ( 2 , 16 , 16 , 1 , ) , 'descr' : '<f4' } ",
        ] {
            assert_eq!(parse(text).as_ref(), Ok(&expected), "{text}");
        }
        let shape =
            |text: &str| parse(&format!("{{'descr': '', 'fortran_order': True, 'shape': {text}}}")).map(|h| h.shape);
        assert_eq!(shape("()"), Ok(vec![]));
        assert_eq!(shape("(7,)"), Ok(vec![7]));
    }

    #[test]
    fn other_headers_are_refused_in_words() {
        let error = |shape: &str| {
            parse(&format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}")).unwrap_err()
        };
        for (shape, why) in [
            ("(-1, 16)", "instead of a size"),
            ("[4, 16]", "instead of '('"),
            ("'abc'", "instead of '('"),
            ("(1.5, 16)", "instead of ')'"),
            ("(4, 16", "instead of a size"),
            ("(4)", "no tuple"),
            ("None", "instead of '('"),
            ("__import__('os').system('true')", "instead of '('"),
            ("(18446744073709551616, 1)", "a size of 18446744073709551616"),
            ("(1, 1, 1, 1, 1, 1, 1, 1, 1)", "more than 8 sizes"),
        ] {
            assert!(error(shape).contains(why), "{shape}: {}", error(shape));
        }
        for (text, why) in [
            ("", "instead of '{'"),
            ("{}", "not all of"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "instead of a string as type"),
            ("{'descr': '<f4', 'descr': '<f4'}", "\"descr\" twice"),
            ("{'names': '<f4'}", "unknown key"),
            ("{'descr': '<f4", "a string that ends"),
            ("{'descr': '\\x3c'}", "a string that ends"),
            ("{'descr': '<f4', 'fortran_order': 0}", "True or False"),
            ("{'descr': '', 'fortran_order': True, 'shape': ()} x", "after its end"),
        ] {
            assert!(parse(text).unwrap_err().contains(why), "{text}: {:?}", parse(text));
        }
    }

    /// py_literal took twice as long for every bracket more.
    #[test]
    fn nested_brackets_are_refused_at_once() {
        for (open, close) in [('[', ']'), ('(', ')'), ('{', '}')] {
            for depth in [22, 30_000] {
                let nested: String = (0..depth).map(|_| open).chain((0..depth).map(|_| close)).collect();
                let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {nested}, }}");
                assert!(parse(&text).unwrap_err().contains("instead of"), "{depth}");
            }
        }
    }

    #[test]
    fn the_length_of_the_header_is_bounded() {
        let error = |bytes: &[u8]| Header::read(&mut &bytes[..]).unwrap_err();
        assert!(error(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'").contains("a header of 4294967295 bytes"));
        assert!(error(b"\x93NUMPY\x09\x00\x00\x00").contains("version 9"));
        assert!(error(b"\x93NUMPY\x01\x00\xff\xff{'descr'").contains("failed to fill"));
        assert!(error(b"cos\nsystem\n").contains("not a .npy array"));
    }

    #[test]
    fn types_have_names() {
        let header = |descr: &str| Header { descr: descr.to_owned(), fortran_order: false, shape: vec![] };
        for (descr, name) in [
            ("<f2", "float16 ('<f2')"),
            (">i8", "int64 ('>i8')"),
            ("|u1", "uint8 ('|u1')"),
            ("<c8", "complex64 ('<c8')"),
            ("|b1", "bool ('|b1')"),
            ("|O", "Python objects ('|O')"),
            ("<U5", "text ('<U5')"),
            ("nonsense", "'nonsense'"),
            ("", "''"),
        ] {
            assert_eq!(header(descr).type_name(), name);
        }
        assert_eq!(header(">f8").scalar(), Some(Scalar { kind: Kind::Float, size: 8, big_endian: true }));
        assert_eq!(header("|u1").scalar(), Some(Scalar { kind: Kind::Unsigned, size: 1, big_endian: false }));
        for descr in ["|f4", "<f16", "<i3", "u1", "<c8", "|O", "=f4", "<é4"] {
            assert_eq!(header(descr).scalar(), None, "{descr}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[{}()\\[\\]',:0-9a-z<|\" ]{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_shape_is_read(shape in prop::collection::vec(any::<usize>(), 0..=8), fortran_order: bool) {
            let comma = if shape.len() == 1 { "," } else { "" };
            let sizes = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            let order = if fortran_order { "True" } else { "False" };
            let text = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': ({sizes}{comma}), }}");
            prop_assert_eq!(parse(&text), Ok(Header { descr: "<f4".to_owned(), fortran_order, shape }));
        }
    }
}
