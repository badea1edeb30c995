//! npz archives written by hand, so that every field can be wrong.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, ensure};
use zip::{ZipArchive, ZipWriter};

use super::deflate::fast;

/// An array of an archive: a header and the data after it.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    descr: String,
    shape: String,
    data: Vec<u8>,
    fortran: bool,
    version: u8,
}

impl Array {
    /// The shape is given as the text in the header.
    pub(crate) fn new(descr: &str, shape: impl Into<String>, data: Vec<u8>) -> Self {
        Self { descr: descr.to_owned(), shape: shape.into(), data, fortran: false, version: 1 }
    }

    pub(crate) fn fortran(mut self) -> Self {
        self.fortran = true;
        self
    }

    pub(crate) fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// The bytes of the `.npy` file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let descr = if self.descr.starts_with('[') { self.descr.clone() } else { format!("'{}'", self.descr) };
        let order = if self.fortran { "True" } else { "False" };
        let mut text = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {}, }}", self.shape);
        let padding = (64 - (text.len() + 11) % 64) % 64;
        text.push_str(&" ".repeat(padding));
        text.push('\n');
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([self.version, 0]);
        if self.version == 1 {
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
            bytes.extend(length.to_le_bytes());
        } else {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend(length.to_le_bytes());
        }
        bytes.extend(text.bytes());
        bytes.extend(&self.data);
        bytes
    }
}

/// The text of a shape.
pub(crate) fn shape(sides: &[u64]) -> String {
    let sides: Vec<String> = sides.iter().map(|side| format!("{side},")).collect();
    format!("({})", sides.join(" "))
}

/// Writes an archive of these members, compressed.
pub(crate) fn write(path: &Path, members: &[(&str, &[u8])]) -> anyhow::Result<()> {
    let mut archive = ZipWriter::new(File::create(path)?);
    for (name, bytes) in members {
        archive.start_file(*name, fast())?;
        archive.write_all(bytes)?;
    }
    archive.finish()?;
    Ok(())
}

/// Writes an archive of one huge array of zeros and as many labels of zero.
pub(crate) fn write_bomb(path: &Path, images: u64) -> anyhow::Result<()> {
    let mut archive = ZipWriter::new(File::create(path)?);
    archive.start_file("x.npy", fast().large_file(true))?;
    archive.write_all(&Array::new("|u1", shape(&[images, 16, 16, 1]), Vec::new()).bytes())?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..images >> 12 {
        archive.write_all(&zeros)?;
    }
    archive.start_file("y.npy", fast())?;
    archive.write_all(&Array::new("|u1", shape(&[images]), Vec::new()).bytes())?;
    for _ in 0..images >> 20 {
        archive.write_all(&zeros)?;
    }
    archive.finish()?;
    Ok(())
}

/// The shipped images: one grey byte a pixel.
#[derive(Debug, Clone)]
pub(crate) struct Digits {
    pub(crate) pixels: Vec<u8>,
    pub(crate) labels: Vec<u8>,
}

/// Height and width of the shipped images.
pub(crate) const SIDE: usize = 16;
/// Pixels of one image.
pub(crate) const PIXELS: usize = SIDE * SIDE;

impl Digits {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let mut archive = ZipArchive::new(File::open(path)?)?;
        let mut member = |name: &str| -> anyhow::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            archive.by_name(name)?.read_to_end(&mut bytes)?;
            ensure!(bytes.len() > 10, "{name} is no array");
            let begin = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            bytes.get(begin..).map(<[u8]>::to_vec).context("an array has no values")
        };
        let (pixels, labels) = (member("x.npy")?, member("y.npy")?);
        // The first of eight bytes is the label.
        let labels: Vec<u8> = labels.iter().step_by(8).copied().collect();
        ensure!(pixels.len() == labels.len() * PIXELS, "the shipped images are not as they were");
        Ok(Self { pixels, labels })
    }

    pub(crate) fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * PIXELS..(index + 1) * PIXELS]
    }

    /// Indices of the images of a label, in order.
    pub(crate) fn of_label(&self, label: u8) -> Vec<usize> {
        (0..self.labels.len()).filter(|index| self.labels[*index] == label).collect()
    }

    pub(crate) fn part(&self, chosen: &[usize]) -> Self {
        Self {
            pixels: chosen.iter().flat_map(|index| self.image(*index).to_vec()).collect(),
            labels: chosen.iter().map(|index| self.labels[*index]).collect(),
        }
    }

    pub(crate) fn images(&self) -> Array {
        Array::new("|u1", shape(&[self.labels.len() as u64, 16, 16, 1]), self.pixels.clone())
    }

    pub(crate) fn truth(&self) -> Array {
        let wide = self.labels.iter().flat_map(|label| i64::from(*label).to_le_bytes());
        Array::new("<i8", shape(&[self.labels.len() as u64]), wide.collect())
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        write(path, &[("x.npy", &self.images().bytes()), ("y.npy", &self.truth().bytes())])
    }

    /// Writes a folder of pictures, one sub-folder per label, named so that they stay in order.
    pub(crate) fn write_folder(&self, folder: &Path) -> anyhow::Result<()> {
        for (index, label) in self.labels.iter().enumerate() {
            let class = folder.join(label.to_string());
            fs::create_dir_all(&class)?;
            let rows: Vec<&[u8]> = self.image(index).chunks(SIDE).collect();
            fs::write(class.join(format!("{index:05}.png")), super::png::grey(&rows)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let digits =
            Digits { pixels: (0..PIXELS * 3).map(|value| value.to_le_bytes()[0]).collect(), labels: vec![0, 1, 0] };
        digits.write(&path).unwrap();
        let read = Digits::read(&path).unwrap();
        assert_eq!((read.pixels, read.labels), (digits.pixels.clone(), digits.labels.clone()));
        assert_eq!(digits.of_label(0), [0, 2]);
        assert_eq!(digits.part(&[2]).image(0), digits.image(2));
    }
}
