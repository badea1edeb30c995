//! Pictures in PNG and JPEG files: as they are, or all made of one size.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::Array4;

use super::size::ImageSize;
use super::{checked_values, form, read_regular, room, unit};
use crate::DataError;
use crate::guard::guarded;

/// Largest file of one image, in bytes: `MAX_PIXELS` pixels of 4 channels that compression does not make smaller.
const MAX_FILE: u64 = 1 << 26;
/// Largest number of pixels in one image. No classifier takes an image this large, and a file of a few bytes can state any size.
const MAX_PIXELS: u64 = 1 << 24;
/// Largest memory of a decoder, in bytes: 16 bits for each of 4 channels, and as much again.
const MAX_DECODER_BYTES: u64 = 16 * MAX_PIXELS;

/// What a panic of the decoder means.
const DECODER: &str = "the file is damaged in a way that the decoder does not understand";

/// The images of all files.
pub(super) struct Pictures {
    /// `[n, h, w, c]`, values in `[0, 1]`.
    pub(super) images: Array4<f32>,
    /// What was done to them.
    pub(super) notes: Vec<String>,
}

/// Reads the pictures of the data `path`, of which there is at least one. With a `size`, all of them get it.
pub(super) fn load(path: &Path, files: &[PathBuf], size: Option<ImageSize>) -> Result<Pictures, DataError> {
    match size {
        None => as_they_are(path, files),
        Some(size) => of_size(path, files, size),
    }
}

fn as_they_are(path: &Path, files: &[PathBuf]) -> Result<Pictures, DataError> {
    let mut first = None;
    let mut values = Vec::new();
    for file in files {
        let picture = Picture::open(file)?;
        match first {
            None => {
                let [height, width, channels] = picture.shape;
                values = room(path, checked_values(path, [files.len(), height, width, channels])?)?;
                first = Some((picture.shape, file));
            }
            Some((expected, first)) => picture.expect_shape(expected, first)?,
        }
        values.extend(picture.pixels()?.into_iter().map(unit));
    }
    let [height, width, channels] = first.map_or([0; 3], |(shape, _)| shape);
    let images = stacked(path, [files.len(), height, width, channels], values)?;
    Ok(Pictures { images, notes: Vec::new() })
}

fn of_size(path: &Path, files: &[PathBuf], size: ImageSize) -> Result<Pictures, DataError> {
    let (height, width) = (size.height as usize, size.width as usize);
    let (mut resized, mut channels) = (false, BTreeSet::new());
    for file in files {
        let [h, w, c] = Picture::open(file)?.shape;
        resized |= [h, w] != [height, width];
        channels.insert(c);
    }
    // Grey pictures become RGB, and RGBA pictures lose their alpha channel, where not all are alike.
    let mixed = channels.len() > 1;
    let channels = if mixed { 3 } else { channels.first().copied().unwrap_or(3) };
    let shape = [files.len(), height, width, channels];
    let mut values = room(path, checked_values(path, shape)?)?;
    for file in files {
        values.extend(Picture::open(file)?.resized(size, channels)?.into_iter().map(unit));
    }
    let mut notes = Vec::new();
    if resized {
        notes.push(format!("images were resized to {size}"));
    }
    if mixed {
        notes.push("images with other channels were made RGB".to_owned());
    }
    Ok(Pictures { images: stacked(path, shape, values)?, notes })
}

fn stacked(path: &Path, shape: [usize; 4], values: Vec<f32>) -> Result<Array4<f32>, DataError> {
    Array4::from_shape_vec(shape, values)
        .map_err(|error| DataError::Decode { path: path.to_owned(), why: error.to_string() })
}

/// Whether the name is that of a picture.
pub(super) fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// An image file whose header has been read.
struct Picture<'a> {
    path: &'a Path,
    /// Shape `[h, w, c]` in the data set. A grey image loses its alpha channel.
    shape: [usize; 3],
    decoder: Box<dyn ImageDecoder>,
}

impl<'a> Picture<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let decode = |why: String| DataError::Decode { path: path.to_owned(), why };
        let bytes = read_regular(path, MAX_FILE)?;
        let format = ImageFormat::from_path(path).map_err(|error| decode(error.to_string()))?;
        // The content of the file decides, not its name.
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format)
            .with_guessed_format()
            .map_err(|error| decode(error.to_string()))?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_DECODER_BYTES);
        reader.limits(limits);
        let decoder = guarded(DECODER, || reader.into_decoder().map_err(|error| error.to_string()));
        let decoder = decoder.and_then(|decoder| decoder).map_err(decode)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            let expected = format!("at most {MAX_PIXELS} pixels: no classifier takes an image this large");
            return Err(form(path, format!("{width} x {height} pixels"), &expected));
        }
        let shape = [height as usize, width as usize, channels(decoder.color_type())];
        Ok(Self { path, shape, decoder: Box::new(decoder) })
    }

    /// Makes sure that the image has the shape of the first one.
    fn expect_shape(&self, expected: [usize; 3], first: &Path) -> Result<(), DataError> {
        let (path, first) = (self.path.to_owned(), first.to_owned());
        if self.shape[..2] != expected[..2] {
            return Err(DataError::ImageSize { path, found: self.shape, expected, first });
        }
        if self.shape[2] != expected[2] {
            return Err(DataError::ImageChannels { path, found: self.shape[2], expected: expected[2], first });
        }
        Ok(())
    }

    /// Decodes the pixels `[h, w, c]`. Files of 16 bits are reduced to 8 bits.
    fn pixels(self) -> Result<Vec<u8>, DataError> {
        let (path, shape) = (self.path, self.shape);
        let pixels = self.decode(shape[2])?.into_bytes();
        expect_bytes(path, &pixels, shape)?;
        Ok(pixels)
    }

    /// Decodes the pixels `[h, w, channels]`, of another size than that of the file.
    fn resized(self, size: ImageSize, channels: usize) -> Result<Vec<u8>, DataError> {
        let (path, [height, width, _]) = (self.path, self.shape);
        let too_long = |a: usize, b: u32| a as u64 * u64::from(b) > MAX_PIXELS;
        if too_long(width, size.height) || too_long(height, size.width) {
            let expected = format!("a picture that {size} pixels can be made of in {MAX_PIXELS} pixels");
            return Err(form(path, format!("{width} x {height} pixels"), &expected));
        }
        let image = self.decode(channels)?.resize_exact(size.width, size.height, FilterType::Triangle);
        let pixels = image.into_bytes();
        expect_bytes(path, &pixels, [size.height as usize, size.width as usize, channels])?;
        Ok(pixels)
    }

    /// Decodes to 8 bits in each of 1, 3 or 4 channels.
    fn decode(self, channels: usize) -> Result<DynamicImage, DataError> {
        let (path, decoder) = (self.path, self.decoder);
        let image = guarded(DECODER, || DynamicImage::from_decoder(decoder).map_err(|error| error.to_string()));
        let image = image.and_then(|image| image).map_err(|why| DataError::Decode { path: path.to_owned(), why })?;
        Ok(match channels {
            1 => image.into_luma8().into(),
            3 => image.into_rgb8().into(),
            _ => image.into_rgba8().into(),
        })
    }
}

fn expect_bytes(path: &Path, pixels: &[u8], shape: [usize; 3]) -> Result<(), DataError> {
    if pixels.len() == shape.iter().product::<usize>() {
        return Ok(());
    }
    let why = format!("{} bytes of pixels for the shape {shape:?}", pixels.len());
    Err(DataError::Decode { path: path.to_owned(), why })
}

fn channels(color: ColorType) -> usize {
    match (color.has_color(), color.has_alpha()) {
        (false, _) => 1,
        (true, false) => 3,
        (true, true) => 4,
    }
}
