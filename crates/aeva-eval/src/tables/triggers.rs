//! The tables of `docs/triggers.md`: families, margins and the null distribution.

use aeva_stats::{About, CombinedRule, Family, FamilySpec, Null, Reference, Search, Strength};

use super::markdown::table;

/// The families, in the order of the documentation.
fn families_in_order() -> [&'static FamilySpec; Family::ALL.len()] {
    let mut specs = Family::ALL.map(Family::spec);
    specs.sort_by_key(|spec| spec.number);
    specs
}

/// Strengths of a family that are tried in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    Searched,
    RandomForLabels { count: u32 },
    RandomForPairs { count: u32 },
}

impl From<Search> for Tried {
    fn from(search: Search) -> Self {
        match search {
            Search::HillClimb | Search::ClimbLabels { .. } | Search::RefineOnly => Self::Searched,
            Search::Random(sample) => match sample.about {
                About::Labels => Self::RandomForLabels { count: sample.count },
                About::Pairs(_) => Self::RandomForPairs { count: sample.count },
            },
        }
    }
}

/// All families with their strengths.
pub(super) fn families() -> String {
    let titles = ["family", "what it is", "strengths", "unit", "how it is tried"].map(str::to_owned);
    let mut rows = Vec::new();
    for spec in families_in_order() {
        let groups = spec.strengths.chunk_by(|a, b| Tried::from(a.search) == Tried::from(b.search));
        rows.extend(groups.enumerate().map(|(place, strengths)| family_row(spec, strengths, place == 0)));
    }
    table(&titles, &rows)
}

/// Strengths of a family that are tried in the same way; `is_first` where none are weaker.
fn family_row(spec: &FamilySpec, strengths: &[Strength], is_first: bool) -> Vec<String> {
    let tried = strengths.first().map_or(Tried::Searched, |strength| Tried::from(strength.search));
    let (shown, what) = match (is_first, tried) {
        (true, _) => (spec.title.to_owned(), spec.summary),
        (false, Tried::RandomForPairs { .. }) => {
            (format!("strong {}", spec.title), "the same, for pairs of labels only")
        }
        (false, _) => (format!("strong {}", spec.title), "the same"),
    };
    let name = if shown == spec.name { shown } else { format!("{shown} (`{}`)", spec.name) };
    let how = match tried {
        Tried::Searched => "searched".to_owned(),
        Tried::RandomForLabels { count } | Tried::RandomForPairs { count } => format!("{count} random ones"),
    };
    let values = |only_refined: bool| {
        let own = strengths.iter().filter(|one| (one.search == Search::RefineOnly) == only_refined);
        own.map(|one| one.value.to_string()).collect::<Vec<String>>().join(", ")
    };
    let refined = values(true);
    let also = if refined.is_empty() { String::new() } else { format!("; refining passes also {refined}") };
    let strengths = values(false) + &also;
    let unit = if spec.is_absolute { "side in pixels" } else { spec.shape.spec().unit };
    vec![name, what.to_owned(), strengths, unit.to_owned(), how]
}

/// The margins of labels, and those of pairs of labels.
pub(super) fn margins() -> String {
    let of_labels = columns(|spec| strengths_of(&[spec.margins.labels, spec.margins.levels]));
    let mut titles = vec![String::new()];
    let mut to_next = vec!["distance to the next".to_owned()];
    let mut alone = vec!["alone".to_owned()];
    for (title, spec, at) in of_labels {
        titles.push(title);
        to_next.push(hundredths(spec.margins.of_labels(at)));
        alone.push(hundredths(spec.margins.of_levels(at)));
    }

    let of_pairs = columns(|spec| strengths_of(&[spec.margins.pairs, spec.margins.pairs_to_baseline]));
    let mut pair_titles = vec![String::new()];
    let mut as_they_are = vec!["as they are".to_owned()];
    let mut to_baseline = vec!["relative to the baseline".to_owned()];
    for (title, spec, at) in of_pairs {
        pair_titles.push(title);
        as_they_are.push(hundredths(spec.margins.of_pairs(at)));
        let compared = spec.is_beside_baseline.then(|| hundredths(spec.margins.of_pairs_to_baseline(at)));
        to_baseline.push(compared.unwrap_or_default());
    }
    let (labels, pairs) = (table(&titles, &[to_next, alone]), table(&pair_titles, &[as_they_are, to_baseline]));
    format!("Of labels:\n\n{labels}\nOf pairs of labels:\n\n{pairs}")
}

/// A margin as it was fitted: sums of margins have more digits than they mean.
fn hundredths(margin: f64) -> String {
    ((margin * 100.0).round() / 100.0).to_string()
}

/// One column for each of the strengths that a family has in a table of margins: its title, the family and the strength.
fn columns(strengths: impl Fn(&FamilySpec) -> Vec<f64>) -> Vec<(String, &'static FamilySpec, f64)> {
    let mut columns = Vec::new();
    for spec in families_in_order().into_iter().filter(|spec| spec.margins_of.is_none()) {
        let strengths = strengths(spec);
        let last = strengths.len().saturating_sub(1);
        for (place, &at) in strengths.iter().enumerate() {
            // After rounding to whole pixels there are other strengths than those of the table as well.
            let beyond = match place {
                _ if last == 0 || !spec.shape.spec().is_in_pixels => "",
                0 => "to ",
                place if place == last => "from ",
                _ => "",
            };
            columns.push((format!("{} {beyond}{at}", spec.title), spec, at));
        }
    }
    columns
}

/// The strengths of all points, ascending.
fn strengths_of(margins: &[&[(f64, f64)]]) -> Vec<f64> {
    let mut strengths: Vec<f64> = margins.iter().copied().flatten().map(|(at, _)| *at).collect();
    strengths.sort_by(f64::total_cmp);
    strengths.dedup();
    strengths
}

/// The clean models that a model is compared with, by number of labels.
pub(super) fn null() -> String {
    let titles = ["labels", "scans of comparable clean models", "count as", "smallest p", "an alarm needs more than"]
        .map(str::to_owned);
    let reference = Reference::built_in();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for labels in [2, 3, 5, 10, 20, 43, 44, 100, 200, 1000] {
        let null = reference.null(labels);
        let alpha = CombinedRule::DEFAULT.trigger_alpha(&null);
        let needed = alarm_evidence(&null, alpha)
            .map_or_else(|| "no alarm is possible".to_owned(), |evidence| format!("{evidence:.2}"));
        let row = [
            labels.to_string(),
            null.scans().to_string(),
            format!("{:.0}", null.weight()),
            format!("{:.3}", null.floor()),
            needed,
        ];
        rows.push(row.to_vec());
    }
    table(&titles, &rows)
}

/// The evidence that is no alarm yet, but anything above is; `None` if there are too few models for one.
fn alarm_evidence(null: &Null, alpha: f64) -> Option<f64> {
    let values = null.evidence().filter(|&evidence| null.p_value(evidence) > alpha);
    (null.floor() <= alpha).then(|| values.fold(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strength_of_every_family_is_in_the_table() {
        let text = families();
        assert_eq!(text.lines().count(), 2 + 10, "noise has two rows");
        assert!(text.contains("| 2, 4, 8; refining passes also 1, 3, 6 | side in pixels"), "{text}");
        assert!(text.contains("| sine (`wave`) |") && text.contains("| strong noise (`noise`) |"), "{text}");
    }

    #[test]
    fn margins_are_those_of_the_test() {
        let text = margins();
        let of = |strength: f64| hundredths(Family::Patch.spec().margins.of_labels(strength));
        let found = format!("| distance to the next | {} | {} |", of(1.0), of(2.0));
        assert!(text.lines().nth(4).is_some_and(|line| line.starts_with(&found)), "{found} {text}");
        let alone = format!("| alone | {} |", hundredths(Family::Patch.spec().margins.of_levels(1.0)));
        assert!(text.lines().nth(5).is_some_and(|line| line.starts_with(&alone)), "{alone} {text}");
    }

    #[test]
    fn an_alarm_is_beyond_the_clean_models_that_alpha_allows() {
        let model = |evidence| aeva_stats::ReferenceModel { origin: None, labels: 10, evidence };
        let null = Reference::of((0..39).map(|at| model(f64::from(at))).collect()).null(10);
        assert_eq!(alarm_evidence(&null, 0.05), Some(37.0), "one of 39 may be as suspicious");
        assert_eq!(alarm_evidence(&null, 0.02), None);
    }
}
