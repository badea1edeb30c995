//! The binary version of CIFAR-10 and CIFAR-100. Each image has one label byte (CIFAR-10), or a coarse and a fine label byte (CIFAR-100,
//! whose fine label is used), and 3072 bytes: a plane of 32x32 pixels for each of red, green and blue.

use std::path::Path;

use ndarray::Array4;

use super::{Dataset, MAX_VALUES, checked_values, form, read_regular, room, unit};
use crate::DataError;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const PIXELS: usize = 3 * PLANE;
/// Largest file, in bytes: as many records as a data set may have images. The original files have at most 50 000.
const MAX_BYTES: u64 = (MAX_VALUES / PIXELS * (2 + PIXELS)) as u64;

pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    let bytes = read_regular(path, MAX_BYTES)?;
    // A size that fits both is a multiple of 3073 * 3074 bytes. Then the label bytes decide: read as the other format, some of them
    // would be out of range.
    let fits = |labels: usize| !bytes.is_empty() && bytes.len().is_multiple_of(labels + PIXELS);
    let small_labels = |labels: usize, limits: &[u8]| {
        bytes.chunks_exact(labels + PIXELS).all(|record| record.iter().zip(limits).all(|(label, limit)| label < limit))
    };
    let label_bytes = if fits(1) && small_labels(1, &[10]) {
        1
    } else if fits(2) && small_labels(2, &[20, 100]) {
        2
    } else {
        if fits(1) || fits(2) {
            let found = format!("{} bytes with labels beyond the class count", bytes.len());
            return Err(form(path, found, DataError::CIFAR_RECORDS));
        }
        return Err(DataError::PartialRecord {
            path: path.to_owned(),
            bytes: bytes.len(),
            records: bytes.len() / (1 + PIXELS),
            remainder: bytes.len() % (1 + PIXELS),
        });
    };
    let record = label_bytes + PIXELS;
    let labels = bytes.chunks_exact(record).map(|record| u32::from(record[label_bytes - 1])).collect();
    let count = checked_values(path, [bytes.len() / record, SIDE, SIDE, 3])?;
    let mut values = room(path, count)?;
    for record in bytes.chunks_exact(record) {
        let planes = &record[label_bytes..];
        values.extend((0..PIXELS).map(|index| unit(planes[index % 3 * PLANE + index / 3])));
    }
    let images = Array4::from_shape_vec((bytes.len() / record, SIDE, SIDE, 3), values)
        .map_err(|error| DataError::Decode { path: path.to_owned(), why: error.to_string() })?;
    Dataset::new(path, images, labels, None)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::float_cmp, clippy::type_complexity, reason = "small known values")]
mod tests {
    use super::*;
    use std::fs::{self, File};

    fn load_bytes(bytes: &[u8]) -> Result<Dataset, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test_batch.bin");
        fs::write(&path, bytes).unwrap();
        Dataset::load(&path)
    }

    /// A record whose pixel of channel `c`, row 1, column 2 is `10 + c`.
    fn record(labels: &[u8]) -> Vec<u8> {
        let mut record = labels.to_vec();
        record.resize(labels.len() + PIXELS, 0);
        for c in 0..3 {
            record[labels.len() + c * PLANE + SIDE + 2] = 10 + c as u8;
        }
        record
    }

    #[test]
    fn both_kinds_are_read() {
        for (bytes, labels) in
            [([record(&[7]), record(&[9])].concat(), [7, 9]), ([record(&[3, 99]), record(&[19, 0])].concat(), [99, 0])]
        {
            let data = load_bytes(&bytes).unwrap();
            assert_eq!(data.labels, labels);
            assert_eq!(data.image_shape(), [32, 32, 3]);
            for c in 0..3 {
                assert_eq!(data.images[[1, 1, 2, c]], unit(10 + c as u8));
                assert_eq!(data.images[[1, 2, 1, c]], 0.0);
            }
        }
    }

    #[test]
    fn a_truncated_file_is_refused_with_its_size() {
        let bytes = [record(&[7]), record(&[9])].concat();
        let error = load_bytes(&bytes[..bytes.len() - 100]).unwrap_err().to_string();
        assert!(error.contains("6046 bytes (1 whole CIFAR-10 records and 2973 bytes)"), "{error}");
        assert!(load_bytes(b"").is_err());
        let error = load_bytes(&record(&[10])).unwrap_err().to_string();
        assert!(error.contains("labels beyond the class count"), "{error}");
    }

    #[test]
    fn a_folder_with_the_test_file_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("test_batch.bin"), record(&[1])).unwrap();
        assert_eq!(Dataset::load(folder.path()).unwrap().labels, [1]);
    }

    /// The file is sparse: nothing of it may be read.
    #[test]
    fn a_huge_file_is_refused_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.bin");
        File::create(&path).unwrap().set_len(1 << 29).unwrap();
        let error = Dataset::load(&path).unwrap_err().to_string();
        assert!(error.contains("found 536870912 bytes") && error.contains("at most"), "{error}");
    }
}
