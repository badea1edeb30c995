//! The margins of the trigger test and the evidence of clean models, fitted to the clean models of a bank.

use std::collections::BTreeMap;
use std::fmt::Write;

use aeva_scan::Effort;
use aeva_stats::{
    Family, Lead, Margins, Offsets, PassTally, Points, Reading, Reference, ReferenceModel, Shape, Standout,
    TriggerTest, leads, level_standouts, test_triggers_with,
};
use serde::{Deserialize, Serialize};

use super::index::Model;

/// The share of clean models, each origin counted once, that a margin covers. The others are what the comparison with
/// clean models is for.
const COVERED: f64 = 0.9;
/// Offsets bring this end of what labels show to that end of what pairs and maps show. Pairs are many, and a natural pair
/// may be as strong as any backdoor: without the offset, it would hide all labels.
const END_OF_LABELS: f64 = 0.9;
const END_OF_OTHERS: f64 = 0.99;
/// The same for triggers that choose their images, of which a model has one.
const END_OF_SELECTIVE: f64 = 0.95;
/// The same for labels by their success alone.
const END_OF_LEVELS: f64 = 0.99;
/// The margins of noise are no smaller than these. Clean residual networks for photographs, of which a bank may have too
/// few, send half of all images to one label under noise with an amplitude of 16.
const LEAST_OF_NOISE: [(f64, f64); 2] = [(16.0, 2.0), (32.0, 3.0)];
/// A label that hardly any image reaches says nothing of how much more a search reaches than chance.
const REACHED: f64 = -2.5;

/// A model with the trigger passes of its scan.
#[derive(Debug, Clone)]
pub(super) struct Scanned {
    pub(super) model: Model,
    /// Number of labels.
    pub(super) labels: u32,
    pub(super) passes: Vec<PassTally>,
    /// Exploring passes among them, which are the first ones, and whether these are all that there are.
    pub(super) explored: usize,
    pub(super) is_explored: bool,
    /// All passes that were ever made, which a fit takes: the passes of a scan depend on what was fitted, and fitting to
    /// them would go to and fro between two states.
    pub(super) all: Vec<PassTally>,
    /// Those of them that a screen may make.
    pub(super) all_of_screen: Vec<PassTally>,
    /// The passes of a screen, and their queries.
    pub(super) screen: Vec<PassTally>,
    pub(super) screen_queries: u64,
}

/// The numbers of the trigger test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// `[family name]` -> its margins.
    margins: BTreeMap<String, FamilyMargins>,
    /// How much further pairs, maps, and triggers that choose their images stand out than labels.
    offset_of_levels: f64,
    offset_of_pairs: f64,
    offset_of_maps: f64,
    offset_of_selective: f64,
    /// The clean models, with their origins by number.
    clean: Vec<ReferenceModel>,
    /// The same, by what a screen shows of them.
    screened: Vec<ReferenceModel>,
}

/// The margins of every family.
pub(super) type FittedMargins = BTreeMap<Family, Margins>;

/// The margins of a family: points (strength, log odds).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct FamilyMargins {
    labels: Vec<(f64, f64)>,
    levels: Vec<(f64, f64)>,
    pairs: Vec<(f64, f64)>,
    pairs_to_baseline: Vec<(f64, f64)>,
    maps: Vec<(f64, f64)>,
    excess: Vec<(f64, f64)>,
    pair_excess: Vec<(f64, f64)>,
}

impl Calibration {
    /// Fits the numbers to clean models.
    pub(super) fn fit(clean: &[&Scanned]) -> Self {
        let leads: Vec<Vec<Lead>> = clean.iter().map(|scanned| leads(&scanned.all)).collect();
        let weights: Vec<f64> = clean.iter().map(|scanned| weight(scanned, clean)).collect();
        let margins = measured().map(|family| {
            let fit = |reading, value: &dyn Fn(&Lead) -> Option<f64>| points(family, reading, &leads, &weights, value);
            let gap = |lead: &Lead| Some(lead.gap);
            let is_compared = is_pattern_searched(family);
            let excess = |lead: &Lead| lead.excess.filter(|_| is_compared && lead.at_least > REACHED);
            let mut margins = FamilyMargins {
                labels: fit(Reading::Labels, &gap),
                levels: fit(Reading::Level, &gap),
                pairs: fit(Reading::Pairs, &gap),
                pairs_to_baseline: fit(Reading::PairsToBaseline, &gap),
                maps: fit(Reading::Map, &gap),
                excess: fit(Reading::Labels, &excess),
                pair_excess: fit(Reading::Pairs, &excess),
            };
            if family == Family::Noise {
                for (strength, margin) in &mut margins.labels {
                    let least = LEAST_OF_NOISE.into_iter().find(|(at, _)| (at - *strength).abs() < 0.5);
                    *margin = margin.max(least.map_or(0.0, |(_, least)| least));
                }
            }
            (family.spec().name.to_owned(), margins)
        });
        let mut fitted = Self {
            margins: margins.collect(),
            // Until it is known, it counts for nothing.
            offset_of_levels: f64::INFINITY,
            offset_of_pairs: 0.0,
            offset_of_maps: 0.0,
            // Until it is known, they count for nothing.
            offset_of_selective: f64::INFINITY,
            clean: Vec::new(),
            screened: Vec::new(),
        };
        let (margins, nothing) = (fitted.margins(), Reference::of(Vec::new()));
        let tests: Vec<TriggerTest> =
            clean.iter().map(|scanned| fitted.test(&scanned.all, &margins, &nothing)).collect();
        let end = |share: f64, evidence: &dyn Fn(&TriggerTest) -> Option<f64>| {
            let of_model = |(test, &weight): (&TriggerTest, &f64)| (evidence(test).unwrap_or(LEAST), weight);
            // An end below 0 is that of a kind of evidence that clean models do not show; it needs no correction.
            quantile(tests.iter().zip(&weights).map(of_model).collect(), share).unwrap_or_default().max(0.0)
        };
        let most = |test: &TriggerTest| test.labels.iter().flatten().map(|own| own.evidence).reduce(f64::max);
        let of_labels = end(END_OF_LABELS, &most);
        let of_pairs = end(END_OF_OTHERS, &|test| test.pair.map(|pair| pair.standout.evidence));
        let of_maps = end(END_OF_OTHERS, &|test| test.map.map(|Standout { evidence, .. }| evidence));
        let level = |(leads, scanned): (&Vec<Lead>, &&Scanned)| {
            let alone = level_standouts(leads, &margins, scanned.labels as usize);
            alone.into_iter().flatten().map(|own| own.evidence).fold(0.0, f64::max)
        };
        let of_model = leads.iter().zip(clean).map(level).zip(weights.iter().copied());
        let of_levels = quantile(of_model.collect(), END_OF_LEVELS);
        let selective = |leads: &Vec<Lead>| {
            let lead = leads.iter().find(|lead| lead.reading == Reading::Selective);
            lead.map_or(0.0, |lead| lead.evidence(&margins[&lead.family]))
        };
        let of_selective = quantile(leads.iter().map(selective).zip(weights).collect(), END_OF_SELECTIVE);
        (fitted.offset_of_pairs, fitted.offset_of_maps) = (rounded(of_pairs - of_labels), rounded(of_maps - of_labels));
        fitted.offset_of_levels = rounded(of_levels.unwrap_or_default() - of_labels);
        fitted.offset_of_selective = rounded(of_selective.unwrap_or_default() - of_labels);
        let mut origins: Vec<&str> = clean.iter().map(|scanned| scanned.model.owner.as_str()).collect();
        origins.sort_unstable();
        origins.dedup();
        let models = |passes: &dyn Fn(&Scanned) -> &[PassTally]| {
            let model = |scanned: &&Scanned| {
                let strongest = fitted.test(passes(scanned), &margins, &nothing).strongest;
                let evidence = strongest.map_or(LEAST, |strongest| strongest.standout.evidence).max(LEAST);
                let place = origins.iter().position(|&origin| origin == scanned.model.owner);
                let origin = place.and_then(|place| u32::try_from(place).ok());
                ReferenceModel { origin, labels: scanned.labels, evidence: rounded(evidence) }
            };
            let mut models: Vec<ReferenceModel> = clean.iter().map(model).collect();
            let order = |one: &ReferenceModel| (one.origin, one.labels);
            models.sort_by(|a, b| order(a).cmp(&order(b)).then(a.evidence.total_cmp(&b.evidence)));
            models
        };
        let (all, screened) = (models(&|scanned| &scanned.all), models(&|scanned| &scanned.all_of_screen));
        Self { clean: all, screened, ..fitted }
    }

    /// The clean models, for scans of this effort.
    pub(super) fn reference(&self, effort: Effort) -> Reference {
        Reference::of(if effort == Effort::Screen { &self.screened } else { &self.clean }.clone())
    }

    /// Tests a model with its [`margins`](Self::margins) against other models.
    pub(super) fn test(&self, passes: &[PassTally], margins: &FittedMargins, reference: &Reference) -> TriggerTest {
        let offsets = Offsets {
            levels: self.offset_of_levels,
            pairs: self.offset_of_pairs,
            maps: self.offset_of_maps,
            selective: self.offset_of_selective,
        };
        test_triggers_with(passes, |family| margins[&family], offsets, reference)
    }

    /// The margins in the form that the test takes. They are kept until the program ends, so a fit asks for them once.
    pub(super) fn margins(&self) -> FittedMargins {
        let of = |family: Family| self.margins_of(family.spec().margins_of.unwrap_or(family));
        Family::ALL.map(|family| (family, of(family))).into()
    }

    fn margins_of(&self, family: Family) -> Margins {
        let own = self.margins.get(family.spec().name).cloned().unwrap_or_default();
        let built_in = family.spec().margins;
        let is_compared = is_pattern_searched(family);
        // The test takes lists that live as long as the program, like those that are built in.
        let points = |points: Vec<(f64, f64)>| -> Points { points.leak() };
        Margins {
            labels: points(own.labels),
            levels: points(own.levels),
            pairs: points(own.pairs),
            pairs_to_baseline: points(own.pairs_to_baseline),
            maps: points(own.maps),
            excess: is_compared.then(|| points(own.excess)),
            pair_excess: is_compared.then(|| points(own.pair_excess)),
            ..built_in
        }
    }
}

/// The families that have margins of their own.
fn measured() -> impl Iterator<Item = Family> {
    Family::ALL.into_iter().filter(|family| family.spec().margins_of.is_none())
}

/// Evidence below this is all the same.
const LEAST: f64 = -9.0;

/// The margins of a family in one reading: for each strength, what covers most clean models. A stronger trigger has no
/// smaller margin than a weaker one, because it does whatever that does.
fn points(
    family: Family,
    reading: Reading,
    leads: &[Vec<Lead>],
    weights: &[f64],
    value: &dyn Fn(&Lead) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let strengths: Vec<f64> = family.spec().strengths.iter().map(|strength| f64::from(strength.value)).collect();
    // Sides are rounded to whole pixels, so that a strength may lie between two of the table.
    let nearest =
        |strength: f64| strengths.iter().copied().min_by(|a, b| (a - strength).abs().total_cmp(&(b - strength).abs()));
    let mut points = Vec::new();
    let mut least = f64::NEG_INFINITY;
    for &strength in &strengths {
        let mut highest: Vec<(f64, f64)> = Vec::new();
        for (own, &weight) in leads.iter().zip(weights) {
            let here = own.iter().filter(|lead| {
                lead.family == family && lead.reading == reading && nearest(lead.strength) == Some(strength)
            });
            highest.extend(here.filter_map(value).max_by(f64::total_cmp).map(|value| (value, weight)));
        }
        if let Some(margin) = quantile(highest, COVERED) {
            least = margin.max(least);
            points.push((strength, rounded(least)));
        }
    }
    points
}

/// The smallest value that covers this share of the weight.
fn quantile(mut values: Vec<(f64, f64)>, share: f64) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = values.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let covers = |&(_, weight): &(f64, f64)| {
        sum += weight;
        sum >= share * all - 1e-9
    };
    values.into_iter().find(covers).map(|(value, _)| value)
}

/// Models of one origin count as one.
fn weight(scanned: &Scanned, all: &[&Scanned]) -> f64 {
    1.0 / all.iter().filter(|other| other.model.owner == scanned.model.owner).count().max(1) as f64
}

/// To hundredths, which is far finer than the models tell.
fn rounded(value: f64) -> f64 {
    let hundredths = (value * 100.0).round() / 100.0;
    // No minus before zero.
    hundredths + 0.0
}

impl Calibration {
    /// `margins/table.rs` of `aeva-stats`.
    pub(crate) fn margins_in_rust(&self) -> String {
        let mut text = format!("{HEAD}use {UP}::{{Margins, Offsets}};\n");
        for family in measured() {
            let name = family.spec().name;
            let own = self.margins.get(name).cloned().unwrap_or_default();
            let compared = |points: &[(f64, f64)], is_compared: bool| {
                if is_compared { format!("Some(&{})", list(points)) } else { "None".to_owned() }
            };
            let _ = write!(
                text,
                "\n#[rustfmt::skip]\npub(crate) const {}: Margins = Margins {{\n    labels: &{},\n    levels: &{},\n    pairs: &{},\n    pairs_to_baseline: &{},\n    maps: &{},\n    excess: {},\n    pair_excess: {},\n    ..{UP}::{}\n}};\n",
                name.to_uppercase(),
                list(&own.labels),
                list(&own.levels),
                list(&own.pairs),
                list(&own.pairs_to_baseline),
                list(&own.maps),
                compared(&own.excess, is_pattern_searched(family)),
                compared(&own.pair_excess, is_pattern_searched(family)),
                lowest_rates(family),
            );
        }
        let _ = write!(
            text,
            "\npub(crate) const OFFSETS: Offsets = Offsets {{ levels: {:?}, pairs: {:?}, maps: {:?}, selective: {:?} }};\n",
            self.offset_of_levels, self.offset_of_pairs, self.offset_of_maps, self.offset_of_selective
        );
        text
    }

    /// `trigger/reference_table.rs` of `aeva-stats`.
    pub(crate) fn reference_in_rust(&self) -> String {
        let mut text = format!("{HEAD}use {UP}::reference_model::ReferenceModel;\n");
        for (name, models) in [("CLEAN", &self.clean), ("SCREENED", &self.screened)] {
            let _ = writeln!(text, "\n#[rustfmt::skip]\npub(super) const {name}: &[ReferenceModel] = &[");
            for ReferenceModel { origin, labels, evidence } in models {
                let _ = writeln!(
                    text,
                    "    ReferenceModel {{ origin: {origin:?}, labels: {labels}, evidence: {evidence:?} }},"
                );
            }
            text.push_str("];\n");
        }
        text
    }
}

/// The constant of `margins.rs` with the lowest rates of a family.
fn lowest_rates(family: Family) -> &'static str {
    match (family.is_random(), family.spec().shape) {
        // The best filter or pair of squares counts, which is a search, however it is found.
        (_, Shape::Squares | Shape::Warp) | (false, Shape::Patch) => "SEARCHED",
        (_, Shape::Tone) => "FILTER",
        (true, _) => "RANDOM",
        (false, Shape::Overlay) => "PATTERN",
    }
}

/// Whether what a search reaches is compared with what random triggers reach anyway. Random patches that hit the trigger
/// of a backdoor reach its label too, so that they excuse nothing; random patterns are not that close.
fn is_pattern_searched(family: Family) -> bool {
    family.spec().shape == Shape::Overlay && !family.is_random()
}

/// The module above, in the generated source.
const UP: &str = "super";
pub(super) const HEAD: &str =
    "//! Generated by `cargo xtask docs` from `docs/bank.json`, which `cargo xtask bank` makes.\n\n";

fn list(points: &[(f64, f64)]) -> String {
    format!("{points:?}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
pub(super) mod tests {
    use super::*;
    use crate::bank::index::Truth;
    use aeva_stats::{Effect, GoalTally, PairTally, Tally};
    use std::path::PathBuf;

    /// A clean model of ten labels whose best patch of three pixels sends these hits of 180 images to label 0.
    pub(in crate::bank) fn clean(owner: &str, hits: usize) -> Scanned {
        let model = Model {
            name: String::new(),
            dataset: String::new(),
            owner: owner.to_owned(),
            truth: Truth::Clean,
            file: PathBuf::new(),
            images: PathBuf::new(),
        };
        let goal = |hits: usize| GoalTally::from(Tally::clamped(hits, 180));
        let labels = [hits, 18, 18, 18, 18, 18, 18, 18, 18, 18].map(goal).to_vec();
        let (pairs, confusion) = (Vec::new(), Vec::new());
        let pass = PassTally {
            family: Family::Patch,
            strength: 3.0,
            labels,
            pairs,
            confusion,
            map: GoalTally::default(),
            effects: Vec::new(),
        };
        Scanned {
            model,
            labels: 10,
            passes: vec![pass.clone()],
            explored: 1,
            is_explored: false,
            all: vec![pass.clone()],
            all_of_screen: vec![pass.clone()],
            screen: vec![pass],
            screen_queries: 50,
        }
    }

    #[test]
    fn a_quantile_covers_its_share_of_the_weight() {
        let of = |share| quantile(vec![(3.0, 1.0), (1.0, 2.0), (2.0, 1.0)], share);
        assert_eq!([of(0.5), of(0.51), of(0.75), of(1.0)], [Some(1.0), Some(2.0), Some(2.0), Some(3.0)]);
        assert_eq!(quantile(Vec::new(), 0.9), None);
    }

    /// Nine of ten origins are covered. The tenth has three models, which count as one.
    #[test]
    fn margins_cover_nine_of_ten_origins() {
        let mut models: Vec<Scanned> = (0..9).map(|at| clean(&at.to_string(), 60)).collect();
        models.extend((0..3).map(|_| clean("far", 150)));
        let fitted = Calibration::fit(&models.iter().collect::<Vec<_>>());
        let gap = |hits: usize| Tally::clamped(hits, 180).log_odds() - Tally::clamped(18, 180).log_odds();
        assert_eq!(fitted.margins["patch"].labels, [(3.0, rounded(gap(60)))]);
        assert!(fitted.margins["patch"].excess.is_empty(), "patches are not compared with their attraction");
        let null = fitted.reference(Effort::Standard).null(10);
        assert_eq!((null.scans(), null.weight().round()), (12, 10.0));
        // One origin more, and the far one is beyond the margin no longer.
        models.truncate(10);
        models.push(clean("far too", 150));
        let fitted = Calibration::fit(&models.iter().collect::<Vec<_>>());
        assert_eq!(fitted.margins["patch"].labels, [(3.0, rounded(gap(150)))]);
    }

    /// The offset brings the 95th percentile to that of labels.
    #[test]
    fn an_offset_makes_readings_comparable() {
        let cell = |source, target, hits| PairTally { source, target, tally: Tally::clamped(hits, 100) };
        let of = |owner: &str, hits: usize| {
            let mut one = clean(owner, 60);
            one.all[0].effects = vec![Effect { reached: vec![cell(1, 7, hits)], kept: vec![cell(2, 2, 100)] }];
            one
        };
        let mut models: Vec<Scanned> = (0..19).map(|at| of(&at.to_string(), 90)).collect();
        models.push(of("far", 100));
        let fitted = Calibration::fit(&models.iter().collect::<Vec<_>>());
        // Success counts up to a cap of 3.
        let contrast = Tally::clamped(90, 100).log_odds() + Tally::clamped(100, 100).log_odds();
        assert!((fitted.offset_of_selective - (contrast - 4.0)).abs() < 0.02, "{}", fitted.offset_of_selective);
    }

    #[test]
    fn the_generated_source_has_every_family_and_every_model() {
        let models = [clean("a", 60), clean("b", 90)];
        let fitted = Calibration::fit(&models.iter().collect::<Vec<_>>());
        let margins = fitted.margins_in_rust();
        let has = |family: Family| margins.contains(&format!("const {}: Margins", family.spec().name.to_uppercase()));
        assert!(measured().all(has) && !has(Family::Dot) && measured().count() == Family::ALL.len() - 1);
        let of = |family| fitted.margins()[&family];
        assert_eq!(of(Family::Dot).labels, of(Family::Patch).labels);
        assert_eq!(fitted.reference_in_rust().matches("ReferenceModel { origin: Some(").count(), 4);
        assert_eq!(rounded(-0.001).to_string(), "0");
    }
}
