//! An array of a `.npz` or `.npy` file: images `[n, h, w, c]`, `[n, c, h, w]` or `[n, h, w]`, or labels `[n]` or `[n, 1]`. Values are
//! put directly into their places among the images.

use std::io::{self, Read};
use std::path::Path;

use ndarray::Array4;

use super::npy::{Header, Kind, Scalar};
use super::{checked_values, form, room, unit};
use crate::DataError;

/// Number of bytes that are read at a time: a whole number of values of every type.
const CHUNK: usize = 1 << 16;

/// The bytes of an array.
pub(super) trait Stream: Read {
    /// Number of bytes that are still to come.
    fn left(&self) -> u64;

    /// Makes sure, after the last byte, that nothing is left and that the bytes are those that were stored.
    fn finish(self) -> io::Result<()>;
}

/// An array whose header has been read.
pub(super) struct Stored<'a, S> {
    pub(super) path: &'a Path,
    /// Its name among the arrays of the file. `None` if the file has no other.
    pub(super) name: Option<&'a str>,
    pub(super) header: Header,
    pub(super) stream: S,
}

impl<'a, S: Stream> Stored<'a, S> {
    /// Reads the header. The values follow.
    pub(super) fn open(path: &'a Path, name: Option<&'a str>, mut stream: S) -> Result<Self, DataError> {
        let header = Header::read(&mut stream).map_err(|why| decode(path, name, &why))?;
        Ok(Self { path, name, header, stream })
    }

    /// Images `[n, h, w, c]` with values in `[0, 1]`.
    pub(super) fn images(self) -> Result<Array4<f32>, DataError> {
        let (path, name, header) = (self.path, self.name, &self.header);
        let Some((scalar, to_f32)) = header.scalar().and_then(|scalar| Some((scalar, conversion(scalar)?))) else {
            let found = format!("images{} of type {}", self.in_quotes(), header.type_name());
            return Err(form(path, found, "uint8, float32 or float64 values"));
        };
        let is_channels = |size: usize| matches!(size, 1 | 3 | 4);
        let (sizes, channels_first) = match header.shape[..] {
            [n, h, w] => ([n, h, w, 1], false),
            [n, first, middle, last] => ([n, first, middle, last], is_channels(first) && !is_channels(last)),
            _ => {
                let found = format!("images of shape {:?}", header.shape);
                return Err(form(path, found, "[n, h, w, c], [n, c, h, w] or [n, h, w]"));
            }
        };
        self.expect_values(scalar.size)?;
        let [n, h, w, c] = if channels_first { [sizes[0], sizes[2], sizes[3], sizes[1]] } else { sizes };
        let count = checked_values(path, [n, h, w, c])?;
        let strides = if channels_first { [h * w * c, 1, w * c, c] } else { [h * w * c, w * c, c, 1] };

        let mut values = room(path, count)?;
        values.resize(count, 0.0);
        let mut places = Places::new(sizes, strides, header.fortran_order);
        each_value(self.stream, scalar.size, count, |bytes| values[places.next()] = to_f32(bytes))
            .map_err(|error| decode(path, name, &error.to_string()))?;
        if scalar.kind == Kind::Float {
            to_unit_range(path, &mut values)?;
        }
        Array4::from_shape_vec((n, h, w, c), values).map_err(|error| decode(path, name, &error.to_string()))
    }

    /// The labels of this number of images.
    pub(super) fn labels(self, images: usize) -> Result<Vec<u32>, DataError> {
        let (path, name, header) = (self.path, self.name, &self.header);
        let quoted = self.in_quotes();
        let form = |found: String| form(path, found, "integer labels [n], from 0 to the class count minus 1");
        let Some(scalar) = header.scalar().filter(|scalar| scalar.kind != Kind::Float) else {
            return Err(form(format!("labels{quoted} of type {}, which are not integers", header.type_name())));
        };
        let ([count] | [count, 1]) = header.shape[..] else {
            return Err(form(format!("labels{quoted} of shape {:?}", header.shape)));
        };
        self.expect_values(scalar.size)?;
        if count != images {
            return Err(super::form(path, format!("{images} images and {count} labels"), "one label for each image"));
        }
        let mut labels = room(path, count)?;
        let mut wrong = None;
        each_value(self.stream, scalar.size, count, |bytes| {
            let label = integer(bytes, scalar);
            match u32::try_from(label) {
                Ok(label) => labels.push(label),
                Err(_) => wrong = wrong.or(Some(label)),
            }
        })
        .map_err(|error| decode(path, name, &error.to_string()))?;
        let place = name.map(|name| format!(" in `{name}`")).unwrap_or_default();
        match wrong {
            Some(label) if label < 0 => Err(form(format!("negative labels{place}, the first is {label}"))),
            Some(label) => Err(form(format!("the label {label}{place}"))),
            None => Ok(labels),
        }
    }

    /// Makes sure that there are as many bytes as the header states, for values of `size` bytes.
    pub(super) fn expect_values(&self, size: usize) -> Result<(), DataError> {
        let (header, left) = (&self.header, self.stream.left());
        let stated = header.values().and_then(|values| values.checked_mul(size));
        if stated.is_some_and(|stated| stated as u64 == left) {
            return Ok(());
        }
        let why = format!("shape {:?} of {}, but {left} bytes of values", header.shape, header.type_name());
        Err(decode(self.path, self.name, &why))
    }

    /// The name for messages, after a word.
    fn in_quotes(&self) -> String {
        self.name.map(|name| format!(" `{name}`")).unwrap_or_default()
    }
}

/// Scales images in `[0, 255]` to `[0, 1]`.
fn to_unit_range(path: &Path, values: &mut [f32]) -> Result<(), DataError> {
    let (low, high) =
        values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    let finite = values.iter().all(|value| value.is_finite());
    if !finite || low < 0.0 || high > 255.0 {
        let found = format!("values from {low} to {high}{}", if finite { "" } else { ", not all of them finite" });
        return Err(form(path, found, "images in [0, 1] or [0, 255], not normalised"));
    }
    // Only images of 8-bit origin exceed 1.
    if high > 1.0 {
        for value in values {
            *value /= 255.0;
        }
    }
    Ok(())
}

/// How a pixel of this type becomes an f32. `None` for types that images do not have.
fn conversion(scalar: Scalar) -> Option<fn(&[u8]) -> f32> {
    #[expect(clippy::cast_possible_truncation, reason = "pixels need no more than f32")]
    fn narrow(value: f64) -> f32 {
        value as f32
    }
    fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
        std::array::from_fn(|index| bytes[index])
    }
    Some(match (scalar.kind, scalar.size, scalar.big_endian) {
        (Kind::Unsigned, 1, _) => |bytes| unit(bytes[0]),
        (Kind::Float, 4, false) => |bytes| f32::from_le_bytes(array(bytes)),
        (Kind::Float, 4, true) => |bytes| f32::from_be_bytes(array(bytes)),
        (Kind::Float, 8, false) => |bytes| narrow(f64::from_le_bytes(array(bytes))),
        (Kind::Float, 8, true) => |bytes| narrow(f64::from_be_bytes(array(bytes))),
        _ => return None,
    })
}

/// An integer of at most 8 bytes.
fn integer(bytes: &[u8], scalar: Scalar) -> i128 {
    let append = |number: i128, &byte: &u8| number << 8 | i128::from(byte);
    let number = if scalar.big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) };
    let negative = scalar.kind == Kind::Signed && number >> (8 * bytes.len() - 1) == 1;
    if negative { number - (1 << (8 * bytes.len())) } else { number }
}

/// Calls `take` with the bytes of one value after another.
pub(super) fn each_value(
    mut stream: impl Stream,
    size: usize,
    count: usize,
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK / size);
        let bytes = &mut buffer[..now * size];
        stream.read_exact(bytes)?;
        bytes.chunks_exact(size).for_each(&mut take);
        left -= now;
    }
    stream.finish()
}

pub(super) fn decode(path: &Path, name: Option<&str>, why: &str) -> DataError {
    let why = name.map_or_else(|| why.to_owned(), |name| format!("array {name}: {why}"));
    DataError::Decode { path: path.to_owned(), why }
}

/// The places of the values of an array, in the order in which they are stored.
struct Places {
    /// Size and stride of each axis; the axis that varies fastest comes first.
    axes: [(usize, usize); 4],
    index: [usize; 4],
    place: usize,
}

impl Places {
    /// For an array of these `sizes`, whose axes have `strides` in the data set.
    fn new(sizes: [usize; 4], strides: [usize; 4], fortran_order: bool) -> Self {
        let mut axes = std::array::from_fn(|axis| (sizes[axis], strides[axis]));
        if !fortran_order {
            axes.reverse();
        }
        Self { axes, index: [0; 4], place: 0 }
    }

    fn next(&mut self) -> usize {
        let place = self.place;
        for (index, (size, stride)) in self.index.iter_mut().zip(self.axes) {
            *index += 1;
            self.place += stride;
            if *index < size {
                break;
            }
            self.place -= size * stride;
            *index = 0;
        }
        place
    }
}
