//! Triggers, and how they change an image.

/// A change that is the same for every image.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// Replaces a square of pixels.
    Patch(Patch),
    /// Is added to the whole image.
    Overlay(Overlay),
}

/// A square of pixels at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Row of its upper left pixel.
    pub row: usize,
    /// Column of its upper left pixel.
    pub column: usize,
    /// Side in pixels.
    pub side: usize,
    /// Its values `[side, side, c]` row-major, in `[0, 1]`.
    pub values: Vec<f32>,
}

/// A pattern over the whole image.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    /// Largest change of a value, images in `[0, 1]`.
    pub amplitude: f32,
    /// The pattern `[h, w, c]` row-major, in `[-1, 1]`; an image becomes `clip(image + amplitude * pattern, 0, 1)`.
    pub pattern: Vec<f32>,
}

impl Trigger {
    /// Writes `image` with the trigger into `out`, both `[h, w, c]` row-major with this shape.
    pub fn stamp(&self, image: &[f32], [_, width, channels]: [usize; 3], out: &mut [f32]) {
        match self {
            Self::Patch(patch) => {
                out.copy_from_slice(image);
                let length = patch.side * channels;
                for (line, values) in patch.values.chunks_exact(length).enumerate() {
                    let start = ((patch.row + line) * width + patch.column) * channels;
                    out[start..start + length].copy_from_slice(values);
                }
            }
            Self::Overlay(overlay) => {
                for ((out, value), change) in out.iter_mut().zip(image).zip(&overlay.pattern) {
                    *out = (value + overlay.amplitude * change).clamp(0.0, 1.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_replaces_its_square_alone() {
        // 3 x 4 pixels of 2 channels; a patch of side 2 at row 1, column 2.
        let image: Vec<f32> = (0_u8..24).map(|i| f32::from(i) / 100.0).collect();
        let trigger = Trigger::Patch(Patch { row: 1, column: 2, side: 2, values: vec![0.9; 8] });
        let mut out = vec![0.0; 24];
        trigger.stamp(&image, [3, 4, 2], &mut out);
        let changed: Vec<usize> = (0..24).filter(|&i| out[i].to_bits() != image[i].to_bits()).collect();
        assert_eq!(changed, [12, 13, 14, 15, 20, 21, 22, 23]);
        assert!(changed.iter().all(|&i| out[i].to_bits() == 0.9_f32.to_bits()));
    }

    #[test]
    fn an_overlay_stays_in_the_range_of_images() {
        let trigger = Trigger::Overlay(Overlay { amplitude: 0.2, pattern: vec![1.0, -1.0, 0.5] });
        let mut out = [0.0; 3];
        trigger.stamp(&[0.9, 0.1, 0.5], [1, 3, 1], &mut out);
        assert!(
            out.iter().zip([1.0, 0.0, 0.6_f32]).all(|(found, expected)| (found - expected).abs() < 1e-6),
            "{out:?}"
        );
    }
}
