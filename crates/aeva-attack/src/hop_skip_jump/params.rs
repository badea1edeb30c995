//! Parameters of a search, validated once.

use crate::SearchError;

/// Samples for each pair of the quick setting.
pub const QUICK_SAMPLES: u32 = 2;
/// A CIFAR-10 image has 3072 values, and the published setting spends 100 evaluations on it.
const VALUES_PER_EVALUATION: usize = 32;
/// With fewer evaluations, an estimate carries almost no information.
const QUICK_EVALUATIONS_FLOOR: u32 = 16;
/// Iterations of the quick setting for CIFAR-10 and larger images.
const QUICK_ITERATIONS_FLOOR: u32 = 14;
/// Iterations times values of an image; gives 14 iterations for CIFAR-10.
const QUICK_ITERATION_VALUES: usize = 14 * 3072;

/// Parameters before validation; start from [`HopSkipJumpBuilder::PUBLISHED`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HopSkipJumpBuilder {
    /// Iterations `J`, at least 1.
    pub iterations: u32,
    /// Evaluations `B0` of the first gradient estimate, at least 1; iteration `j` takes `floor(B0 * sqrt(j))`.
    pub initial_evaluations: u32,
    /// Upper limit of the evaluations of one estimate.
    pub maximum_evaluations: u32,
    /// `gamma` in the bisection threshold `theta = gamma / (sqrt(d) * d)`, above 0.
    pub gamma: f64,
    /// A step that has been halved this often without success ends the search (published: no limit).
    pub maximum_halvings: u32,
    /// A search stops with [`Outcome::Budget`](crate::perturbation::Outcome::Budget) after this many queries (published: no limit).
    pub query_budget: Option<u64>,
}

/// Valid parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HopSkipJumpParams(HopSkipJumpBuilder);

impl HopSkipJumpBuilder {
    /// The published setting. It halves steps without limit; 64 halvings bring any step below f64 resolution.
    pub const PUBLISHED: Self = Self {
        iterations: 50,
        initial_evaluations: 100,
        maximum_evaluations: 30_000,
        gamma: 1.0,
        maximum_halvings: 64,
        query_budget: None,
    };

    /// The quick setting for images of `values` values. It uses as many evaluations per image value as the published
    /// setting does for CIFAR-10, and iterations in inverse proportion to the values.
    ///
    /// The accuracy of an estimate depends on the ratio of evaluations to dimensions. Small images need fewer
    /// evaluations, and more iterations to converge (measured in `docs/method.md`).
    pub fn quick(values: usize) -> Self {
        let share = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let initial_evaluations = share(values / VALUES_PER_EVALUATION);
        let iterations = share(QUICK_ITERATION_VALUES / values.max(1));
        Self {
            initial_evaluations: initial_evaluations
                .clamp(QUICK_EVALUATIONS_FLOOR, Self::PUBLISHED.initial_evaluations),
            iterations: iterations.clamp(QUICK_ITERATIONS_FLOOR, Self::PUBLISHED.iterations),
            ..Self::PUBLISHED
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`SearchError::Parameter`] names the first parameter out of range.
    pub fn check(self) -> Result<HopSkipJumpParams, SearchError> {
        let wrong = |parameter, found: String, expected| Err(SearchError::Parameter { parameter, found, expected });
        if !(1..=10_000).contains(&self.iterations) {
            return wrong("iterations", self.iterations.to_string(), "1 to 10000");
        }
        if self.initial_evaluations == 0 {
            return wrong("initial_evaluations", "0".to_owned(), "at least 1");
        }
        if self.maximum_evaluations == 0 {
            return wrong("maximum_evaluations", "0".to_owned(), "at least 1");
        }
        if !(self.gamma.is_finite() && self.gamma > 0.0) {
            return wrong("gamma", self.gamma.to_string(), "a number above 0");
        }
        if !(1..=1_000).contains(&self.maximum_halvings) {
            return wrong("maximum_halvings", self.maximum_halvings.to_string(), "1 to 1000");
        }
        if self.query_budget == Some(0) {
            return wrong("query_budget", "0".to_owned(), "at least 1, or none");
        }
        Ok(HopSkipJumpParams(self))
    }
}

impl HopSkipJumpParams {
    /// The validated parameters.
    pub fn get(&self) -> &HopSkipJumpBuilder {
        &self.0
    }

    /// Evaluations `floor(B0 * sqrt(j))` of the gradient estimate in iteration `j` (from 1), within the limit.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a non-negative float, clamped to the limit by the saturating cast and `min`"
    )]
    pub fn evaluations(&self, iteration: u32) -> u32 {
        let wanted = f64::from(self.0.initial_evaluations) * f64::from(iteration).sqrt();
        (wanted as u32).min(self.0.maximum_evaluations)
    }

    /// Bisection threshold `theta = gamma / (sqrt(d) * d)` for images of `d` values.
    pub fn theta(&self, values: usize) -> f64 {
        let d = values as f64;
        self.0.gamma / (d.sqrt() * d)
    }

    /// Queries of a search of images of `d` values if every first step succeeds. This is the usual case; it serves
    /// progress and planning.
    pub fn expected_queries(&self, values: usize) -> u64 {
        let theta = self.theta(values);
        let mut bisection = 0_u64;
        let mut interval = 1.0_f64;
        while interval > theta && bisection < u64::from(super::bisect::MAXIMUM_HALVINGS) {
            interval *= 0.5;
            bisection += 1;
        }
        let gradients: u64 = (1..=self.0.iterations).map(|j| u64::from(self.evaluations(j))).sum();
        let iterations = u64::from(self.0.iterations);
        let all = 1 + gradients + iterations + (iterations + 1) * bisection;
        self.0.query_budget.map_or(all, |budget| all.min(budget))
    }

    /// The validated values.
    pub fn values(&self) -> HopSkipJumpBuilder {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_setting_costs_what_the_paper_says() {
        let params = HopSkipJumpBuilder::PUBLISHED.check().unwrap();
        // About 24 870 queries a sample for CIFAR-10: 23 883 gradient evaluations, 918 in 51 bisections of 18.
        let gradients: u32 = (1..=50).map(|j| params.evaluations(j)).sum();
        assert_eq!(gradients, 23_883);
        assert_eq!(params.expected_queries(3072), 23_883 + 918 + 50 + 1);
    }

    #[test]
    fn the_quick_setting_follows_the_dimension() {
        let depth = |values| {
            let quick = HopSkipJumpBuilder::quick(values);
            assert!(quick.check().is_ok());
            (quick.initial_evaluations, quick.iterations)
        };
        // CIFAR-10, grey 32x32, MNIST, the shipped digits, ImageNet, one pixel, none.
        assert_eq!(
            [3072, 1024, 784, 256, 224 * 224 * 3, 1, 0].map(depth),
            [(96, 14), (32, 42), (24, 50), (16, 50), (100, 14), (16, 50), (16, 50)]
        );
    }

    #[test]
    fn each_parameter_is_checked_and_named() {
        let base = HopSkipJumpBuilder::PUBLISHED;
        let cases: [(HopSkipJumpBuilder, &str); 7] = [
            (HopSkipJumpBuilder { iterations: 0, ..base }, "iterations"),
            (HopSkipJumpBuilder { initial_evaluations: 0, ..base }, "initial_evaluations"),
            (HopSkipJumpBuilder { maximum_evaluations: 0, ..base }, "maximum_evaluations"),
            (HopSkipJumpBuilder { gamma: 0.0, ..base }, "gamma"),
            (HopSkipJumpBuilder { gamma: f64::NAN, ..base }, "gamma"),
            (HopSkipJumpBuilder { maximum_halvings: 0, ..base }, "maximum_halvings"),
            (HopSkipJumpBuilder { query_budget: Some(0), ..base }, "query_budget"),
        ];
        for (params, name) in cases {
            let error = params.check().unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn evaluations_respect_their_limit() {
        let params = HopSkipJumpBuilder { maximum_evaluations: 150, ..HopSkipJumpBuilder::PUBLISHED }.check().unwrap();
        assert_eq!([1, 2, 3].map(|j| params.evaluations(j)), [100, 141, 150]);
    }
}
