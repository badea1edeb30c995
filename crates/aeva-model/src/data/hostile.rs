//! Malicious `.npz` files, which state far more than they contain, or contradict themselves. All of them are refused with a message, and
//! before memory is allocated for what they state.

#![allow(clippy::cast_possible_truncation, clippy::float_cmp, reason = "small known values")]

use std::fs::{self, File};

use flate2::Crc;
use proptest::prelude::*;

use super::Dataset;

/// An entry of a zip archive as it is written, whatever is true.
#[derive(Clone)]
struct Entry {
    name: &'static str,
    body: Vec<u8>,
    /// Method, checksum, packed and unpacked size as stated.
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
}

impl Entry {
    fn stored(name: &'static str, body: Vec<u8>) -> Self {
        let mut crc = Crc::new();
        crc.update(&body);
        let size = body.len() as u32;
        Self { name, body, method: 0, crc: crc.sum(), packed: size, size }
    }

    fn deflated(name: &'static str, body: &[u8]) -> Self {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, body).unwrap();
        let body_packed = encoder.finish().unwrap();
        Self { packed: body_packed.len() as u32, method: 8, body: body_packed, ..Self::stored(name, body.to_vec()) }
    }
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    archive_with(entries, false)
}

/// With `large`, all sizes and positions are in fields of 8 bytes, as in archives above 4 GiB.
fn archive_with(entries: &[Entry], large: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = file.len() as u32;
        let fields = |large: bool| {
            let or_elsewhere = |value: u32| if large { u32::MAX } else { value };
            let mut fields = [20_u16, 0, entry.method, 0, 0].map(u16::to_le_bytes).concat();
            fields.extend(
                [entry.crc, or_elsewhere(entry.packed), or_elsewhere(entry.size)].map(u32::to_le_bytes).concat(),
            );
            fields.extend([entry.name.len() as u16, if large { 28 } else { 0 }].map(u16::to_le_bytes).concat());
            fields
        };
        file.extend([b"PK\x03\x04", &fields(false)[..], entry.name.as_bytes(), &entry.body].concat());
        let position = if large { u32::MAX } else { at };
        directory.extend([b"PK\x01\x02\x14\x00", &fields(large)[..], &[0; 10], &position.to_le_bytes()].concat());
        directory.extend(entry.name.as_bytes());
        if large {
            directory.extend([1_u16, 24].map(u16::to_le_bytes).concat());
            directory.extend([entry.size, entry.packed, at].map(|value| u64::from(value).to_le_bytes()).concat());
        }
    }
    let (at, size, count) = (file.len() as u32, directory.len() as u32, entries.len() as u16);
    file.extend(&directory);
    if large {
        file.extend(large_end(entries.len() as u64, u64::from(size), u64::from(at)));
    } else {
        file.extend([b"PK\x05\x06\0\0\0\0", &count.to_le_bytes()[..], &count.to_le_bytes()].concat());
        file.extend([&size.to_le_bytes()[..], &at.to_le_bytes(), &[0, 0]].concat());
    }
    file
}

/// The end of an archive above 4 GiB.
fn large_end(count: u64, size: u64, offset: u64) -> Vec<u8> {
    let mut end = [&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    end.extend([count, count, size, offset].map(u64::to_le_bytes).concat());
    end.extend([b"PK\x06\x07\0\0\0\0", &offset.wrapping_add(size).to_le_bytes()[..], &[1, 0, 0, 0]].concat());
    end.extend([b"PK\x05\x06\0\0\0\0", &[0xff; 12][..], &[0, 0]].concat());
    end
}

fn npy(descr: &str, order: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), values].concat()
}

fn images(shape: &str, values: &[u8]) -> Entry {
    Entry::stored("x.npy", npy("|u1", "False", shape, values))
}

/// `count` labels 0.
fn labels(count: usize) -> Entry {
    Entry::stored("y.npy", npy("<i8", "False", &format!("({count},)"), &vec![0; 8 * count]))
}

fn load_bytes(bytes: &[u8]) -> Result<Dataset, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    fs::write(&path, bytes).unwrap();
    Dataset::load(&path).map_err(|error| error.to_string())
}

fn load(entries: &[Entry]) -> Result<Dataset, String> {
    load_bytes(&archive(entries))
}

#[track_caller]
fn refused(entries: &[Entry], why: &str) {
    let error = load(entries).unwrap_err();
    assert!(error.contains(why), "{error}");
}

#[test]
fn the_archives_of_these_tests_are_right() {
    let pixels: Vec<u8> = (0..24).collect();
    let data = load(&[images("(2, 3, 4)", &pixels), labels(2)]).unwrap();
    assert_eq!((data.image_shape(), data.images[[1, 2, 3, 0]]), ([3, 4, 1], 23.0 / 255.0));
    let packed = Entry::deflated("x.npy", &npy("|u1", "False", "(2, 3, 4)", &pixels));
    // Of two entries of the same name numpy takes the last one.
    let other = images("(2, 1, 1)", &[1, 2]);
    for large in [false, true] {
        let archive = archive_with(&[other.clone(), packed.clone(), labels(2)], large);
        for before in [&b""[..], b"something before"] {
            assert_eq!(load_bytes(&[before, &archive].concat()).unwrap().sha256(), data.sha256());
        }
    }
}

#[test]
fn huge_shapes_are_refused_before_anything_is_allocated() {
    for (shape, why) in [
        ("(8589934592, 16, 16, 1)", "but 1024 bytes of values"),
        ("(274877906944, 16, 16, 1)", "but 1024 bytes"),
        ("(1125899906842624, 16, 16, 1)", "but 1024 bytes"),
        ("(4611686018427387904, 2, 1, 1)", "but 1024 bytes"),
        ("(9223372036854775808, 2, 1, 1)", "but 1024 bytes"),
        ("(18446744073709551616, 1, 1, 1)", "a size of 18446744073709551616"),
        ("(4294967296, 4294967296, 1, 1)", "but 1024 bytes"),
        ("(0, 4611686018427387904, 4611686018427387904, 1)", "but 1024 bytes"),
    ] {
        for kind in ["|u1", "<f4"] {
            refused(&[Entry::stored("x.npy", npy(kind, "False", shape, &[0; 1024])), labels(4)], why);
        }
        let labels = shape.replace(", 16, 16, 1", ",");
        let labels = Entry::stored("y.npy", npy("<i8", "False", &labels, &[0; 1024]));
        assert!(load(&[images("(4, 16, 16, 1)", &[0; 1024]), labels]).is_err());
    }
    refused(&[images("(0, 16, 16, 1)", &[]), labels(0)], "at least one image");
    refused(&[images("(0, 4611686018427387904, 1, 1)", &[]), labels(0)], "at least one image");
}

/// 2^30 values: the directory states as many bytes as the header, and there is nothing.
#[test]
fn more_values_than_a_scan_holds_are_refused_by_what_is_stated() {
    let mut bomb = images("(4194304, 16, 16, 1)", &[]);
    bomb.size += 1 << 30;
    refused(&[bomb.clone(), labels(4)], "cannot be in");
    bomb.method = 8;
    refused(&[bomb, labels(4)], "cannot be in");
    // A stream that could hold them: half of the rest of the file is stated as packed, and is a hole.
    let header = npy("|u1", "False", "(4194304, 16, 16, 1)", &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    let full = archive(&[
        Entry {
            body: header.clone(),
            size: header.len() as u32 + (1 << 30),
            packed: header.len() as u32 + (1 << 30),
            ..images("()", &[])
        },
        labels(4),
    ]);
    let start = 30 + "x.npy".len() + header.len();
    let mut rest = full[start..].to_vec();
    // The second entry and the directory come after the hole.
    let at = rest.len() - 22 + 16;
    let moved = u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) + (1 << 30);
    rest[at..at + 4].copy_from_slice(&moved.to_le_bytes());
    fs::write(&path, &full[..start]).unwrap();
    let mut file = File::options().write(true).open(&path).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(start as u64 + (1 << 30))).unwrap();
    std::io::Write::write_all(&mut file, &rest).unwrap();
    let error = Dataset::load(&path).unwrap_err().to_string();
    assert!(error.contains("found 4194304 images of shape [16, 16, 1]"), "{error}");
    assert!(error.contains("at most 1048576 images of this shape: keep fewer images of each class"), "{error}");
}

#[test]
fn stated_sizes_are_compared_with_what_is_there() {
    let pixels = [7; 1024];
    let good = images("(4, 16, 16, 1)", &pixels);
    // The directory states more or less than the header.
    for shape in ["(5, 16, 16, 1)", "(3, 16, 16, 1)"] {
        refused(&[images(shape, &pixels), labels(4)], "but 1024 bytes of values");
    }
    // The stream is shorter or longer than both.
    let whole = npy("|u1", "False", "(4, 16, 16, 1)", &pixels);
    let size = whole.len() as u32;
    let short = Entry { size, ..Entry::deflated("x.npy", &whole[..whole.len() - 9]) };
    refused(&[short, labels(4)], "the entry ends after");
    let long = Entry { size, ..Entry::deflated("x.npy", &[&whole[..], &[1]].concat()) };
    refused(&[long, labels(4)], "longer than");
    let other = Entry { crc: 1, ..good.clone() };
    refused(&[other, labels(4)], "checksum");
    let beyond = Entry { packed: 1 << 20, size: 1 << 20, ..good.clone() };
    refused(&[beyond, labels(4)], "beyond the end of the file");
    let method = Entry { method: 12, ..good.clone() };
    refused(&[method, labels(4)], "packed by method 12");
    refused(&[good, labels(3)], "4 images and 3 labels");
}

#[test]
fn headers_that_harmed_the_former_reader_are_refused() {
    for depth in [20, 22, 10_000] {
        let nested = "[".repeat(depth) + &"]".repeat(depth);
        refused(&[images(&nested, &[0; 1024]), labels(4)], "array x: a header with");
    }
    let huge =
        [b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &npy("|u1", "False", "(4, 16, 16, 1)", &[0; 1024])[10..]].concat();
    refused(&[Entry::stored("x.npy", huge), labels(4)], "a header of 4294967295 bytes");
}

#[test]
fn other_types_are_named() {
    for (descr, name) in
        [("<f2", "float16 ('<f2')"), ("|O", "Python objects ('|O')"), ("<i4", "int32"), ("<c8", "complex64")]
    {
        let images = Entry::stored("x.npy", npy(descr, "False", "(4, 16, 16, 1)", &[0; 2048]));
        refused(&[images, labels(4)], &format!("images `x` of type {name}"));
    }
    for (descr, name) in [("<f8", "float64 ('<f8')"), ("|b1", "bool ('|b1')"), ("<M8[s]", "dates")] {
        let labels = Entry::stored("y.npy", npy(descr, "False", "(4,)", &[0; 32]));
        refused(&[images("(4, 16, 16, 1)", &[0; 1024]), labels], &format!("labels `y` of type {name}"));
    }
}

#[test]
fn the_order_of_bytes_and_of_axes_changes_nothing() {
    let pixels: Vec<u8> = (0..60).collect();
    let reference = load(&[images("(3, 4, 5)", &pixels), labels(3)]).unwrap();
    let turned: Vec<u8> = (0..60).map(|at| pixels[(at % 3) * 20 + at / 3 % 4 * 5 + at / 12]).collect();
    let floats =
        |bytes: &dyn Fn(f32) -> Vec<u8>| pixels.iter().flat_map(|&pixel| bytes(f32::from(pixel))).collect::<Vec<u8>>();
    for x in [
        npy("|u1", "True", "(3, 4, 5)", &turned),
        npy(">f4", "False", "(3, 4, 5)", &floats(&|pixel| pixel.to_be_bytes().to_vec())),
        npy(">f8", "False", "(3, 4, 5)", &floats(&|pixel| f64::from(pixel).to_be_bytes().to_vec())),
        npy("<f8", "False", "(3, 4, 5)", &floats(&|pixel| f64::from(pixel).to_le_bytes().to_vec())),
    ] {
        assert_eq!(load(&[Entry::stored("x.npy", x), labels(3)]).unwrap().sha256(), reference.sha256());
    }
}

/// Names of three classes as numpy stores them.
#[test]
fn names_of_classes_are_read() {
    let with = |key: &'static str, descr: &str, shape: &str, values: &[u8]| {
        let names = Entry::stored(key, npy(descr, "False", shape, values));
        let y = npy("<i8", "False", "(4,)", &[0_u64, 1, 2, 1].map(u64::to_le_bytes).concat());
        load(&[images("(4, 2, 1)", &[0; 8]), Entry::stored("y.npy", y), names]).map(|data| data.class_names)
    };
    let text = ["cat", "ö", "bee"];
    let wide = |bytes: fn(u32) -> [u8; 4]| -> Vec<u8> {
        let padded = text.iter().flat_map(|name| name.chars().chain(['\0'; 3]).take(3));
        padded.flat_map(|character| bytes(character.into())).collect()
    };
    let expected = Ok(Some(text.map(str::to_owned).to_vec()));
    assert_eq!(with("names.npy", "<U3", "(3,)", &wide(u32::to_le_bytes)), expected);
    assert_eq!(with("class_names.npy", ">U3", "(3,)", &wide(u32::to_be_bytes)), expected);
    assert_eq!(with("names.npy", "|S3", "(3,)", "cat\u{f6}\0bee".as_bytes()), expected);
    // Something else under that name is no reason to refuse the images.
    for (descr, shape, values) in [
        ("|S1", "(4,)", &b"abcd"[..]),
        ("|S1", "(2,)", b"ab"),
        ("|S1", "(3,)", b"aba"),
        ("|S1", "(3, 1)", b"abc"),
        ("|u1", "(3,)", b"abc"),
        ("|O", "(3,)", b"abc"),
    ] {
        assert_eq!(with("names.npy", descr, shape, values), Ok(None), "{descr} {shape}");
    }
    for (descr, shape, why) in [
        ("<U4294967296", "(3,)", "3 names of 4294967296 characters"),
        ("<U18446744073709551615", "(3,)", "characters"),
        ("|S0", "(3,)", "3 names of 0 characters"),
        ("<U3", "(1099511627776,)", "1099511627776 names"),
        ("<U3", "(4,)", "but 36 bytes of values"),
        ("<U3", "(3,)", "a name that is no text"),
    ] {
        let error = with("names.npy", descr, shape, &[0xff; 36]).unwrap_err();
        assert!(error.contains(why), "{descr} {shape}: {error}");
    }
}

#[test]
fn labels_of_every_integer_type_are_read() {
    let with = |descr: &str, values: &[u8]| {
        let labels = Entry::stored("y.npy", npy(descr, "False", "(2,)", values));
        load(&[images("(2, 1, 1)", &[0, 0]), labels]).map(|data| data.labels)
    };
    for kind in ['i', 'u'] {
        for size in [1, 2, 4, 8] {
            let little: Vec<u8> = [5_u64, 100].iter().flat_map(|label| label.to_le_bytes()[..size].to_vec()).collect();
            let big: Vec<u8> = [5_u64, 100].iter().flat_map(|label| label.to_be_bytes()[8 - size..].to_vec()).collect();
            let order = if size == 1 { '|' } else { '<' };
            assert_eq!(with(&format!("{order}{kind}{size}"), &little), Ok(vec![5, 100]));
            assert_eq!(with(&format!(">{kind}{size}"), &big), Ok(vec![5, 100]));
            let all = with(&format!("{order}{kind}{size}"), &vec![0xff; 2 * size]);
            match (kind, size) {
                ('i', _) => assert!(all.unwrap_err().contains("negative labels in `y`, the first is -1")),
                (_, 8) => assert!(all.unwrap_err().contains("the label 18446744073709551615 in `y`")),
                _ => assert_eq!(all, Ok(vec![u32::MAX >> (32 - 8 * size); 2])),
            }
        }
    }
}

#[test]
fn values_that_are_no_pixels_are_refused() {
    for value in [f32::NAN, f32::INFINITY, -0.5, 1e30, 300.0] {
        let x = npy("<f4", "False", "(2, 1, 1)", &[value.to_le_bytes(), 0.0_f32.to_le_bytes()].concat());
        refused(&[Entry::stored("x.npy", x), labels(2)], "images in [0, 1] or [0, 255]");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever bytes are changed or cut off: data or an error, and never a panic.
    #[test]
    fn damaged_archives_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let packed = Entry::deflated("x.npy", &npy("|u1", "False", "(2, 3, 4)", &[9; 24]));
        let mut bytes = archive(&[packed, labels(2)]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = load_bytes(&bytes);
    }
}

/// Directories that state 2^60 entries, and more bytes than there are.
#[test]
fn huge_directories_are_refused() {
    let bytes = archive(&[images("(2, 3, 4)", &[0; 24]), labels(2)]);
    let before = &bytes[..bytes.len() - 22];
    for (size, offset) in [(1_u64 << 60, 0_u64), (0, 1 << 60), (u64::MAX, u64::MAX), (1 << 25, 0)] {
        let error = load_bytes(&[before, &large_end(1 << 60, size, offset)].concat()).unwrap_err();
        assert!(error.contains("directory of"), "{error}");
    }
}
