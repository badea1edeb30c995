//! `.npz` files of numpy: images `x` (uint8, float32 or float64; `[n, h, w, c]`, `[n, c, h, w]` or `[n, h, w]`) and labels `y` (any
//! integer type; `[n]` or `[n, 1]`).

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use ndarray::{Array4, ArrayD, Ix4};
use ndarray_npy::{NpzReader, ReadNpyError, ReadNpzError, ReadableElement};

use super::{Dataset, unit};
use crate::DataError;

/// Usual names, in order of preference.
const IMAGE_NAMES: [&str; 6] = ["x", "images", "x_test", "data", "image", "arr_0"];
const LABEL_NAMES: [&str; 7] = ["y", "labels", "y_test", "targets", "label", "target", "arr_1"];

type Npz = NpzReader<Cursor<Vec<u8>>>;

pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut File::open(path).map_err(io)?, &mut bytes).map_err(io)?;
    let decode = |error: ReadNpzError| DataError::Decode { path: path.to_owned(), why: error.to_string() };
    let mut npz = NpzReader::new(Cursor::new(bytes)).map_err(decode)?;
    let names = npz.names().map_err(decode)?;
    let find = |what: &str, wanted: &[&'static str]| {
        wanted.iter().find(|name| names.iter().any(|found| found == *name)).copied().ok_or_else(|| DataError::Form {
            path: path.to_owned(),
            found: format!("arrays {names:?}"),
            expected: format!("{what} under one of the names {wanted:?}"),
        })
    };
    let (images, labels) = (find("images", &IMAGE_NAMES)?, find("labels", &LABEL_NAMES)?);
    let images = images_of(path, &mut npz, images)?;
    let labels = labels_of(path, &mut npz, labels)?;
    Dataset::new(path, images, labels, None)
}

/// An array of element type `T`; `None` when it has another type.
fn array<T: ReadableElement>(path: &Path, npz: &mut Npz, name: &str) -> Result<Option<ArrayD<T>>, DataError> {
    match npz.by_name::<ndarray::OwnedRepr<T>, ndarray::IxDyn>(name) {
        Ok(array) => Ok(Some(array)),
        Err(ReadNpzError::Npy(ReadNpyError::WrongDescriptor(_))) => Ok(None),
        Err(error) => Err(DataError::Decode { path: path.to_owned(), why: format!("array {name}: {error}") }),
    }
}

fn images_of(path: &Path, npz: &mut Npz, name: &str) -> Result<Array4<f32>, DataError> {
    let form =
        |found: String, expected: &str| DataError::Form { path: path.to_owned(), found, expected: expected.to_owned() };
    let images: ArrayD<f32> = if let Some(bytes) = array::<u8>(path, npz, name)? {
        bytes.mapv(unit)
    } else {
        let floats = if let Some(floats) = array::<f32>(path, npz, name)? {
            floats
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "pixels need no more than f32")]
            let narrow = |value: f64| value as f32;
            let wide = array::<f64>(path, npz, name)?;
            let expected = "uint8, float32 or float64 values";
            wide.ok_or_else(|| form(format!("images `{name}` of another type"), expected))?.mapv(narrow)
        };
        let (low, high) = floats
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
        let finite = floats.iter().all(|value| value.is_finite());
        if !finite || low < 0.0 || high > 255.0 {
            return Err(form(format!("values from {low} to {high}"), "images in [0, 1] or [0, 255], not normalised"));
        }
        // Images of 8-bit origin: nothing else goes beyond 1.
        if high > 1.0 { floats / 255.0 } else { floats }
    };
    let shape = images.shape().to_vec();
    let images = match shape.len() {
        3 => images.insert_axis(ndarray::Axis(3)),
        _ => images,
    };
    let images = images
        .into_dimensionality::<Ix4>()
        .map_err(|_| form(format!("images of shape {shape:?}"), "[n, h, w, c], [n, c, h, w] or [n, h, w]"))?;
    let is_channels = |size: usize| matches!(size, 1 | 3 | 4);
    let (_, first, _, last) = images.dim();
    Ok(if is_channels(first) && !is_channels(last) {
        images.permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned()
    } else {
        images
    })
}

fn labels_of(path: &Path, npz: &mut Npz, name: &str) -> Result<Vec<u32>, DataError> {
    macro_rules! first_of {
        ($($ty:ty),*) => {
            $(if let Some(array) = array::<$ty>(path, npz, name)? {
                Some((array.shape().to_vec(), array.iter().map(|&label| u32::try_from(label).ok()).collect::<Option<Vec<u32>>>()))
            } else)* { None }
        };
    }
    let found = first_of!(i64, i32, u8, i16, u16, i8, u32, u64);
    let form = |found: String| DataError::Form {
        path: path.to_owned(),
        found,
        expected: "integer labels [n], from 0 to the class count minus 1".to_owned(),
    };
    let Some((shape, labels)) = found else {
        return Err(form(format!("labels `{name}` that are no integers")));
    };
    if !(shape.len() == 1 || shape.len() == 2 && shape[1] == 1) {
        return Err(form(format!("labels `{name}` of shape {shape:?}")));
    }
    labels.ok_or_else(|| form(format!("negative labels in `{name}`")))
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
    use ndarray::{Array, Array1, Array2, Dimension};
    use ndarray_npy::{NpzWriter, WritableElement};

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
        assert!(error(load_arrays(("x", &bytes()), ("y", &Array1::from(vec![0.5_f64, 2.0])))).contains("no integers"));
        assert!(
            error(load_arrays(("x", &bytes()), ("y", &Array1::from(vec![1_i64])))).contains("2 images and 1 labels")
        );
        assert!(error(load_arrays(("x", &bytes().mapv(|b| f32::from(b) - 9.0)), ("y", &labels))).contains("from -9"));
        assert!(error(load_arrays(("x", &labels), ("y", &labels))).contains("images `x` of another type"));
        let flat: Array2<u8> = Array2::zeros((2, 784));
        assert!(error(load_arrays(("x", &flat), ("y", &labels))).contains("[2, 784]"));
    }

    #[test]
    fn a_broken_archive_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        std::fs::write(&path, b"PK\x03\x04 and then nothing").unwrap();
        assert!(matches!(Dataset::load(&path), Err(DataError::Decode { .. })));
    }
}
