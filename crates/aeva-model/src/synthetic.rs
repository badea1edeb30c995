//! Closed-form black boxes with known boundaries, for tests and documentation.

use aeva_attack::{HardLabelOracle, InputSpec, Label, OracleError};
use ndarray::{ArrayView3, ArrayView4};

/// Nearest of one centre per class: cells with flat boundaries, whose distances are known.
///
/// ```
/// use aeva_attack::{HardLabelOracle, InputSpec};
/// use aeva_model::synthetic::NearestCentre;
/// use ndarray::Array4;
///
/// let spec = InputSpec { height: 1, width: 2, channels: 1, classes: 2 };
/// let mut oracle = NearestCentre::new(spec, vec![vec![0.2, 0.2], vec![0.8, 0.8]]);
/// let mut labels = Vec::new();
/// let images = Array4::from_shape_vec((2, 1, 2, 1), vec![0.1, 0.3, 0.9, 0.9])?;
/// oracle.classify(images.view(), &mut labels)?;
/// assert_eq!(labels, [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug, Clone)]
pub struct NearestCentre {
    spec: InputSpec,
    centres: Vec<Vec<f64>>,
}

/// Another black box with a backdoor: images whose patch is bright enough get the target label.
#[derive(Debug, Clone)]
pub struct PatchBackdoor<O> {
    /// The black box without backdoor.
    pub inner: O,
    /// Rows of the patch, from (inclusive) to (exclusive).
    pub rows: (usize, usize),
    /// Columns of the patch, from (inclusive) to (exclusive).
    pub columns: (usize, usize),
    /// Mean of the patch, over all its pixels and channels, above which the backdoor opens.
    pub threshold: f64,
    /// Label it gives.
    pub target: Label,
}

impl NearestCentre {
    /// One centre of `spec.values()` values for each of `spec.classes` classes.
    ///
    /// # Panics
    /// When the centres do not fit `spec`; this is for tests.
    pub fn new(spec: InputSpec, centres: Vec<Vec<f64>>) -> Self {
        assert_eq!(centres.len(), spec.classes as usize);
        assert!(centres.iter().all(|centre| centre.len() == spec.values()));
        Self { spec, centres }
    }

    fn label(&self, image: ArrayView3<'_, f32>) -> Label {
        let distance = |centre: &[f64]| -> f64 {
            image.iter().zip(centre).map(|(&value, centre)| (f64::from(value) - centre).powi(2)).sum()
        };
        let nearest = self.centres.iter().map(|centre| distance(centre)).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        nearest.and_then(|(class, _)| Label::try_from(class).ok()).unwrap_or_default()
    }
}

impl HardLabelOracle for NearestCentre {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        labels.extend(batch.outer_iter().map(|image| self.label(image)));
        Ok(())
    }
}

impl<O: HardLabelOracle> HardLabelOracle for PatchBackdoor<O> {
    fn spec(&self) -> &InputSpec {
        self.inner.spec()
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        self.inner.classify(batch, labels)?;
        for (image, label) in batch.outer_iter().zip(labels) {
            let patch = image.slice(ndarray::s![self.rows.0..self.rows.1, self.columns.0..self.columns.1, ..]);
            let mean = patch.iter().map(|&value| f64::from(value)).sum::<f64>() / patch.len() as f64;
            if mean > self.threshold {
                *label = self.target;
            }
        }
        Ok(())
    }
}
