//! Closed-form black boxes with known boundaries, for tests and documentation.

use ndarray::{ArrayView3, ArrayView4};

use crate::{HardLabelOracle, InputSpec, Label, OracleError};

/// Classifies by the nearest of one centre per class: the cells have flat boundaries at known distances.
///
/// ```
/// use aeva_attack::{HardLabelOracle, InputSpec};
/// use aeva_attack::synthetic::NearestCentre;
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
    trigger: Option<Trigger>,
}

/// A backdoor of known shape: a brighter patch brings the image nearer to the target.
///
/// The boundary between another class and the target stays flat. Its normal gains `gain / patch size` at every value of
/// the patch, so that the shortest perturbation peaks there.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    /// Rows of the patch, start (inclusive) and end (exclusive).
    pub rows: (usize, usize),
    /// Columns of the patch, start (inclusive) and end (exclusive).
    pub columns: (usize, usize),
    /// Reduction of the squared distance to the target's centre per unit of the patch mean above 0.5.
    pub gain: f64,
    /// Target label.
    pub target: Label,
}

impl NearestCentre {
    /// Creates a black box with one centre of `spec.values()` values for each of `spec.classes` classes.
    ///
    /// # Panics
    /// If the centres do not fit `spec`; this type is for tests.
    pub fn new(spec: InputSpec, centres: Vec<Vec<f64>>) -> Self {
        assert_eq!(centres.len(), spec.classes as usize);
        assert!(centres.iter().all(|centre| centre.len() == spec.values()));
        Self { spec, centres, trigger: None }
    }

    /// The same black box with a backdoor.
    #[must_use]
    pub fn with_trigger(self, trigger: Trigger) -> Self {
        Self { trigger: Some(trigger), ..self }
    }

    fn label(&self, image: ArrayView3<'_, f32>) -> Label {
        let distance = |(class, centre): (Label, &Vec<f64>)| -> (Label, f64) {
            let plain: f64 = image.iter().zip(centre).map(|(&value, centre)| (f64::from(value) - centre).powi(2)).sum();
            let bonus =
                self.trigger.filter(|trigger| trigger.target == class).map_or(0.0, |trigger| trigger.bonus(image));
            (class, plain - bonus)
        };
        (0..)
            .zip(&self.centres)
            .map(distance)
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(class, _)| class)
            .unwrap_or_default()
    }
}

impl Trigger {
    fn bonus(&self, image: ArrayView3<'_, f32>) -> f64 {
        let patch = image.slice(ndarray::s![self.rows.0..self.rows.1, self.columns.0..self.columns.1, ..]);
        let mean = patch.iter().map(|&value| f64::from(value)).sum::<f64>() / patch.len() as f64;
        self.gain * (mean - 0.5)
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
