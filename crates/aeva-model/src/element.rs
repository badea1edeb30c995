//! The type of the values that a model takes.

use std::fmt;
use std::path::Path;

use half::f16;
use ort::session::SessionInputValue;
use ort::value::{DynTensor, PrimitiveTensorElementType, TensorElementType, TensorRef};

use crate::input::{InputWriter, Pixel};
use crate::{ExpectedInput, ModelError, Preprocessing, ValueRange};

/// The type of the values that a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F16,
    U8,
}

impl Element {
    /// `None` for types that images do not have.
    pub(crate) fn of(kind: TensorElementType) -> Option<Self> {
        match kind {
            TensorElementType::Float32 => Some(Self::F32),
            TensorElementType::Float16 => Some(Self::F16),
            TensorElementType::Uint8 => Some(Self::U8),
            _ => None,
        }
    }

    fn kind(self) -> TensorElementType {
        match self {
            Self::F32 => TensorElementType::Float32,
            Self::F16 => TensorElementType::Float16,
            Self::U8 => TensorElementType::Uint8,
        }
    }

    /// The preprocessing of a model that takes these values. Bytes are pixels as they are: their range is 0..255 where none, that is
    /// 0..1, was stated.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another range, a mean or a standard deviation with bytes.
    pub(crate) fn preprocessing(self, stated: &Preprocessing, path: &Path) -> Result<Preprocessing, ModelError> {
        if self != Self::U8 {
            return Ok(stated.clone());
        }
        let fits = [ValueRange::UNIT, ValueRange::BYTE].contains(&stated.value_range);
        if !fits || !stated.mean.is_empty() || !stated.std.is_empty() {
            return Err(not_bytes(stated, path));
        }
        Ok(Preprocessing { value_range: ValueRange::BYTE, ..stated.clone() })
    }

    /// What a reader of the verdict should know about values of this type.
    pub(crate) fn note(self) -> Option<&'static str> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(
                "the model takes float16: pixels are rounded to 11 bits, so perturbations below 1/4096 may not be seen by the model",
            ),
            Self::U8 => Some(
                "the model takes uint8: pixels are rounded to 8 bits, so perturbations below 1/255 cannot be seen by the model",
            ),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::U8 => "uint8",
        })
    }
}

/// The error for a model that takes bytes, when something else is stated.
pub(crate) fn not_bytes(stated: &Preprocessing, path: &Path) -> ModelError {
    let found = format!("of type uint8, with {stated} as stated");
    ModelError::Input { path: path.to_owned(), found, expected: ExpectedInput::Bytes }
}

impl Pixel for f32 {
    fn of(value: f32) -> Self {
        value
    }
}

impl Pixel for f16 {
    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }
}

impl Pixel for u8 {
    /// The nearest number from 0 to 255.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast ends at 0 and 255, as it should"
    )]
    fn of(value: f32) -> Self {
        value.round() as Self
    }
}

/// Memory for the input of a run, which is used again and again.
pub(crate) enum Buffer {
    F32(Vec<f32>),
    F16(Vec<f16>),
    U8(Vec<u8>),
}

impl Buffer {
    pub(crate) fn new(element: Element) -> Self {
        match element {
            Element::F32 => Self::F32(Vec::new()),
            Element::F16 => Self::F16(Vec::new()),
            Element::U8 => Self::U8(Vec::new()),
        }
    }

    /// The input of this `shape` with `images`, and zeros after them.
    pub(crate) fn fill<'a>(
        &'a mut self,
        writer: &InputWriter,
        images: &[f32],
        shape: [usize; 4],
    ) -> ort::Result<SessionInputValue<'a>> {
        match self {
            Self::F32(values) => filled(values, writer, images, shape),
            Self::F16(values) => filled(values, writer, images, shape),
            Self::U8(values) => filled(values, writer, images, shape),
        }
    }
}

fn filled<'a, T: Pixel + PrimitiveTensorElementType + fmt::Debug + 'static>(
    values: &'a mut Vec<T>,
    writer: &InputWriter,
    images: &[f32],
    shape: [usize; 4],
) -> ort::Result<SessionInputValue<'a>> {
    values.resize(shape.iter().product(), T::of(0.0));
    writer.write(images, values);
    Ok(TensorRef::from_array_view((shape, &values[..]))?.into())
}

/// An input of this `shape` in memory of `allocator`.
pub(crate) fn tensor(
    element: Element,
    allocator: &ort::memory::Allocator,
    shape: [usize; 4],
) -> ort::Result<DynTensor> {
    DynTensor::new(allocator, element.kind(), shape)
}

/// Writes `images` into a tensor of [`tensor`], and zeros after them.
pub(crate) fn write(element: Element, tensor: &mut DynTensor, writer: &InputWriter, images: &[f32]) -> ort::Result<()> {
    match element {
        Element::F32 => writer.write(images, tensor.try_extract_tensor_mut::<f32>()?.1),
        Element::F16 => writer.write(images, tensor.try_extract_tensor_mut::<f16>()?.1),
        Element::U8 => writer.write(images, tensor.try_extract_tensor_mut::<u8>()?.1),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_the_pixel_that_it_was() {
        for byte in 0..=u8::MAX {
            assert_eq!(u8::of(255.0 * (f32::from(byte) / 255.0)), byte);
        }
        assert_eq!([-0.6, 0.49, 0.5, 254.4, 300.0, f32::NAN].map(u8::of), [0, 0, 1, 254, 255, 0]);
    }

    #[test]
    fn bytes_have_one_range() {
        let stated = |value_range| Preprocessing { value_range, ..Preprocessing::default() };
        let bytes = |stated: &Preprocessing| Element::U8.preprocessing(stated, Path::new("m.onnx"));
        for range in [ValueRange::UNIT, ValueRange::BYTE] {
            assert!(bytes(&stated(range)).is_ok_and(|found| found == stated(ValueRange::BYTE)));
        }
        let error = bytes(&stated(ValueRange::SIGNED)).unwrap_err().to_string();
        assert!(error.contains("m.onnx") && error.contains("-1..1") && error.contains("0..255"), "{error}");
        assert!(bytes(&Preprocessing { mean: vec![0.5], ..Preprocessing::default() }).is_err());
        let reversed = Preprocessing { reverse_channels: true, ..Preprocessing::default() };
        assert!(bytes(&reversed).is_ok_and(|found| found.reverse_channels));
        assert!(Element::F16.preprocessing(&stated(ValueRange::SIGNED), Path::new("")).is_ok());
    }
}
