//! From images to the body of a request.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::{Image, Request, Template};
use crate::message::Message;
use crate::protocol::byte;

/// A request about `values` of shape `[n, h, w, c]`; for pictures, in 0 to 255.
pub(super) fn message(template: &Template, shape: [usize; 4], values: &[f32]) -> Result<Message, String> {
    let [count, height, width, channels] = shape;
    let images: Vec<&[f32]> = values.chunks((height * width * channels).max(1)).take(count).collect();
    let size = [height, width, channels];
    match &template.request {
        Request::Json { text, batch } => {
            let images: Vec<String> =
                images.iter().map(|image| json(template.image, size, image)).collect::<Result<_, _>>()?;
            let shape = if *batch { format!("{shape:?}") } else { format!("{size:?}") };
            let body = text.replace(r#""$SHAPE""#, &shape).replace(r#""$ROWS""#, &count.to_string());
            // Last, because an image could look like a placeholder.
            let body = body
                .replace(r#""$IMAGES""#, &format!("[{}]", images.join(",")))
                .replace(r#""$IMAGE""#, images.first().map_or("null", String::as_str));
            Ok(Message::json(body.into_bytes()))
        }
        Request::Multipart { field } => {
            let (picture, kind) = picture(template.image, size, first(&images))?;
            Ok(multipart(field, kind, &picture))
        }
        Request::Raw => {
            let (body, kind) = picture(template.image, size, first(&images))?;
            Ok(Message { content_type: format!("image/{kind}"), headers: Vec::new(), body })
        }
    }
}

fn first<'a>(images: &[&'a [f32]]) -> &'a [f32] {
    images.first().copied().unwrap_or_default()
}

/// An image in JSON.
fn json(form: Image, size: [usize; 3], image: &[f32]) -> Result<String, String> {
    let list = |values: &[f32]| serde_json::to_string(values).map_err(|error| error.to_string());
    match form {
        Image::Flat => list(image),
        Image::Nested => {
            let [_, width, channels] = size;
            let rows = image.chunks((width * channels).max(1)).map(|row| {
                let pixels: Vec<String> = row.chunks(channels.max(1)).map(list).collect::<Result<_, _>>()?;
                Ok(format!("[{}]", pixels.join(",")))
            });
            Ok(format!("[{}]", rows.collect::<Result<Vec<_>, String>>()?.join(",")))
        }
        Image::Png | Image::Jpeg { .. } => Ok(format!("\"{}\"", STANDARD.encode(picture(form, size, image)?.0))),
    }
}

/// An image as a file, and the name of its format.
fn picture(
    form: Image,
    [height, width, channels]: [usize; 3],
    image: &[f32],
) -> Result<(Vec<u8>, &'static str), String> {
    if image.is_empty() || image.len() != height * width * channels {
        return Err("no image".to_owned());
    }
    let bytes: Vec<u8> = image.iter().map(|&value| byte(value)).collect();
    let colour = match channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        4 if form == Image::Png => ExtendedColorType::Rgba8,
        _ => return Err(format!("images of {channels} channels, which are no pictures")),
    };
    let side = |size: usize| u32::try_from(size).map_err(|_| "an image that is too large".to_owned());
    let (width, height, mut file) = (side(width)?, side(height)?, Cursor::new(Vec::new()));
    let (written, kind) = if let Image::Jpeg { quality } = form {
        (JpegEncoder::new_with_quality(&mut file, quality).write_image(&bytes, width, height, colour), "jpeg")
    } else {
        let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Sub);
        (encoder.write_image(&bytes, width, height, colour), "png")
    };
    written.map_err(|error| error.to_string())?;
    Ok((file.into_inner(), kind))
}

fn multipart(field: &str, kind: &str, picture: &[u8]) -> Message {
    let mut boundary = "aeva-boundary".to_owned();
    // Ends, as the picture is finite: each turn makes the boundary longer.
    while picture.windows(boundary.len()).any(|part| part == boundary.as_bytes()) {
        boundary.push('x');
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"image.{kind}\"\r\nContent-Type: image/{kind}\r\n\r\n"
    );
    let body = [head.as_bytes(), picture, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    Message { content_type: format!("multipart/form-data; boundary={boundary}"), headers: Vec::new(), body }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    fn body(request: &str, shape: [usize; 4], values: &[f32]) -> (String, Vec<u8>) {
        let message = format!("[request]\n{request}").parse::<Template>().unwrap().request(shape, values).unwrap();
        (message.content_type, message.body)
    }

    #[test]
    fn numbers_are_nested_or_flat() {
        let text = |request: &str| {
            let (kind, body) = body(request, [2, 1, 2, 1], &[0.0, 0.5, 1.0, 0.25]);
            assert_eq!(kind, "application/json");
            String::from_utf8(body).unwrap()
        };
        assert_eq!(
            text("form = \"json\"\nimage = \"nested\"\njson = '{\"x\": \"$IMAGES\", \"n\": \"$ROWS\"}'"),
            r#"{"n":2,"x":[[[[0.0],[0.5]]],[[[1.0],[0.25]]]]}"#
        );
        assert_eq!(
            text("form = \"json\"\nimage = \"flat\"\njson = '{\"x\": \"$IMAGES\", \"shape\": \"$SHAPE\"}'"),
            r#"{"shape":[2, 1, 2, 1],"x":[[0.0,0.5],[1.0,0.25]]}"#
        );
        assert_eq!(text("form = \"json\"\nimage = \"flat\"\njson = '[\"$IMAGE\"]'"), "[[0.0,0.5]]");
    }

    #[test]
    fn pictures_are_files_that_can_be_read() {
        let values = [0.0, 128.4, 255.0, 300.0, -1.0, 7.6];
        let (kind, file) = body("form = \"raw\"\nimage = \"png\"", [1, 1, 2, 3], &values);
        let read = |file: &[u8]| image::load_from_memory(file).unwrap().to_rgb8().into_raw();
        assert_eq!((kind.as_str(), read(&file)), ("image/png", vec![0, 128, 255, 255, 0, 8]));
        let (kind, form) = body("form = \"multipart\"\nimage = \"png\"\nfield = \"data\"", [1, 1, 2, 3], &values);
        assert_eq!(kind, "multipart/form-data; boundary=aeva-boundary");
        let text = String::from_utf8_lossy(&form);
        assert!(text.starts_with("--aeva-boundary\r\nContent-Disposition: form-data; name=\"data\""), "{text}");
        assert!(form.windows(file.len()).any(|part| part == file) && text.ends_with("--aeva-boundary--\r\n"));
        let (_, jpeg) = body("form = \"raw\"\nimage = \"jpeg\"\nquality = 100", [1, 1, 2, 3], &values);
        assert_eq!(read(&jpeg).len(), 6);
        let (_, json) = body("form = \"json\"\nimage = \"png\"\njson = '\"$IMAGE\"'", [1, 1, 2, 3], &values);
        let text: String = serde_json::from_slice(&json).unwrap();
        assert_eq!(STANDARD.decode(text).unwrap(), file);
        let two: Template = "[request]\nform = \"raw\"\nimage = \"png\"".parse().unwrap();
        assert!(two.request([1, 1, 1, 2], &[0.0, 0.0]).unwrap_err().contains("2 channels"));
    }
}
