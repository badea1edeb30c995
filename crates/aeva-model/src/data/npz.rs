//! `.npz` files of numpy: images `x` (uint8, float32 or float64; `[n, h, w, c]`, `[n, c, h, w]` or `[n, h, w]`) and labels `y` (any
//! integer type; `[n]` or `[n, 1]`). Values are
//! unpacked directly into their places among the images.

use std::io::{self, Read};
use std::path::Path;

use ndarray::Array4;

use super::archive::{Archive, Member};
use super::npy::{Header, Kind, Scalar};
use super::{Dataset, checked_values, form, room, unit};
use crate::DataError;

/// Usual names, in order of preference.
const IMAGE_NAMES: [&str; 6] = ["x", "images", "x_test", "data", "image", "arr_0"];
const LABEL_NAMES: [&str; 7] = ["y", "labels", "y_test", "targets", "label", "target", "arr_1"];
/// Number of bytes that are unpacked at a time: a whole number of values of every type.
const CHUNK: usize = 1 << 16;

pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    let archive = Archive::open(path)?;
    let find = |what: &'static str, names: &'static [&'static str]| {
        let found = names.iter().find(|name| archive.names().any(|found| found == **name)).copied();
        found.ok_or_else(|| {
            // The file may have any number of names of any length. A few show what it is.
            let found = archive.names().take(20).map(|name| name.chars().take(40).collect()).collect();
            DataError::MissingArray { path: path.to_owned(), what, found, names }
        })
    };
    let (images, labels) = (find("images", &IMAGE_NAMES)?, find("labels", &LABEL_NAMES)?);
    let images = images_of(path, &archive, images)?;
    let labels = labels_of(path, &archive, labels, images.dim().0)?;
    Dataset::new(path, images, labels, None)
}

fn images_of(path: &Path, archive: &Archive, name: &str) -> Result<Array4<f32>, DataError> {
    let (header, member) = open(path, archive, name)?;
    let Some((scalar, to_f32)) = header.scalar().and_then(|scalar| Some((scalar, conversion(scalar)?))) else {
        let found = format!("images `{name}` of type {}", header.type_name());
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
    expect_values(path, name, &header, scalar, &member)?;
    let [n, h, w, c] = if channels_first { [sizes[0], sizes[2], sizes[3], sizes[1]] } else { sizes };
    let count = checked_values(path, [n, h, w, c])?;
    let strides = if channels_first { [h * w * c, 1, w * c, c] } else { [h * w * c, w * c, c, 1] };

    let mut values = room(path, count)?;
    values.resize(count, 0.0);
    let mut places = Places::new(sizes, strides, header.fortran_order);
    each_value(member, scalar.size, count, |bytes| values[places.next()] = to_f32(bytes))
        .map_err(|error| decode(path, name, &error.to_string()))?;
    if scalar.kind == Kind::Float {
        to_unit_range(path, &mut values)?;
    }
    Array4::from_shape_vec((n, h, w, c), values).map_err(|error| decode(path, name, &error.to_string()))
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

fn labels_of(path: &Path, archive: &Archive, name: &str, images: usize) -> Result<Vec<u32>, DataError> {
    let (header, member) = open(path, archive, name)?;
    let form = |found: String| form(path, found, "integer labels [n], from 0 to the class count minus 1");
    let Some(scalar) = header.scalar().filter(|scalar| scalar.kind != Kind::Float) else {
        return Err(form(format!("labels `{name}` of type {}, which are not integers", header.type_name())));
    };
    let ([count] | [count, 1]) = header.shape[..] else {
        return Err(form(format!("labels `{name}` of shape {:?}", header.shape)));
    };
    expect_values(path, name, &header, scalar, &member)?;
    if count != images {
        return Err(super::form(path, format!("{images} images and {count} labels"), "one label for each image"));
    }
    let mut labels = room(path, count)?;
    let mut wrong = None;
    each_value(member, scalar.size, count, |bytes| {
        let label = integer(bytes, scalar);
        match u32::try_from(label) {
            Ok(label) => labels.push(label),
            Err(_) => wrong = wrong.or(Some(label)),
        }
    })
    .map_err(|error| decode(path, name, &error.to_string()))?;
    match wrong {
        Some(label) if label < 0 => Err(form(format!("negative labels in `{name}`, the first is {label}"))),
        Some(label) => Err(form(format!("the label {label} in `{name}`"))),
        None => Ok(labels),
    }
}

/// An integer of at most 8 bytes.
fn integer(bytes: &[u8], scalar: Scalar) -> i128 {
    let append = |number: i128, &byte: &u8| number << 8 | i128::from(byte);
    let number = if scalar.big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) };
    let negative = scalar.kind == Kind::Signed && number >> (8 * bytes.len() - 1) == 1;
    if negative { number - (1 << (8 * bytes.len())) } else { number }
}

/// Opens an array: its header, and the stream of its values.
fn open<'a>(path: &Path, archive: &'a Archive, name: &str) -> Result<(Header, Member<'a>), DataError> {
    let mut member = archive.member(name).map_err(|error| decode(path, name, &error.to_string()))?;
    let header = Header::read(&mut member).map_err(|why| decode(path, name, &why))?;
    Ok((header, member))
}

/// Makes sure that the entry has as many bytes as the header states.
fn expect_values(path: &Path, name: &str, header: &Header, scalar: Scalar, member: &Member) -> Result<(), DataError> {
    let stated = header.values().and_then(|values| values.checked_mul(scalar.size));
    if stated.is_some_and(|stated| stated as u64 == member.left()) {
        return Ok(());
    }
    let why = format!("shape {:?} of {}, but {} bytes of values", header.shape, header.type_name(), member.left());
    Err(decode(path, name, &why))
}

/// Calls `take` with the bytes of one value after another.
fn each_value(mut member: Member, size: usize, count: usize, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK / size);
        let bytes = &mut buffer[..now * size];
        member.read_exact(bytes)?;
        bytes.chunks_exact(size).for_each(&mut take);
        left -= now;
    }
    member.finish()
}

fn decode(path: &Path, name: &str, why: &str) -> DataError {
    DataError::Decode { path: path.to_owned(), why: format!("array {name}: {why}") }
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

#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "small known values"
)]
mod tests {
    use super::*;
    use std::fs::File;

    use ndarray::{Array, Array1, Array2, ArrayD, Axis, Dimension, IxDyn, ShapeBuilder};
    use ndarray_npy::{NpzWriter, WritableElement};
    use proptest::prelude::*;

    fn load_arrays<A: WritableElement, B: WritableElement, D: Dimension, E: Dimension>(
        images: (&str, &Array<A, D>),
        labels: (&str, &Array<B, E>),
    ) -> Result<Dataset, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        let mut writer = NpzWriter::new_compressed(File::create(&path).unwrap());
        writer.add_array(images.0, images.1).unwrap();
        writer.add_array(labels.0, labels.1).unwrap();
        writer.finish().unwrap();
        Dataset::load(&path)
    }

    fn bytes() -> Array4<u8> {
        Array4::from_shape_fn((2, 5, 6, 3), |(n, h, w, c)| (n * 100 + h * 20 + w * 3 + c) as u8)
    }

    #[test]
    fn types_layouts_and_names_give_the_same_data() {
        let labels: Array1<i64> = Array1::from(vec![4, 2]);
        let reference = load_arrays(("x", &bytes()), ("y", &labels)).unwrap();
        assert_eq!((reference.image_shape(), &reference.labels[..]), ([5, 6, 3], &[4, 2][..]));
        assert_eq!(reference.images[[1, 2, 3, 1]], unit(150));
        let channels_first = bytes().permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned();
        let column: Array2<u8> = Array2::from_shape_vec((2, 1), vec![4, 2]).unwrap();
        let others = [
            load_arrays(("images", &channels_first), ("labels", &column)),
            load_arrays(("x_test", &bytes().mapv(f32::from)), ("y_test", &labels.mapv(|l| l as i32))),
            load_arrays(("x", &bytes().mapv(unit)), ("y", &labels)),
            load_arrays(("arr_0", &bytes().mapv(|b| f64::from(unit(b)))), ("arr_1", &labels.mapv(|l| l as u16))),
        ];
        for other in others {
            let other = other.unwrap();
            assert_eq!(other.images, reference.images);
            assert_eq!(other.sha256(), reference.sha256());
        }
        let grey = load_arrays(("x", &bytes().index_axis_move(ndarray::Axis(3), 0)), ("y", &labels)).unwrap();
        assert_eq!(grey.image_shape(), [5, 6, 1]);
        assert_ne!(grey.sha256(), reference.sha256());
    }

    #[test]
    fn mistakes_are_named() {
        let labels: Array1<i64> = Array1::from(vec![4, 2]);
        let error = |result: Result<Dataset, DataError>| result.unwrap_err().to_string();
        assert!(error(load_arrays(("x", &bytes()), ("classes", &labels))).contains("labels under one of the names"));
        assert!(error(load_arrays(("pictures", &bytes()), ("y", &labels))).contains("images under one of the names"));
        assert!(error(load_arrays(("x", &bytes()), ("y", &Array1::from(vec![-1_i64, 2])))).contains("negative labels"));
        assert!(error(load_arrays(("x", &bytes()), ("y", &Array1::from(vec![0.5_f64, 2.0])))).contains("not integers"));
        assert!(
            error(load_arrays(("x", &bytes()), ("y", &Array1::from(vec![1_i64])))).contains("2 images and 1 labels")
        );
        assert!(error(load_arrays(("x", &bytes().mapv(|b| f32::from(b) - 9.0)), ("y", &labels))).contains("from -9"));
        assert!(error(load_arrays(("x", &labels), ("y", &labels))).contains("images `x` of type int64 ('<i8')"));
        let flat: Array2<u8> = Array2::zeros((2, 784));
        assert!(error(load_arrays(("x", &flat), ("y", &labels))).contains("[2, 784]"));
    }

    /// What every array must become: as ndarray sees it, axes in the order `[n, h, w, c]`.
    fn expected(array: &ArrayD<f32>, channels_first: bool) -> Array4<f32> {
        let array = if array.ndim() == 3 { array.clone().insert_axis(Axis(3)) } else { array.clone() };
        let array = array.into_dimensionality::<ndarray::Ix4>().unwrap();
        if channels_first { array.permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned() } else { array }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn every_layout_order_and_type_is_read_as_it_was_written(
            (n, h, w, c) in (1_usize..4, 1_usize..9, 5_usize..9, prop::sample::select(vec![1, 3, 4])),
            layout in 0..3,
            fortran_order: bool,
            ty in 0..3,
            seed: u8,
        ) {
            let shape = match layout {
                0 => vec![n, h, w, c],
                1 => vec![n, c, h, w],
                _ => vec![n, h, w],
            };
            let mut next = seed;
            let bytes = ArrayD::from_shape_simple_fn(IxDyn(&shape).set_f(fortran_order), || {
                next = next.wrapping_mul(29).wrapping_add(71);
                next
            });
            let labels = Array1::from_iter(0..n as u32);
            let data = match ty {
                0 => load_arrays(("x", &bytes), ("y", &labels)),
                1 => load_arrays(("x", &bytes.mapv(unit)), ("y", &labels)),
                _ => load_arrays(("x", &bytes.mapv(|byte| f64::from(unit(byte)))), ("y", &labels)),
            };
            prop_assert_eq!(data.unwrap().images, expected(&bytes.mapv(unit), layout == 1));
        }
    }

    #[test]
    fn a_broken_archive_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        std::fs::write(&path, b"PK\x03\x04 and then nothing").unwrap();
        assert!(matches!(Dataset::load(&path), Err(DataError::Decode { .. })));
    }
}
