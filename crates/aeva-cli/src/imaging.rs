//! Conversion of images to pictures.

use std::io::Cursor;

use anyhow::Context;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, imageops};

/// Small pictures are enlarged to about this many pixels.
const PICTURE: usize = 256;

/// A value in `[0, 1]` in 255ths.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(crate) fn byte(value: f32) -> u8 {
    (255.0 * value).round().clamp(0.0, 255.0) as u8
}

/// An image `[h, w, c]` of one or three channels as PNG.
pub(crate) fn png(pixels: &[u8], shape: [usize; 3]) -> anyhow::Result<Vec<u8>> {
    encoded(&image_of(pixels, shape)?)
}

/// Like [`png()`], with each pixel enlarged to a square.
pub(crate) fn enlarged_png(pixels: &[u8], shape: [usize; 3]) -> anyhow::Result<Vec<u8>> {
    let scale = u32::try_from((PICTURE / shape[0].max(shape[1]).max(1)).max(1))?;
    let image = image_of(pixels, shape)?;
    encoded(&image.resize_exact(image.width() * scale, image.height() * scale, imageops::FilterType::Nearest))
}

fn image_of(pixels: &[u8], [height, width, channels]: [usize; 3]) -> anyhow::Result<DynamicImage> {
    let (rows, columns) = (u32::try_from(height)?, u32::try_from(width)?);
    let image = match channels {
        1 => GrayImage::from_raw(columns, rows, pixels.to_vec()).map(DynamicImage::from),
        3 => RgbImage::from_raw(columns, rows, pixels.to_vec()).map(DynamicImage::from),
        _ => None,
    };
    image.with_context(|| format!("images of {channels} channels cannot be written as PNG; use .npz"))
}

fn encoded(image: &DynamicImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).context("cannot write .png")?;
    Ok(bytes.into_inner())
}
