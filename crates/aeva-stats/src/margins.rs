//! How far clean models go: the margins of the trigger test.

/// Points (strength, log odds), from weak to strong, with straight lines between them.
pub type Points = &'static [(f64, f64)];

/// How far clean models go in a family of triggers. An empty list is a margin of 0.
///
/// `cargo xtask bank` fits them to clean models that other people made; `margins/table.rs` has the result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// Of the gap between target labels.
    pub labels: Points,
    /// Of the log odds of a target label alone.
    pub levels: Points,
    /// Of the gap between pairs of labels.
    pub pairs: Points,
    /// Of the gap between log odds ratios to the baseline of each pair, for families that are compared with it.
    pub pairs_to_baseline: Points,
    /// Of the log odds of an all-to-all map.
    pub maps: Points,
    /// Of the success beyond what random triggers explain; `None` where this is not compared.
    pub excess: Option<Points>,
    /// The same for pairs of labels.
    pub pair_excess: Option<Points>,
    /// A target label with a lower success rate is no evidence, however low the others are.
    pub minimum_rate: f64,
    /// The same for pairs of labels.
    pub minimum_pair_rate: f64,
    /// The same for maps.
    pub minimum_map_rate: f64,
    /// The evidence for target labels is at most this.
    pub most: f64,
}

/// How much further other readings stand out in clean models than labels do, over all families.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offsets {
    /// Of target labels by their success alone; subtracted in every family.
    pub levels: f64,
    /// Of pairs of labels.
    pub pairs: f64,
    /// Of all-to-all maps.
    pub maps: f64,
    /// Of triggers that turn the images of some labels and leave others alone.
    pub selective: f64,
}

impl Offsets {
    /// Those that are built in.
    pub const BUILT_IN: Self = table::OFFSETS;
}

/// What is not fitted: the lowest rates, from which on evidence rises. Triggers that are searched reach most images if
/// there is a backdoor.
const SEARCHED: Margins = Margins {
    labels: &[],
    levels: &[],
    pairs: &[],
    pairs_to_baseline: &[],
    maps: &[],
    excess: None,
    pair_excess: None,
    minimum_rate: 0.35,
    minimum_pair_rate: 0.35,
    minimum_map_rate: 0.2,
    most: f64::INFINITY,
};

/// What a search makes of a pattern over the whole image is as strong in accurate clean networks as a backdoor: in some,
/// the best pattern sends nearly all images to one label. It confirms what other families show, and is no alarm alone.
const PATTERN: Margins = Margins { most: 0.8, ..SEARCHED };

/// The best of some filters is a natural weakness of models whose labels differ in colour: grey images look alike to them.
/// It is no alarm alone either. No backdoor of the evaluation is shown by it alone.
const FILTER: Margins = Margins { most: 0.8, ..SEARCHED };

/// Random patterns are seldom close to the trigger, and reach fewer images.
const RANDOM: Margins = Margins { minimum_rate: 0.2, minimum_pair_rate: 0.2, ..SEARCHED };

mod table;

pub(crate) use table::{CORNERS, NOISE, OVERLAY, PATCH, SQUARE, TONE, WARP, WAVE};

impl Margins {
    /// The margin of a gap between target labels at a strength.
    pub fn of_labels(&self, strength: f64) -> f64 {
        between(self.labels, strength)
    }

    /// The margin of the log odds of a target label alone.
    pub fn of_levels(&self, strength: f64) -> f64 {
        between(self.levels, strength)
    }

    /// The margin of a gap between pairs of labels.
    pub fn of_pairs(&self, strength: f64) -> f64 {
        between(self.pairs, strength)
    }

    /// The margin of a gap between log odds ratios to the baseline.
    pub fn of_pairs_to_baseline(&self, strength: f64) -> f64 {
        between(self.pairs_to_baseline, strength)
    }

    /// The margin of the log odds of a map.
    pub fn of_maps(&self, strength: f64) -> f64 {
        between(self.maps, strength)
    }

    /// The margin of the excess of a label; `None` where it is not compared.
    pub fn of_excess(&self, strength: f64) -> Option<f64> {
        self.excess.map(|points| between(points, strength))
    }

    /// The margin of the excess of a pair; `None` where it is not compared.
    pub fn of_pair_excess(&self, strength: f64) -> Option<f64> {
        self.pair_excess.map(|points| between(points, strength))
    }
}

/// Linear interpolation between the points, constant before the first and after the last.
fn between(points: Points, strength: f64) -> f64 {
    let mut last: Option<(f64, f64)> = None;
    for &(at, allowed) in points {
        if strength <= at {
            return last
                .map_or(allowed, |(before, least)| least + (allowed - least) * (strength - before) / (at - before));
        }
        last = Some((at, allowed));
    }
    last.map_or(0.0, |(_, most)| most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_lie_on_straight_lines() {
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-12;
        let at = |strength| between(&[(3.0, 0.0), (4.0, 0.5), (6.0, 1.0)], strength);
        assert!(near(at(1.0), 0.0) && near(at(3.5), 0.25) && near(at(5.0), 0.75) && near(at(99.0), 1.0));
        assert!(near(between(&[], 3.0), 0.0) && near(between(&[(8.0, 1.5)], 64.0), 1.5));
    }
}
