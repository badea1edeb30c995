//! A `.npz` file with images and labels, and possibly the names of the classes.

use std::collections::BTreeSet;
use std::path::Path;

use super::Dataset;
use super::archive::{Archive, Member};
use super::array::{Stored, decode};
use crate::DataError;

/// Usual names, in order of preference.
const IMAGE_NAMES: [&str; 6] = ["x", "images", "x_test", "data", "image", "arr_0"];
const LABEL_NAMES: [&str; 7] = ["y", "labels", "y_test", "targets", "label", "target", "arr_1"];
const CLASS_NAMES: [&str; 2] = ["class_names", "names"];

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
    let images = open(path, &archive, images)?.images()?;
    let labels = open(path, &archive, labels)?.labels(images.dim().0)?;
    let class_names = match CLASS_NAMES.iter().find(|name| archive.names().any(|found| found == **name)) {
        Some(name) => open(path, &archive, name)?.names()?.filter(|names| are_of_classes(names, &labels)),
        None => None,
    };
    Dataset::new(path, images, labels, class_names)
}

/// Whether there is a name for each label. An array of this name may be something else: names of files, for example, one for each image.
fn are_of_classes(names: &[String], labels: &[u32]) -> bool {
    let classes = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let distinct: BTreeSet<&String> = names.iter().collect();
    let of_images = names.len() == labels.len() && names.len() > classes;
    let are =
        names.len() >= classes && !of_images && distinct.len() == names.len() && !distinct.contains(&String::new());
    if !are {
        tracing::warn!("the array of names is left out: it is not one name for each of {classes} classes");
    }
    are
}

/// Opens an array: its header, and the stream of its values.
fn open<'a>(path: &'a Path, archive: &'a Archive, name: &'a str) -> Result<Stored<'a, Member<'a>>, DataError> {
    let member = archive.member(name).map_err(|error| decode(path, Some(name), &error.to_string()))?;
    Stored::open(path, Some(name), member)
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
    use crate::data::unit;
    use std::fs::File;

    use ndarray::{Array, Array1, Array2, Array4, ArrayD, Axis, Dimension, IxDyn, ShapeBuilder};
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
