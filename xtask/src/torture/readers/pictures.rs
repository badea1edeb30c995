//! Folders of pictures: changed PNG and JPEG files, false sizes, bombs, and things that are not files.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Case, Shared, Step};
use crate::torture::npz::SIDE;
use crate::torture::png::{Header, grey, zlib};
use crate::torture::random::Random;
use crate::torture::run::Call;

/// A JPEG image of one pixel, progressive.
fn jpeg() -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00H\x00H\x00\x00\xff\xdb\x00C\x00".to_vec();
    bytes.extend([0xff; 64]);
    bytes.extend(b"\xff\xc2\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00\xff\xc4\x00\x14\x10\x01");
    bytes.extend([0; 16]);
    bytes.extend(b"\xff\xda\x00\x08\x01\x01\x00\x01?\x10");
    bytes
}

/// Position of that image's size.
const JPEG_SIZE: usize = 94;

/// Two images of every class, in `data`.
fn ground(shared: &Shared, folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let data = folder.join("data");
    let chosen: Vec<usize> = (0..10).flat_map(|label| shared.digits.of_label(label).into_iter().take(2)).collect();
    shared.digits.part(&chosen).write_folder(&data)?;
    Ok(data)
}

/// A case with one additional file in the first class.
fn file<'shared>(
    shared: &'shared Shared,
    name: impl Into<String>,
    file_name: &'static str,
    bytes: impl FnOnce(&mut Random) -> anyhow::Result<Vec<u8>> + Send + 'shared,
) -> Case<'shared> {
    Case::new(name, move |folder, random| {
        let data = ground(shared, folder)?;
        let bytes = bytes(random)?;
        fs::write(data.join("0").join(file_name), &bytes)?;
        // A copy beside the folder, to keep if the case goes wrong.
        fs::write(folder.join(file_name.trim_start_matches('-')), &bytes)?;
        Ok(shared.scan_data(&data, folder))
    })
}

/// A case with something else created in the folder.
fn thing<'shared>(
    shared: &'shared Shared,
    name: &'static str,
    make: impl FnOnce(&Path) -> anyhow::Result<()> + Send + 'shared,
) -> Case<'shared> {
    Case::new(name, move |folder, _| {
        let data = ground(shared, folder)?;
        make(&data)?;
        Ok(vec![Step::any(shared.scan(&shared.context.model(crate::torture::context::CLEAN), &data, folder))])
    })
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> anyhow::Result<Vec<Case<'shared>>> {
    let row: Vec<u8> = (0..16).collect();
    let small = grey(&[&row[..]; SIDE])?;
    let mut cases = Vec::new();
    let good = small.clone();
    cases.push(file(shared, "a good image", "0000.png", move |_| Ok(good)));
    for index in 0..60 * shared.times {
        let small = small.clone();
        cases.push(file(shared, format!("png {index}"), "0000.png", move |random| Ok(changed(&small, index, random))));
    }
    for index in 0..40 * shared.times {
        cases
            .push(file(shared, format!("jpeg {index}"), "0000.jpg", move |random| Ok(changed(&jpeg(), index, random))));
    }
    cases.extend(sizes(shared));
    cases.extend(things(shared, &small));
    Ok(cases)
}

fn changed(bytes: &[u8], index: usize, random: &mut Random) -> Vec<u8> {
    let count = *random.pick(&[1, 2, 6]);
    if index.is_multiple_of(3) { random.cut(bytes) } else { random.changed(bytes, count, bytes.len()) }
}

/// False sizes, true sizes, and pixel formats.
fn sizes<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    let largest = (1 << 31) - 1;
    for (width, height) in [
        (65535, 65535),
        (largest, largest),
        (largest, 1),
        (1, largest),
        (u32::MAX, u32::MAX),
        (0, 0),
        (0, 5),
        (100_000, 100_000),
        (16, 1 << 24),
    ] {
        for color in [0, 6] {
            let header = Header { width, height, depth: 8, color };
            cases.push(file(
                shared,
                format!("png said to be {width} x {height}, color {color}"),
                "0000.png",
                move |_| Ok(header.image(&zlib(&[0; 1000])?)),
            ));
        }
    }
    for (width, height) in [(65535_u16, 65535_u16), (0, 0), (65535, 1), (20000, 20000)] {
        cases.push(file(shared, format!("jpeg said to be {width} x {height}"), "0000.jpg", move |_| {
            let mut bytes = jpeg();
            bytes[JPEG_SIZE..JPEG_SIZE + 4].copy_from_slice(&[height.to_be_bytes(), width.to_be_bytes()].concat());
            Ok(bytes)
        }));
    }
    for (side, color, name) in
        [(16000, 0, "0000.png"), (11000, 6, "0000.png"), (22000, 0, "-first.png"), (11000, 6, "-first.png")]
    {
        let header = Header { width: side, height: side, depth: 8, color };
        cases.push(file(shared, format!("a bomb of {side} x {side}, color {color}, {name}"), name, move |_| {
            header.zeros()
        }));
    }
    for (color, depth) in [(2, 8), (4, 8), (6, 8), (0, 16), (2, 16)] {
        let header = Header { width: 16, height: 16, depth, color };
        cases.push(file(shared, format!("color {color} of {depth} bits"), "0000.png", move |_| header.zeros()));
    }
    for (name, bytes) in
        [("nothing", &b""[..]), ("gif", b"GIF89a\x10\0\x10\0"), ("tiff", b"II*\0\x08\0\0\0"), ("text", b"hello")]
    {
        cases.push(file(shared, format!("a png that is {name}"), "0000.png", move |_| Ok(bytes.to_vec())));
    }
    cases
}

/// Links, pipes, folders, and odd names in place of pictures and classes.
fn things<'shared>(shared: &'shared Shared, small: &[u8]) -> Vec<Case<'shared>> {
    let picture = |folder: &Path, name: &[u8], bytes: &[u8]| -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        Ok(fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), bytes)?)
    };
    let small = || small.to_vec();
    let (first, second, third) = (small(), small(), small());
    vec![
        thing(shared, "a folder named as a picture", |data| Ok(fs::create_dir(data.join("0/folder.png"))?)),
        thing(shared, "a link to nothing", |data| Ok(symlink("nowhere", data.join("0/dangling.png"))?)),
        thing(shared, "a link to itself", |data| Ok(symlink("loop.png", data.join("0/loop.png"))?)),
        thing(shared, "a link to an endless device", |data| Ok(symlink("/dev/zero", data.join("0/zero.png"))?)),
        thing(shared, "a pipe", |data| {
            Call::new("mkfifo").arg(data.join("0/pipe.png")).run()?;
            Ok(())
        }),
        thing(shared, "a class that is a link to itself", |data| Ok(symlink("11", data.join("11"))?)),
        thing(shared, "a class that is the folder", |data| Ok(symlink(".", data.join("11"))?)),
        thing(shared, "a name that is no text", move |data| picture(&data.join("0"), b"\xff\xfe.png", &first)),
        thing(shared, "classes 1 and 01", move |data| picture(&data.join("01"), b"a.png", &second)),
        thing(shared, "class 4294967295", move |data| picture(&data.join("4294967295"), b"a.png", &third)),
        thing(shared, "no pictures", |data| {
            for label in 0..10 {
                fs::remove_dir_all(data.join(label.to_string()))?;
            }
            Ok(())
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_jpeg_is_where_it_is_changed() {
        assert_eq!(jpeg()[JPEG_SIZE..JPEG_SIZE + 4], [0, 1, 0, 1]);
    }
}
