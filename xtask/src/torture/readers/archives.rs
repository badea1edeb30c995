//! npz archives: shapes, types, orders and headers that do not match the data, and bombs.

use std::fs;
use std::io::Write;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Case, Shared, Step};
use crate::torture::npz::{self, Array, shape};

/// Bytes of four images.
const FOUR: usize = 4 * 256;

/// A case of images and labels as `.npy` bytes.
fn arrays<'shared>(shared: &'shared Shared, name: impl Into<String>, x: Vec<u8>, y: Vec<u8>) -> Case<'shared> {
    Case::new(name, move |folder, _| {
        let path = folder.join("data.npz");
        npz::write(&path, &[("x.npy", &x), ("y.npy", &y)])?;
        Ok(shared.scan_data(&path, folder))
    })
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = shapes(shared);
    cases.extend(types(shared));
    cases.extend(values(shared));
    cases.extend(headers(shared));
    cases.extend(containers(shared));
    cases.extend(mutations(shared));
    cases
}

fn shapes<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let truth = || shared.digits.truth().bytes();
    let mut cases = Vec::new();
    let sides: [&[u64]; 14] = [
        &[1 << 33, 16, 16, 1],
        &[1 << 38, 16, 16, 1],
        &[1 << 50, 16, 16, 1],
        &[1 << 62, 2, 1, 1],
        &[1 << 63, 1, 1, 1],
        &[u64::MAX, 1, 1, 1],
        &[1 << 32, 1 << 32, 1, 1],
        &[0, 16, 16, 1],
        &[10, 0, 16, 1],
        &[0, 1 << 62, 1 << 62, 1],
        &[],
        &[4],
        &[1, 16, 16, 1, 4],
        &[1; 200],
    ];
    let mut texts: Vec<String> = sides.iter().map(|sides| shape(sides)).collect();
    texts.push("(18446744073709551616, 1, 1, 1)".to_owned());
    for text in ["(-1, 16, 16, 1)", "[4, 16, 16, 1]", "'abc'", "(1.5, 16, 16, 1)", "(4, 16", "None"] {
        texts.push(text.to_owned());
    }
    texts.push("__import__('os').system('true')".to_owned());
    texts.push(format!("({})", "1,".repeat(20000)));
    for depth in [3, 20, 22, 100, 2000, 10000, 30000] {
        texts.push("[".repeat(depth) + &"]".repeat(depth));
        texts.push("(".repeat(depth) + &")".repeat(depth));
    }
    for text in texts {
        let short: String = text.chars().take(30).collect();
        for (descr, size) in [("|u1", 1), ("<f4", 4)] {
            let images = Array::new(descr, text.clone(), vec![0; FOUR * size]).bytes();
            cases.push(arrays(shared, format!("{descr} images of shape {short} ({})", text.len()), images, truth()));
        }
    }
    let nested = Array::new("|u1", "[".repeat(2_000_000), vec![0; FOUR]).version(2).bytes();
    cases.push(arrays(shared, "a shape of 2 MB", nested, truth()));
    cases
}

fn types<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    for descr in [
        "|O",
        "<f2",
        ">f4",
        ">f8",
        "<c8",
        "|b1",
        "<U5",
        "|S3",
        "<i4",
        "<u2",
        "[('a', '<f4'), ('b', '<i4')]",
        "<f16",
        "",
        "nonsense",
        "<M8[s]",
    ] {
        let images = Array::new(descr, "(4, 16, 16, 1)", vec![0; FOUR]).bytes();
        cases.push(arrays(shared, format!("images of type {descr}"), images, shared.digits.truth().bytes()));
        let labels = Array::new(descr, "(4,)", vec![0; 64]).bytes();
        cases.push(arrays(shared, format!("labels of type {descr}"), shared.digits.images().bytes(), labels));
    }
    let pickle = b"cos\nsystem\n(S'touch pickled'\ntR.".to_vec();
    cases.push(arrays(shared, "a pickle", Array::new("|O", "(1,)", pickle).bytes(), shared.digits.truth().bytes()));
    cases
}

fn values<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    let count = shared.digits.labels.len();
    let images = || shared.digits.images().bytes();
    for label in [-1, 1 << 40, (1 << 32) - 1, i64::MIN] {
        let labels = Array::new("<i8", format!("({count},)"), label.to_le_bytes().repeat(count)).bytes();
        cases.push(arrays(shared, format!("labels of {label}"), images(), labels));
    }
    for (name, text, size) in
        [("too many", "(17592186044416,)", count), ("fewer", "(3,)", 3), ("in pairs", "(2, 2)", 4)]
    {
        cases.push(arrays(
            shared,
            format!("labels, {name}"),
            images(),
            Array::new("<i8", text, vec![0; size * 8]).bytes(),
        ));
    }
    for value in [f32::NAN, f32::INFINITY, -0.5, 1e30, 300.0, f32::MIN_POSITIVE / 2.0] {
        let pixels = Array::new("<f4", "(4, 16, 16, 1)", value.to_le_bytes().repeat(FOUR)).bytes();
        let labels = Array::new("<i8", "(4,)", vec![0; 32]).bytes();
        cases.push(arrays(shared, format!("pixels of {value}"), pixels, labels));
    }
    cases
}

fn headers<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let (good, truth) = (shared.digits.images().bytes(), || shared.digits.truth().bytes());
    let mut cases = Vec::new();
    for version in [0, 2, 3, 9] {
        let images = Array::new("|u1", "(4, 16, 16, 1)", vec![0; FOUR]).version(version).bytes();
        cases.push(arrays(shared, format!("version {version}"), images, truth()));
    }
    let longest = [&good[..8], &[0xff, 0xff], &good[10..]].concat();
    cases.push(arrays(shared, "a header of 65535 bytes", longest, truth()));
    for length in [u32::MAX, 1 << 30, 0] {
        let huge = [b"\x93NUMPY\x02\x00", &length.to_le_bytes()[..], &good[10..]].concat();
        cases.push(arrays(shared, format!("a header of {length} bytes"), huge, truth()));
    }
    cases
}

/// The structure around the arrays: methods, names, bombs.
fn containers<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    let long = format!("{}.npy", "x".repeat(60000));
    for name in ["../../escape.npy", "/nowhere/escape.npy", "x.npy\0y", "C:\\x.npy", &long, "x.npy", "X.NPY", "x"] {
        let short: String = name.chars().take(20).collect();
        let name = name.to_owned();
        cases.push(Case::new(format!("a member {}", short.escape_debug()), move |folder, _| {
            let path = folder.join("data.npz");
            let (x, y) = (shared.digits.images().bytes(), shared.digits.truth().bytes());
            let first = if name == "x.npy" { "z.npy" } else { "x.npy" };
            npz::write(&path, &[(&name, &x), (first, &x), ("y.npy", &y)])?;
            Ok(shared.scan_data(&path, folder))
        }));
    }
    for images in [1_u64 << 22, 1 << 21] {
        cases.push(Case::new(format!("a bomb of {images} images"), move |folder, _| {
            let path = folder.join("data.npz");
            npz::write_bomb(&path, images)?;
            Ok(shared.scan_data(&path, folder))
        }));
    }
    // The compression method in both headers does not match the data.
    for method in [1_u8, 6, 9, 12, 14, 93, 95, 99] {
        cases.push(Case::new(format!("method {method}"), move |folder, _| {
            let path = folder.join("data.npz");
            let mut bytes = stored(shared)?;
            let places: Vec<usize> = (0..bytes.len().saturating_sub(12))
                .filter(|at| bytes[*at..].starts_with(b"PK\x03\x04") || bytes[*at..].starts_with(b"PK\x01\x02"))
                .collect();
            for place in places {
                let at = place + if bytes[place + 2] == 3 { 8 } else { 10 };
                bytes[at] = method;
            }
            fs::write(&path, bytes)?;
            Ok(shared.scan_data(&path, folder))
        }));
    }
    cases
}

fn stored(shared: &Shared) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, array) in [("x.npy", shared.digits.images()), ("y.npy", shared.digits.truth())] {
        archive.start_file(name, options)?;
        archive.write_all(&array.bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}

fn mutations<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let data = |folder: &Path, bytes: Vec<u8>| -> anyhow::Result<Vec<Step>> {
        let path = folder.join("data.npz");
        fs::write(&path, bytes)?;
        Ok(shared.scan_data(&path, folder))
    };
    let mut cases = Vec::new();
    for index in 0..60 * shared.times {
        cases.push(Case::new(format!("bytes {index}"), move |folder, random| {
            let raw = fs::read(shared.context.data())?;
            let count = *random.pick(&[1, 1, 2, 8]);
            data(folder, if index % 3 == 0 { random.cut(&raw) } else { random.changed(&raw, count, raw.len()) })
        }));
    }
    for index in 0..40 * shared.times {
        cases.push(Case::new(format!("header {index}"), move |folder, random| {
            let path = folder.join("data.npz");
            let count = *random.pick(&[1, 2, 3]);
            let images = random.changed(&shared.digits.images().bytes(), count, 80);
            npz::write(&path, &[("x.npy", &images), ("y.npy", &shared.digits.truth().bytes())])?;
            Ok(shared.scan_data(&path, folder))
        }));
    }
    cases
}
