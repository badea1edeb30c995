//! The clean models that a model is compared with.
//!
//! No formula says how far a clean model stands out: networks for photographs do so further than networks for digits. So
//! the tool keeps the evidence of clean models that other people made, and says how many of them stand out as far. It
//! cannot say more than there are models: the smallest p-value of 40 of them is 1/41.

use super::reference_model::ReferenceModel;
use super::reference_table::{CLEAN, SCREENED};

/// Clean models that others are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    models: Vec<ReferenceModel>,
}

/// Up to which ratio of their numbers of labels a clean model counts fully, and beyond which one not at all. With more
/// labels, the best of them stands out further, so a model with fewer labels than the one that is judged would make it look
/// more suspicious than it is. One with more labels would make it look less suspicious, and may be less alike.
const FEWER_LABELS: (f64, f64) = (2.5, 6.0);
const MORE_LABELS: (f64, f64) = (3.5, 4.2);
/// With two labels, one is always easier to reach than the other, and only models of two labels show by how much.
const ALIKE_ONLY: u32 = 2;
/// The most labels of the clean models that are built in. For more labels, what is known is extrapolated.
const MEASURED_LABELS: usize = 43;
/// Models with fewer labels than this are not extrapolated from.
const EXTRAPOLATED_FROM: u32 = 10;
/// How much further the best of e times as many labels is taken to stand out. From 10 to 43 labels, the median of the
/// origins rises by 0.65, which is 0.45 for each factor of e, and the highest one by nothing.
const RISE: f64 = 0.5;

impl Reference {
    /// The clean models that `cargo xtask bank` measured: see `docs/evaluation.md`.
    pub fn built_in() -> Self {
        Self { models: CLEAN.to_vec() }
    }

    /// The same models, by what the passes of a screen show of them.
    pub fn screened() -> Self {
        Self { models: SCREENED.to_vec() }
    }

    /// These models and no others.
    pub fn of(models: Vec<ReferenceModel>) -> Self {
        Self { models }
    }

    /// These models too.
    #[must_use]
    pub fn and(mut self, models: &[ReferenceModel]) -> Self {
        self.models.extend_from_slice(models);
        self
    }

    /// What is known of clean models with about as many labels. With more labels than any that is built in has, models
    /// with fewer labels count fully, as if they stood out further than they do.
    pub fn null(&self, classes: usize) -> Null {
        let compared = |model: &ReferenceModel| match raised(classes, model) {
            Some(raised) => (raised, 1.0),
            None => (*model, likeness(classes, model.labels as usize)),
        };
        let comparable: Vec<(ReferenceModel, f64)> =
            self.models.iter().map(compared).filter(|(_, likeness)| *likeness > 0.0).collect();
        let of_origin = |origin: u32| comparable.iter().filter(|(model, _)| model.origin == Some(origin)).count();
        let share = |model: &ReferenceModel| model.origin.map_or(1.0, |origin| 1.0 / of_origin(origin).max(1) as f64);
        Null {
            models: comparable.iter().map(|(model, likeness)| (model.evidence, likeness * share(model))).collect(),
            is_extrapolated: self.models.iter().any(|model| raised(classes, model).is_some()),
        }
    }
}

/// A clean model as it might be with `own` labels, if these are more than were measured.
fn raised(own: usize, model: &ReferenceModel) -> Option<ReferenceModel> {
    let is_extrapolated = own > MEASURED_LABELS && model.labels >= EXTRAPOLATED_FROM && own > model.labels as usize;
    let rise = RISE * (own as f64 / f64::from(model.labels)).ln();
    is_extrapolated.then_some(ReferenceModel { evidence: model.evidence + rise, ..*model })
}

/// How much a clean model with `other` labels counts for a model with `own` labels, from 0 to 1: with the logarithm of
/// their ratio.
fn likeness(own: usize, other: usize) -> f64 {
    if own == other {
        return 1.0;
    }
    if own.min(other) <= ALIKE_ONLY as usize {
        return 0.0;
    }
    let ratio = own.max(other) as f64 / own.min(other) as f64;
    let (alike, comparable) = if other < own { FEWER_LABELS } else { MORE_LABELS };
    (1.0 - (ratio / alike).ln() / (comparable / alike).ln()).clamp(0.0, 1.0)
}

/// The evidence of comparable clean models.
#[derive(Debug, Clone, PartialEq)]
pub struct Null {
    /// Evidence and weight of each model.
    models: Vec<(f64, f64)>,
    is_extrapolated: bool,
}

impl Null {
    /// The share of clean models with at least this evidence, if the model itself is one of them:
    /// `(1 + w) / (1 + n)`, where `n` counts the comparable clean models, those of one origin as one, and `w` those of
    /// them with at least this evidence.
    ///
    /// Source: conformal p-values; V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World" (2005);
    /// with weights, R. Tibshirani and others, "Conformal prediction under covariate shift" (NeurIPS 2019).
    pub fn p_value(&self, evidence: f64) -> f64 {
        let reached = self.models.iter().filter(|(other, _)| *other >= evidence).map(|(_, weight)| weight).sum::<f64>();
        (1.0 + reached) / (1.0 + self.weight())
    }

    /// The smallest p-value that these models allow.
    pub fn floor(&self) -> f64 {
        1.0 / (1.0 + self.weight())
    }

    /// Number of scans of comparable clean models. Several scans of one model have different seeds.
    pub fn scans(&self) -> usize {
        self.models.len()
    }

    /// Number of comparable clean models, those of one origin counted as one.
    pub fn weight(&self) -> f64 {
        // The sum of nothing is minus zero.
        self.models.iter().map(|(_, weight)| weight).sum::<f64>() + 0.0
    }

    /// The same, rounded down.
    pub fn full_models(&self) -> usize {
        let weight = self.weight();
        (1..=self.scans()).take_while(|&count| count as f64 <= weight + 1e-9).count()
    }

    /// Number of scans of comparable clean models with at least this evidence.
    pub fn reached(&self, evidence: f64) -> usize {
        self.evidence().filter(|&other| other >= evidence).count()
    }

    /// Whether any of them has fewer labels, and more than were ever measured are judged.
    pub fn is_extrapolated(&self) -> bool {
        self.is_extrapolated
    }

    /// The evidence of each comparable clean model.
    pub fn evidence(&self) -> impl Iterator<Item = f64> {
        self.models.iter().map(|(evidence, _)| *evidence)
    }

    /// The largest evidence of a comparable clean model.
    pub fn highest(&self) -> Option<f64> {
        self.evidence().max_by(f64::total_cmp)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Null {
    /// The figures of a report, not the models.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut figures = serializer.serialize_struct("Null", 4)?;
        figures.serialize_field("scans", &self.scans())?;
        figures.serialize_field("origins", &self.weight())?;
        figures.serialize_field("smallest_p_value", &self.floor())?;
        figures.serialize_field("highest_evidence", &self.highest())?;
        figures.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn model(origin: Option<u32>, labels: u32, evidence: f64) -> ReferenceModel {
        ReferenceModel { origin, labels, evidence }
    }

    #[test]
    fn a_p_value_counts_the_clean_models_that_stand_out_as_far() {
        let models = (0..19).map(|at| model(None, 10, f64::from(at) / 10.0)).collect();
        let null = Reference::of(models).null(10);
        assert!((null.p_value(9.0) - 0.05).abs() < 1e-12 && (null.floor() - 0.05).abs() < 1e-12);
        assert!((null.p_value(1.8) - 0.1).abs() < 1e-12 && (null.p_value(-1.0) - 1.0).abs() < 1e-12);
        assert_eq!((null.scans(), null.highest()), (19, Some(1.8)));
    }

    #[test]
    fn models_of_one_origin_count_as_one() {
        let twenty = (0..20).map(|_| model(Some(3), 10, 1.0)).collect();
        let null = Reference::of(twenty).and(&[model(Some(4), 10, 0.0), model(None, 10, 0.0)]).null(10);
        assert!(
            (null.weight() - 3.0).abs() < 1e-9 && null.full_models() == 3 && (null.p_value(0.5) - 0.5).abs() < 1e-9
        );
    }

    #[test]
    fn other_numbers_of_labels_are_not_comparable() {
        let reference = Reference::of(vec![model(None, 10, 0.0), model(None, 43, 0.0), model(None, 2, 0.0)]);
        let models = [2, 3, 4, 10, 43, 257, 259, 1000].map(|classes| reference.null(classes).scans());
        assert_eq!(models, [1, 1, 1, 1, 2, 2, 2, 2]);
        // Ten labels count for up to 25, and less and less for more.
        let weights = [4, 10, 25, 43, 59, 61].map(|classes| likeness(classes, 10));
        assert!(weights[..3].iter().all(|&weight| (weight - 1.0).abs() < 1e-12) && weights[5].abs() < 1e-12);
        assert!((0.3..0.45).contains(&weights[3]) && weights[4] > 0.0 && weights[4] < 0.1, "{weights:?}");
        // More labels count up to a larger ratio, and then soon no longer.
        let weights = [20, 13, 11, 10].map(|classes| likeness(classes, 43));
        assert!(weights[..2].iter().all(|&weight| (weight - 1.0).abs() < 1e-12));
        assert!((0.3..0.5).contains(&weights[2]) && weights[3].abs() < 1e-12, "{weights:?}");
        let two = Reference::of(vec![model(None, 2, 0.0)]);
        assert!((two.null(1000).p_value(99.0) - 1.0).abs() < 1e-12, "nothing is known");
    }

    #[test]
    fn more_labels_than_were_measured_are_extrapolated() {
        let reference = Reference::of(vec![model(None, 10, 1.0), model(None, 43, 1.5), model(None, 1000, 2.0)]);
        let evidence = |classes| reference.null(classes).evidence().collect::<Vec<f64>>();
        assert_eq!(evidence(43), [1.0, 1.5], "measured");
        let [ten, many, own] = evidence(1000)[..] else { panic!("all three") };
        assert!((ten - (1.0 + 0.5 * 100_f64.ln())).abs() < 1e-12 && many > 3.0 && many < 3.1, "{ten} {many}");
        assert!((own - 2.0).abs() < 1e-12, "one with as many labels counts as it is");
        assert!((reference.null(1000).weight() - 3.0).abs() < 1e-12);
        assert_eq!(evidence(200).len(), 2, "one with far more labels does not count");
    }

    /// With one label more, a model never looks more suspicious beyond the measured numbers.
    #[test]
    fn each_label_more_takes_more_evidence() {
        let reference = Reference::built_in();
        assert_eq!(reference.models.iter().map(|model| model.labels as usize).max(), Some(MEASURED_LABELS));
        for classes in MEASURED_LABELS + 1..1200 {
            let (few, many) = (reference.null(classes), reference.null(classes + 1));
            assert!(few.p_value(2.5) <= many.p_value(2.5) && few.floor() <= 0.05, "{classes}");
        }
        assert!(reference.null(1000).p_value(4.5) <= 0.05, "and an alarm is possible");
    }

    proptest! {
        #[test]
        fn more_evidence_is_never_less_suspicious(
            known in prop::collection::vec((prop::option::of(0_u32..4), -5.0..5.0_f64), 0..40),
            evidence in -6.0..6.0_f64,
            more in 0.0..3.0_f64,
        ) {
            let models = known.iter().map(|&(origin, evidence)| model(origin, 10, evidence)).collect();
            let null = Reference::of(models).null(10);
            let (less, more) = (null.p_value(evidence), null.p_value(evidence + more));
            prop_assert!(more <= less && null.floor() <= more && less <= 1.0 + 1e-12);
        }
    }
}
