//! The black box.

use ndarray::{ArrayView4, Axis};

use crate::error::{OracleError, ScanError};
use crate::label::Label;

/// The images that an oracle takes, and its number of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSpec {
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Channels of a pixel.
    pub channels: usize,
    /// Number of labels; every answer is below it, or [`NO_LABEL`](crate::NO_LABEL).
    pub classes: u32,
}

impl InputSpec {
    /// Image shape `[h, w, c]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Values of one image, `d = h * w * c`.
    pub fn values(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// A model that answers with its top-1 label only.
pub trait HardLabelOracle: Send {
    /// The images that it takes, and its number of labels.
    fn spec(&self) -> &InputSpec;

    /// Classifies `batch`, shape `[n, h, w, c]` in standard layout, values in `[0, 1]`; replaces the contents of
    /// `labels` with `n` labels. An image that the model has no label for, because its scores are NaN, gets
    /// [`NO_LABEL`](crate::NO_LABEL).
    ///
    /// The label of an image must not depend on the other images of the batch, on its position, or on `n`.
    ///
    /// # Errors
    /// [`OracleError`] if the model fails; `labels` is then unspecified.
    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError>;

    /// Makes sure at the end of a scan that it is still the model that it was at the beginning. An oracle that cannot change has
    /// nothing to do.
    ///
    /// # Errors
    /// [`OracleError`] with [`Meaning::Changed`](crate::Meaning::Changed) if it is another one, and those of
    /// [`classify`](Self::classify).
    fn confirm(&mut self) -> Result<(), OracleError> {
        Ok(())
    }

    /// Images that were classified besides those of [`classify`](Self::classify): to see that it is still the same model, or
    /// because one answer is not enough.
    fn checks(&self) -> u64 {
        0
    }
}

/// Labels of all `images` `[n, h, w, c]`, classified in batches of at most `batch_rows`.
///
/// # Errors
/// The errors of [`HardLabelOracle::classify`].
pub fn classify_all(
    oracle: &mut dyn HardLabelOracle,
    images: ArrayView4<'_, f32>,
    batch_rows: usize,
) -> Result<Vec<Label>, OracleError> {
    let mut all = Vec::with_capacity(images.dim().0);
    let mut labels = Vec::new();
    for chunk in images.axis_chunks_iter(Axis(0), batch_rows.max(1)) {
        oracle.classify(chunk, &mut labels)?;
        all.extend_from_slice(&labels);
    }
    Ok(all)
}

/// Checks that all oracles have the same specification and that it fits `images` `[n, h, w, c]`; returns it.
pub(crate) fn check_oracles(
    oracles: &[Box<dyn HardLabelOracle + '_>],
    images: &ArrayView4<'_, f32>,
) -> Result<InputSpec, ScanError> {
    let spec = *oracles.first().ok_or(ScanError::NoOracle)?.spec();
    if oracles.iter().any(|oracle| *oracle.spec() != spec) {
        return Err(ScanError::OraclesDiffer);
    }
    let (_, height, width, channels) = images.dim();
    let (model, data) = (spec.shape(), [height, width, channels]);
    if model == data { Ok(spec) } else { Err(ScanError::ImageShape { model, data }) }
}

/// A batch of rows `[n, h, w, c]` row-major.
pub(crate) fn batch<'a>(spec: &InputSpec, rows: &'a [f32]) -> Result<ArrayView4<'a, f32>, ScanError> {
    let count = rows.len() / spec.values().max(1);
    ArrayView4::from_shape((count, spec.height, spec.width, spec.channels), rows).map_err(|_| ScanError::Layout)
}
